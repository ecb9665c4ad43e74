"""Samples are like a tuple of floats."""

from __future__ import annotations

from edgecheck.core.samples import Samples

VALUES = (0.25, 1.5, 3.0)


def test_they_read_like_a_tuple() -> None:
    samples = Samples(VALUES)
    assert (len(samples), samples[1], samples[-1], tuple(samples)) == (3, 1.5, 3.0, VALUES)
    assert samples[1:] == Samples(VALUES[1:])
    assert 1.5 in samples
    assert not Samples()


def test_they_equal_any_sequence_of_the_same_numbers() -> None:
    samples = Samples(VALUES)
    assert samples == VALUES
    assert list(VALUES) == samples
    assert samples != (0.25, 1.5)
    assert samples != "0.25"
    assert {samples, VALUES} == {VALUES}
