"""Handwritten digits of 28 x 28 pixels: scikit-learn's 1,797 of 8 x 8, enlarged, so that nothing is downloaded."""

from __future__ import annotations

import zipfile
from typing import TYPE_CHECKING

import numpy as np
from sklearn.datasets import load_digits

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

#: This many pictures are for training, the rest for testing.
TRAINING = 1_400


def pictures() -> tuple[NDArray[np.float32], NDArray[np.int64]]:
    """All pictures, [1797, 28, 28] between 0 and 1, and which digit each shows."""
    small, labels = load_digits(return_X_y=True)
    enlarged = np.kron(small.reshape(-1, 8, 8) / 16, np.ones((3, 3)))
    return np.pad(enlarged, ((0, 0), (2, 2), (2, 2))).astype(np.float32), labels.astype(np.int64)


def save_samples(path: Path, name: str, shape: tuple[int, ...], count: int = 100) -> Path:
    """The first test pictures as samples for edgecheck: under the model's input name, each of `shape`."""
    images, _ = pictures()
    with zipfile.ZipFile(path, "w") as archive, archive.open(f"{name}.npy", "w") as member:
        np.lib.format.write_array(member, images[TRAINING : TRAINING + count].reshape(count, *shape))
    return path
