"""Magnitude pruning: in each weight tensor, the share of the weights nearest to zero becomes zero.

Each tensor loses the same share. One threshold for the entire network keeps more accuracy if training continues
afterwards (Blalock et al. 2020, "What is the state of neural network pruning?"), but without training it can empty a
layer whose weights are small throughout, and nothing here trains.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray


def is_kernel(shape: tuple[int, ...]) -> bool:
    """Whether a tensor of this shape is a matrix or a kernel: biases, scales and other vectors are not pruned."""
    return sum(size > 1 for size in shape) > 1


def pruned(weights: NDArray[Any], share: float) -> NDArray[Any]:
    """A copy of `weights` with the `share` nearest to zero set to zero; existing zeros count towards it."""
    count = int(share * weights.size)
    values = weights.copy().reshape(-1)
    if count:
        values[np.argpartition(np.abs(values), count - 1)[:count]] = 0
    result: NDArray[Any] = values.reshape(weights.shape)
    return result


def words(share: float) -> str:
    """How much was pruned, for the route's text."""
    return f"{share:.0%} of the weights pruned by magnitude"


def prefix(share: float) -> str:
    """The same in front of the step that follows; empty where nothing was pruned."""
    return f"{words(share)}, then " if share else ""
