"""Two recordings become an agreement, and what varies from input to input; pure functions of their values."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from edgecheck.converters.matching import matched
from edgecheck.converters.refusals import COMPARE_BY_HAND
from edgecheck.core.units import Unit, show
from edgecheck.errors import ConversionError

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from edgecheck.converters.recording import Recording

    _Flat = list[tuple[NDArray[Any], NDArray[Any]]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Agreement:
    """How close an artifact's outputs are to its source's."""

    agreement: float
    """The lower of the two figures that follow: what a limit judges; 0 where the artifact's outputs are unusable."""
    cosine: float
    """Cosine similarity of the worst sample and output; 0 where the artifact's outputs are unusable."""
    varying: float | None = None
    """How well what varies over the samples agrees, of the worst output; None where nothing varies. See `Variation`."""
    relative_error: float
    """Largest difference of the worst output, over its largest magnitude; infinite where outputs are unusable."""
    top1: float | None
    """Share of samples with the same top class; None where no output holds class scores."""
    samples: int
    seeded: bool
    """Whether the samples were random, which says less than real ones."""
    note: str = ""
    """What was compared, if not simply the outputs."""
    failure: str = ""
    """Why the artifact's outputs are unusable: all zero, NaN, or one constant where the source's vary."""

    @property
    def basis(self) -> str:
        """Which samples, both figures behind the agreement, and what was compared, in a clause."""
        which = "random samples, seeded" if self.seeded else "samples"
        return "; ".join(filter(None, (f"{self.samples} {which}", self.figures, self.note)))

    @property
    def figures(self) -> str:
        """Both figures behind the agreement: `worst cosine 1, of what varies 0.98`."""
        varying = (
            f", of what varies over the samples {show(self.varying, Unit.RATIO)}" if self.varying is not None else ""
        )
        return f"worst cosine {show(self.cosine, Unit.RATIO)}{varying}"


def compared(reference: Recording, found: Recording) -> Agreement:
    """How well `found` agrees with `reference`.

    The output of a softmax is compared before the softmax, if both models have one: after it, most values are near zero
    and differences vanish.

    Raises:
        ConversionError: the outputs differ in number or size, or the source's own are NaN.
    """
    places = matched(reference.names, found.names)
    if places is None:
        raise ConversionError(
            f"The artifact has {len(found.names)} outputs and its source {len(reference.names)}.", COMPARE_BY_HAND
        )
    count = min(len(reference.values), len(found.values))
    if not count or not places:
        raise ConversionError("Nothing was compared: there are no outputs, or no samples.", COMPARE_BY_HAND)
    outputs = [_output(_Pairs.of(reference, found, ends, count)) for ends in enumerate(places)]
    failure = next((each.failure for each in outputs if each.failure), "")
    tops = [each.top1 for each in outputs if each.top1 is not None]
    counted = [each for each in outputs if each.is_numeric] or outputs
    cosine = 0.0 if failure else min(each.cosine for each in counted)
    varying = None if failure else min((each.varying for each in counted if each.varying is not None), default=None)
    return Agreement(
        agreement=cosine if varying is None else min(cosine, varying),
        cosine=cosine,
        varying=varying,
        relative_error=math.inf if failure else max(each.relative_error for each in counted),
        top1=min(tops) if tops else None,
        samples=count,
        seeded=reference.seeded,
        note=_note(outputs),
        failure=failure,
    )


def _note(outputs: list[_Output]) -> str:
    notes = ["compared before the softmax"] if any(each.before_softmax for each in outputs) else []
    if all(each.is_constant for each in outputs):
        notes.append("the source answers the same for every sample, so that this says little")
    return "; ".join(notes)


class _Pairs(NamedTuple):
    """One output of both models over all samples: the source's value and the artifact's."""

    name: str
    values: list[tuple[NDArray[Any], NDArray[Any]]]
    logits: list[tuple[NDArray[Any], NDArray[Any]]]
    """The same before the softmax; empty unless both models have one."""

    @classmethod
    def of(cls, reference: Recording, found: Recording, ends: tuple[int, int], count: int) -> _Pairs:
        """The output at `ends`, its positions in the two recordings."""
        place, other = ends
        values = [(reference.values[each][place], found.values[each][other]) for each in range(count)]
        logits = [(reference.logits[each][place], found.logits[each][other]) for each in range(count)]
        shown = [(one, two) for one, two in logits if one is not None and two is not None]
        return cls(reference.names[place], values, shown if len(shown) == count else [])


class _Output(NamedTuple):
    """The agreement of one output."""

    cosine: float
    relative_error: float
    top1: float | None
    varying: float | None = None
    is_numeric: bool = True
    is_constant: bool = False
    """Whether the source returns the same for each of several samples."""
    before_softmax: bool = False
    failure: str = ""


def _output(pairs: _Pairs) -> _Output:
    if pairs.values[0][0].dtype.kind != "f":
        return _labels(pairs)
    flat = _finite(_flat(pairs.logits or pairs.values, pairs.name), pairs.name)
    varies = _worst(variation(flat), _of_each_answer(flat) if _is_vector(pairs) and not pairs.logits else [])
    failure = _failure(flat, varies, pairs.name)
    if pairs.logits and not failure:  # a device returns the softmax's output, which may be all zeros nevertheless
        ends = _finite(_flat(pairs.values, pairs.name), pairs.name)
        failure = _failure(ends, Variation(None), pairs.name)
    if failure:
        return _Output(0.0, math.inf, 0.0 if _is_vector(pairs) else None, failure=failure)
    largest = max(np.abs(one).max(initial=0.0) for one, _ in flat)
    error = max(np.abs(one - two).max(initial=0.0) for one, two in flat)
    return _Output(
        cosine=_worst_cosine(flat),
        relative_error=float(error / largest) if largest else float(error > 0),
        top1=sum(int(np.argmax(one)) == int(np.argmax(two)) for one, two in flat) / len(flat)
        if _is_vector(pairs)
        else None,
        varying=varies.agreement,
        is_constant=varies.source_is_constant,
        before_softmax=bool(pairs.logits),
    )


def _worst(whole: Variation, answers: list[Variation]) -> Variation:
    """What varies of an output, with the lowest agreement of it and of its answers."""
    found = [each.agreement for each in (whole, *answers) if each.agreement is not None]
    return whole._replace(agreement=min(found, default=None))


def _labels(pairs: _Pairs) -> _Output:
    """The agreement of integers or texts: the share of equal ones."""
    flat = _flat(pairs.values, pairs.name)
    equal = [float(np.mean(one == two)) for one, two in flat]
    single = all(one.size == 1 for one, _ in flat)
    first, answered = flat[0]
    stands = all(np.array_equal(two, answered) for _, two in flat)
    failure = ""
    if stands and sum(each < 1 for each in equal) > 1:  # a single one may lie where rounding decides
        failure = f"output {pairs.name} of the artifact is the same for every sample, and its source's is not"
    return _Output(
        min(equal),
        1.0 - min(equal),
        sum(equal) / len(equal) if single else None,
        is_numeric=False,
        is_constant=len(flat) > 1 and all(np.array_equal(one, first) for one, _ in flat),
        failure=failure if len({one.tobytes() for one, _ in flat}) > 1 else "",
    )


def _finite(flat: _Flat, name: str) -> _Flat:
    """The pairs without the values that the source makes infinite by design, as a mask of attention does.

    They are left out where the artifact has the same infinity, or a number beyond all others of the source's sample;
    any other answer stays, as NaN, and is a failure.

    Raises:
        ConversionError: the source returns NaN, or nothing but infinities.
    """
    kept: _Flat = []
    for one, two in flat:
        finite = np.isfinite(one)
        if np.isnan(one).any() or not finite.any():
            raise ConversionError(
                f"Output {name} of the source model itself is not finite.",
                "Nothing can agree with it; use other samples.",
            )
        largest = np.abs(one[finite]).max()
        same = ~finite & (two * np.sign(one) > largest)
        kept.append((one[finite], two[finite] if same[~finite].all() else np.full(finite.sum(), np.nan)))
    return kept


def _failure(flat: _Flat, varies: Variation, name: str) -> str:
    if not all(np.isfinite(two).all() for _, two in flat):
        return f"output {name} of the artifact is NaN or infinite"
    if not any(two.any() for _, two in flat) and any(one.any() for one, _ in flat):
        return f"output {name} of the artifact is zero for every sample"
    if varies.artifact_is_constant:
        return f"output {name} of the artifact is the same for every sample, and its source's is not"
    return ""


def _is_vector(pairs: _Pairs) -> bool:
    """Whether each sample's output is one row of values, which may be class scores."""
    return all(one.ndim and 1 < one.size == max(one.shape) for one, _ in pairs.values)


def _flat(pairs: list[tuple[NDArray[Any], NDArray[Any]]], name: str) -> _Flat:
    for one, two in pairs:
        if one.size != two.size:
            raise ConversionError(
                f"Output {name} has shape {list(one.shape)} in the source and {list(two.shape)} in the artifact.",
                COMPARE_BY_HAND,
            )
    kind = np.float64 if pairs[0][0].dtype.kind == "f" else None
    return [
        (one.reshape(-1).astype(kind or one.dtype), two.reshape(-1).astype(kind or two.dtype)) for one, two in pairs
    ]


def _worst_cosine(flat: _Flat) -> float:
    if all(one.size == 1 for one, _ in flat):  # a single value has no direction; those of all samples together do
        return _cosine(np.concatenate([one for one, _ in flat]), np.concatenate([two for _, two in flat]))
    return min(_cosine(one, two) for one, two in flat)


def _cosine(one: NDArray[Any], two: NDArray[Any]) -> float:
    if np.array_equal(one, two):  # rounding would make it a little less than 1, and a limit of 1 would fail
        return 1.0
    lengths = float(np.linalg.norm(one)), float(np.linalg.norm(two))
    if not all(lengths):
        return 0.0
    return float(np.clip(np.dot(one / lengths[0], two / lengths[1]), -1.0, 1.0))


# A score of 1000 ± 0.07 and the constant 1000 point in the same direction, so their cosine is 1; what differs between
# two inputs is gone nevertheless. Here both are seen from the source's mean over the samples.

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


def _of_each_answer(flat: list[tuple[NDArray[Any], NDArray[Any]]]) -> list[Variation]:
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
