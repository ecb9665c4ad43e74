"""How much of what varies in a model's output, from one input to the next, an artifact keeps.

A score of 1000 ± 0.07 and the constant 1000 point in the same direction, so their cosine is 1; what differs between two
inputs is gone nevertheless. Here both are seen from the source's mean over the samples.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

#: Below this share of the magnitudes a source does not vary: an artifact's float32 resolves no less.
_RESOLUTION = 4 * float(np.finfo(np.float32).eps)

#: Samples over which something can vary.
_FEWEST = 2


class Variation(NamedTuple):
    """What varies over the samples, in the source and in the artifact."""

    agreement: float | None
    """1 - Σ(x - y)² / (Σ(x - m)² + Σ(y - m)²) over samples and values, with x the source's values, y the artifact's and
    m the source's means over the samples; Lin's concordance (1989) about the source's mean. From -1 to 1, and 0 for a
    constant artifact. None where the source does not vary, there is a single sample, or shapes differ by sample."""
    source_is_constant: bool = False
    """Whether the source answers the same for every sample, so that an agreement says little."""
    artifact_is_constant: bool = False
    """Whether the artifact does, though its source does not."""


#: Values up to which a vector is several answers (a temperature and a pressure) rather than one.
_MOST_ANSWERS = 16

#: A value sits on an offset where its mean is this many times its spread: a cosine with others does not see it vary.
_OFFSET = 10.0


def of_each_answer(flat: list[tuple[NDArray[Any], NDArray[Any]]]) -> list[Variation]:
    """What varies of each value that sits on an offset, in an output of a few values; empty for other outputs.

    Next to a temperature that varies by 20, a pressure of 1013 ± 0.1 is lost in the sum over both. Values within 0 and
    1 are taken for probabilities, which are one answer together: one that is always 0.999 alone says nothing.
    """
    if len(flat) < _FEWEST or len({one.size for one, _ in flat}) > 1 or not 1 < flat[0][0].size <= _MOST_ANSWERS:
        return []
    source, artifact = (np.stack(each) for each in zip(*flat, strict=True))
    if source.min() >= 0 and source.max() <= 1:
        return []
    means, spreads = source.mean(axis=0), source.std(axis=0)
    places = np.flatnonzero((spreads > 0) & (np.abs(means) >= _OFFSET * spreads))
    return [
        variation(list(zip(source[:, place : place + 1], artifact[:, place : place + 1], strict=True)))
        for place in places
    ]


def variation(flat: list[tuple[NDArray[Any], NDArray[Any]]]) -> Variation:
    """Compare what varies.

    Args:
        flat: By sample: the source's values and the artifact's, one row of finite float64 each.
    """
    if len(flat) < _FEWEST or len({one.size for one, _ in flat}) > 1 or not flat[0][0].size:
        return Variation(None)
    mean = sum(one for one, _ in flat) / len(flat)
    magnitude, varied, kept, error = 0.0, 0.0, 0.0, 0.0
    for one, two in flat:
        magnitude += float(np.dot(one, one))
        varied += float(np.sum((one - mean) ** 2))
        kept += float(np.sum((two - mean) ** 2))
        error += float(np.sum((one - two) ** 2))
    if math.sqrt(varied) <= _RESOLUTION * math.sqrt(magnitude):
        return Variation(None, source_is_constant=True)
    first = flat[0][1]
    return Variation(
        1.0 - error / (varied + kept), artifact_is_constant=all(np.array_equal(two, first) for _, two in flat)
    )
