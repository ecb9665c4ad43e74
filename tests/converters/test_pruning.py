"""Pruning sets exactly the requested share to zero, the smallest magnitudes first."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgecheck.converters.pruning import is_kernel, pruned


@given(st.integers(1, 400), st.sampled_from([0.0, 0.1, 0.5, 0.9, 1.0]), st.integers(0, 5))
def test_pruning_zeroes_the_share_and_keeps_the_largest(size: int, share: float, seed: int) -> None:
    weights = np.random.default_rng(seed).normal(size=(size, 3)).astype(np.float32)
    left = pruned(weights, share)
    assert left.shape == weights.shape
    assert int((left == 0).sum()) == int(share * weights.size)
    assert np.array_equal(left[left != 0], weights[left != 0])
    if (left == 0).any() and (left != 0).any():
        assert np.abs(weights[left == 0]).max() <= np.abs(left[left != 0]).min()


def test_existing_zeros_count_towards_the_share() -> None:
    weights = np.array([0, 0, 0, 1, 2, 3], dtype=np.float32)
    assert pruned(weights, 0.5).tolist() == [0, 0, 0, 1, 2, 3]


@pytest.mark.parametrize(
    ("shape", "kernel"), [((3, 3, 1, 8), True), ((64,), False), ((1, 64, 1, 1), False), ((), False)]
)
def test_vectors_are_not_kernels(shape: tuple[int, ...], kernel: bool) -> None:  # noqa: FBT001 - a table's column
    assert is_kernel(shape) is kernel
