"""Two recordings become an agreement: pure, values in and a value out."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from edgecheck.converters.matching import matched
from edgecheck.errors import ConversionError

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from edgecheck.converters.recording import Recording

    Pairs = list[tuple[NDArray[Any], NDArray[Any]]]
    """By sample: the source's values and the artifact's, flat, as float64."""


@dataclass(frozen=True, slots=True)
class Agreement:
    """How close an artifact's outputs are to its source's."""

    cosine: float
    """Cosine similarity of the worst sample and output; 0 where the artifact's outputs are unusable."""
    relative_error: float
    """Largest difference of the worst output, over its largest magnitude; infinite where outputs are unusable."""
    top1: float | None
    """Share of samples with the same top class; None where no output is one of classes."""
    samples: int
    seeded: bool
    """Whether the samples were random: real ones say more."""
    note: str = ""
    """What was compared, where that is not plainly the outputs."""
    failure: str = ""
    """Why the artifact's outputs are unusable: all zero, or NaN."""


def compared(reference: Recording, found: Recording) -> Agreement:
    """How well `found` agrees with `reference`.

    An output that a softmax makes is compared before it, where both models show that: behind it, most values are near
    zero and differences vanish.

    Raises:
        ConversionError: the outputs are not equally many, not of the same sizes, or the source's own are NaN.
    """
    places = matched(reference.names, found.names)
    if places is None:
        raise ConversionError(
            f"The artifact has {len(found.names)} outputs and its source {len(reference.names)}.",
            "Their agreement cannot be told; compare them by hand.",
        )
    count = min(len(reference.values), len(found.values))
    outputs = [_Output(reference, found, place, other, count) for place, other in enumerate(places)]
    failure = next((each.failure for each in outputs if each.failure), "")
    tops = [each.top1 for each in outputs if each.top1 is not None]
    numeric = [each for each in outputs if each.is_numeric] or outputs
    return Agreement(
        cosine=0.0 if failure else min(each.cosine for each in numeric),
        relative_error=math.inf if failure else max(each.relative_error for each in numeric),
        top1=min(tops) if tops else None,
        samples=count,
        seeded=reference.seeded,
        note="compared before the softmax" if any(each.before_softmax for each in outputs) else "",
        failure=failure,
    )


class _Output:
    """One output of both models over all samples."""

    def __init__(self, reference: Recording, found: Recording, place: int, other: int, count: int) -> None:
        name = reference.names[place]
        values = [(reference.values[each][place], found.values[each][other]) for each in range(count)]
        logits = [(reference.logits[each][place], found.logits[each][other]) for each in range(count)]
        shown = [(one, two) for one, two in logits if one is not None and two is not None]
        self.before_softmax = len(shown) == count
        self.is_numeric = values[0][0].dtype.kind == "f"
        self.failure = ""
        pairs = _flat(shown if self.before_softmax else values, name) if self.is_numeric else []
        if pairs:
            self._compare_numbers(pairs, name)
        else:
            self._compare_labels(values)
        self.top1 = _top1(values, pairs)

    def _compare_numbers(self, pairs: Pairs, name: str) -> None:
        if not all(np.isfinite(one).all() for one, _ in pairs):
            raise ConversionError(
                f"Output {name} of the source model itself is not finite.",
                "Nothing can agree with it; give other samples.",
            )
        if not all(np.isfinite(two).all() for _, two in pairs):
            self.failure = f"output {name} of the artifact is NaN or infinite"
        elif not any(two.any() for _, two in pairs) and any(one.any() for one, _ in pairs):
            self.failure = f"output {name} of the artifact is zero for every sample"
        largest = max(np.abs(one).max(initial=0.0) for one, _ in pairs)
        error = max(np.abs(one - two).max(initial=0.0) for one, two in pairs)
        self.relative_error = float(error / largest) if largest else float(error > 0)
        single = all(one.size == 1 for one, _ in pairs)  # one value has no direction, all samples' together do
        vectors = [(np.concatenate([p[0] for p in pairs]), np.concatenate([p[1] for p in pairs]))] if single else pairs
        self.cosine = min(_cosine(one, two) for one, two in vectors)

    def _compare_labels(self, values: list[tuple[NDArray[Any], NDArray[Any]]]) -> None:
        """Integers and texts agree where they are equal."""
        self.cosine = min(float(np.mean(one.reshape(-1) == two.reshape(-1))) for one, two in values)
        self.relative_error = 1.0 - self.cosine


def _flat(pairs: list[tuple[NDArray[Any], NDArray[Any]]], name: str) -> Pairs:
    for one, two in pairs:
        if one.size != two.size:
            raise ConversionError(
                f"Output {name} has shape {list(one.shape)} in the source and {list(two.shape)} in the artifact.",
                "Their agreement cannot be told; compare them by hand.",
            )
    return [(one.reshape(-1).astype(np.float64), two.reshape(-1).astype(np.float64)) for one, two in pairs]


def _cosine(one: NDArray[Any], two: NDArray[Any]) -> float:
    lengths = float(np.linalg.norm(one)), float(np.linalg.norm(two))
    if not all(lengths):
        return float(lengths[0] == lengths[1])
    return float(np.clip(np.dot(one / lengths[0], two / lengths[1]), -1.0, 1.0))


def _top1(values: list[tuple[NDArray[Any], NDArray[Any]]], pairs: Pairs) -> float | None:
    """The share of samples whose class is the same: a label, or the largest of a vector's values."""
    if not pairs:
        equal = [np.array_equal(one.reshape(-1), two.reshape(-1)) for one, two in values if one.size == 1]
        return sum(equal) / len(values) if equal else None
    if not all(one.ndim and 1 < one.size == max(one.shape) for one, _ in values):
        return None
    return sum(int(np.argmax(one)) == int(np.argmax(two)) for one, two in pairs) / len(pairs)
