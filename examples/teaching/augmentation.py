"""Augmentation changes the data: a network keeps its size, and a forest grows with what it is shown."""

from __future__ import annotations

from typing import TYPE_CHECKING

import joblib
import numpy as np
import torch
from sklearn.ensemble import RandomForestClassifier

from examples.teaching import workshop
from examples.teaching.digits import TRAINING, pictures
from examples.teaching.torch_networks import STUDENT, count, dense, train

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

    from examples.teaching.table import Row


def lesson(folder: Path) -> list[Row]:
    """The digits as they are, and five times as many: shifted by a pixel to each side."""
    images, labels = pictures()
    images, labels = images[:TRAINING], labels[:TRAINING]
    rows: list[Row] = []
    for name, shown, classes in (("none", images, labels), ("shifted", shifted(images), np.tile(labels, 5))):
        flat = torch.from_numpy(shown).flatten(1)
        network = dense(STUDENT)
        train(network, torch.from_numpy(classes), flat, epochs=1)
        torch.save(network.state_dict(), folder / "network.pth")
        forest = RandomForestClassifier(10, random_state=0).fit(flat.numpy(), classes)
        joblib.dump(forest, folder / f"augmented_{name}.joblib")
        rows.append(
            {
                "augmentation": name,
                "pictures": len(shown),
                "network's weights": count(network),
                "network's bytes": (folder / "network.pth").stat().st_size,
                "forest's nodes": sum(tree.tree_.node_count for tree in forest.estimators_),
                "forest's bytes": workshop.made(folder / f"augmented_{name}.joblib", "onnx", "float32").size,
            }
        )
    return rows


def shifted(images: NDArray[np.float32]) -> NDArray[np.float32]:
    """The pictures, then each moved by one pixel up, down, left and right."""
    moves = ((0, 0), (-1, 0), (1, 0), (0, -1), (0, 1))
    return np.concatenate([np.roll(images, move, axis=(1, 2)) for move in moves])


if __name__ == "__main__":
    workshop.run(lesson)
