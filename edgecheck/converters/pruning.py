"""Magnitude pruning: in each weight tensor, the share of the weights nearest to zero becomes zero.

Each tensor loses the same share. One threshold for the whole network keeps more accuracy when it is trained on
afterwards (Blalock et al. 2020, "What is the state of neural network pruning?"), but without training it can empty a
layer whose weights are small throughout, and nothing here trains.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from typing import Any

    from numpy.typing import NDArray


def is_kernel(shape: tuple[int, ...]) -> bool:
    """Whether a tensor of this shape is a matrix or a kernel: biases, scales and other vectors are left alone."""
    return sum(size > 1 for size in shape) > 1


def pruned(weights: NDArray[Any], share: float) -> NDArray[Any]:
    """A copy of `weights` with the nearest-to-zero `share` of them set to zero; zeros that were there count."""
    count = int(share * weights.size)
    values = weights.copy().reshape(-1)
    if count:
        values[np.argpartition(np.abs(values), count - 1)[:count]] = 0
    result: NDArray[Any] = values.reshape(weights.shape)
    return result
