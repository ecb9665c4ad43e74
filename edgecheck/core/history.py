"""Results over time: readings of one metric, the steps of an exact one, and the changes of a measured one."""

from __future__ import annotations

import hashlib
import itertools
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from statistics import median
from typing import TYPE_CHECKING, NamedTuple

from edgecheck.core.finding import Measurement
from edgecheck.core.metrics import METRICS, Direction, Family, Metric, Provenance
from edgecheck.core.report import CheckResult, Report, named_from_root
from edgecheck.core.units import Unit
from edgecheck.core.verdict import Verdict

if TYPE_CHECKING:
    import numpy as np


class Key(NamedTuple):
    """What two results must have in common to be readings of one thing."""

    lineage: str
    """The budget's file from the root of the repository; for a model without one, the model's file name."""
    variant: str
    device: str
    runtime: str
    """Name and version, and the accelerator; empty for figures of files, which no runtime changes."""
    where: str
    """What was measured by a clock: the target, and for this machine its name; empty for other figures."""
    metric: str
    provenance: str


class Reading(NamedTuple):
    """One figure. A million of them fit into memory: this is a tuple, and its texts are shared."""

    at: str
    """ISO 8601, UTC."""
    commit: str
    """Empty where it is not known."""
    branch: str
    value: float
    """In the metric's base unit."""
    limit: float | None
    status: str
    """Of the limit; empty without one."""
    run: str
    """Names the check in its report: a report that is added twice counts once."""


@dataclass(frozen=True, slots=True)
class Series:
    """The readings of one key, in order of time."""

    key: Key
    readings: tuple[Reading, ...]

    def show(self, value: float) -> str:
        """A person's text for a value; of a metric that this version does not know, the number."""
        metric = METRICS.get(self.key.metric)
        return metric.show(value) if metric is not None else f"{value:.4g}"


@dataclass(frozen=True, slots=True)
class Moment:
    """The readings of one commit, as their median; a reading without a commit stands alone."""

    at: str
    """Of the first of them."""
    commit: str
    value: float
    count: int
    limit: float | None
    status: str
    """The worst among them, as reports order statuses."""


@dataclass(frozen=True, slots=True)
class Step:
    """Where a metric became another one."""

    at: str
    commit: str
    before: float
    after: float
    probability: float | None
    """That it is a change and not noise; None for exact metrics, whose every step is real."""


def readings_of(report: Report, commit: str, branch: str) -> Iterator[tuple[Key, Reading]]:
    """Every figure of a report."""
    for result in report.results:
        limits = {verdict.metric.name: verdict for verdict in result.verdicts}
        run = run_of(report, result)
        for name, found in (result.findings or {}).items():
            if isinstance(found, Measurement) and found.value == found.value:
                verdict = limits.get(name)
                yield (
                    key_of(report, result, found),
                    Reading(
                        at=report.started,
                        commit=commit,
                        branch=branch,
                        value=float(found.value),
                        limit=_bound(verdict),
                        status="" if verdict is None else verdict.status.value,
                        run=run,
                    ),
                )


def key_of(report: Report, result: CheckResult, found: Measurement) -> Key:
    """The key of a finding."""
    of_files = found.provenance is Provenance.STATIC or found.metric.family is Family.LIKENESS
    ran = result.run is not None and not of_files
    runtime = str(result.run.runtime or "") if ran and result.run is not None else ""
    if result.budget.accelerator is not None and result.run is not None and found.provenance is not Provenance.STATIC:
        runtime = f"{runtime} on {result.budget.accelerator}".strip()
    where = ""
    if ran and found.provenance is Provenance.MEASURED:
        where = result.target if "://" in result.target else f"{result.target} on {report.host}"
    return Key(
        lineage=named_from_root(result.budget.path, report.folder) or result.budget.model.path.name,
        variant=str(result.variant),
        device=result.profile.id,
        runtime=runtime,
        where=where,
        metric=found.metric.name,
        provenance=found.provenance.value,
    )


def _bound(verdict: Verdict | None) -> float | None:
    if verdict is None:
        return None
    return verdict.limit.error if verdict.limit.error is not None else verdict.limit.warn


def run_of(report: Report, result: CheckResult) -> str:
    """A name for a check in its report, which no other report has."""
    parts = (
        *(report.started, report.host, result.budget.path, str(result.budget.model.path), str(result.variant)),
        *(result.profile.id, result.target, repr(result.seconds)),
    )
    return hashlib.sha256("\0".join(parts).encode("utf-8", "surrogateescape")).hexdigest()[:16]


def series_of(pairs: Iterable[tuple[Key, Reading]]) -> list[Series]:
    """The series of all readings, by key, each in order of time; a reading that is there twice counts once."""
    found: dict[Key, dict[str, Reading]] = {}
    for key, reading in pairs:
        found.setdefault(key, {})[reading.run] = reading
    return [
        Series(key, tuple(sorted(each.values(), key=lambda reading: reading.at))) for key, each in sorted(found.items())
    ]


def moments(series: Series) -> list[Moment]:
    """The readings by commit, in order of the first of each."""
    groups: dict[str, list[Reading]] = {}
    for at, reading in enumerate(series.readings):
        groups.setdefault(reading.commit or f"\0{at}", []).append(reading)
    return [
        Moment(
            at=group[0].at,
            commit=group[0].commit,
            value=median(reading.value for reading in group),
            count=len(group),
            limit=group[-1].limit,
            status=max((reading.status for reading in group), key=STATUSES.index),
        )
        for group in groups.values()
    ]


#: Of a limit, the best first; the first where there is none.
STATUSES = ("", "pass", "warn", "unknown", "fail")

#: Share by which an exact figure may differ without a change: files are exact to the byte; instructions repeat within
#: 0.1 %, and memory of an emulated machine to a few pages, which are 1 % (tools/gate.py).
_SAME = {Unit.COUNT: 0.001, Unit.BYTES: 0.01}

#: Moments in which changes of measured metrics are looked for: the last ones. The work grows with the square.
MOST_MOMENTS = 200


def is_exact(key: Key) -> bool:
    """Whether every difference is a real one: figures of files, and what an emulated machine counts."""
    return key.provenance in (Provenance.STATIC.value, Provenance.EMULATED.value)


def steps(series: Series, every: Sequence[Moment]) -> list[Step]:
    """Where the metric changed: each step of an exact one, the change points of a measured one."""
    return _exact_steps(series, every) if is_exact(series.key) else _measured_steps(every)


def _exact_steps(series: Series, every: Sequence[Moment]) -> list[Step]:
    metric = METRICS.get(series.key.metric)
    is_file = series.key.provenance == Provenance.STATIC.value or metric is None
    same = 0.0 if is_file or metric is None else _SAME.get(metric.unit, 0.0)
    found: list[Step] = []
    level = every[0].value if every else 0.0
    for moment in every[1:]:
        if abs(moment.value - level) > same * abs(level):
            found.append(Step(moment.at, moment.commit, level, moment.value, None))
            level = moment.value
    return found


def _measured_steps(every: Sequence[Moment]) -> list[Step]:
    last = every[-MOST_MOMENTS:]
    values = [moment.value for moment in last]
    points = change_points(values)
    places = [0, *(point.at for point in points), len(values)]
    levels = [median(values[start:end]) for start, end in itertools.pairwise(places)]
    return [
        Step(last[point.at].at, last[point.at].commit, levels[number], levels[number + 1], point.probability)
        for number, point in enumerate(points)
    ]


def is_worse(metric: Metric | None, before: float, after: float) -> bool:
    """Whether a change goes towards the limit."""
    at_least = metric is not None and metric.direction is Direction.AT_LEAST
    return after < before if at_least else after > before


def shown_change(before: float, after: float) -> str:
    """The change in percent: `+5.0%`; empty from zero."""
    return f"{(after - before) / abs(before):+.1%}" if before else ""


#: Values on each side of a change, at least: of fewer no permutation test can be sure.
LEAST = 4

#: Permutations per test, and the probability up to which a split may be noise.
PERMUTATIONS = 199
LEVEL = 0.01


@dataclass(frozen=True, slots=True)
class ChangePoint:
    """The first value of a new level."""

    at: int
    """Its index."""
    probability: float
    """One minus the p-value of the permutation test; 0.995 is the highest that its permutations can show."""


def change_points(values: Sequence[float], *, seed: int = 1) -> list[ChangePoint]:
    """The change points in order, by e-divisive.

    Matteson and James, A Nonparametric Approach for Multiple Change Point Analysis of Multivariate Data, Journal of the
    American Statistical Association 109 (2014) 334, with the exponent 1; used on medians of benchmark results by Daly
    and others, The Use of Change Point Detection to Identify Software Performance Regressions in a Continuous
    Integration System, ICPE 2020. Each part is split where the energy statistic is largest, if a permutation test calls
    that significant, and both halves are searched in turn. The work grows with the square of the length.

    Args:
        values: In order of time.
        seed: Of the permutations: the same series has the same change points.
    """
    if len(values) < 2 * LEAST or min(values) == max(values):
        return []
    import numpy as np

    series = np.asarray(values, dtype=float)
    random = np.random.default_rng(seed)
    found: list[ChangePoint] = []
    waiting = [(0, len(series))]
    while waiting:
        start, end = waiting.pop()
        if end - start < 2 * LEAST:
            continue
        distances = np.abs(series[start:end, None] - series[None, start:end])
        at, seen = _best_split(distances)
        if not seen > 0:
            continue
        probability = _significance(distances, seen, random)
        if probability >= 1 - LEVEL:
            found.append(ChangePoint(start + at, probability))
            waiting += [(start, start + at), (start + at, end)]
    return sorted(found, key=lambda point: point.at)


def _best_split(distances: np.ndarray) -> tuple[int, float]:
    """The split with the largest energy statistic, Q of equation 5, and its value; `distances` is n by n."""
    import numpy as np

    count = len(distances)
    sums = distances.cumsum(axis=0).cumsum(axis=1)
    first = np.arange(LEAST, count - LEAST + 1)
    rest = count - first
    within_first = sums[first - 1, first - 1]
    across = sums[first - 1, count - 1] - within_first
    within_rest = sums[-1, -1] - within_first - 2 * across
    # The sums count each pair within a part twice, as the mean over ordered pairs does.
    energy = 2 * across / (first * rest) - within_first / (first * (first - 1)) - within_rest / (rest * (rest - 1))
    weighted = first * rest / count * energy
    best = int(weighted.argmax())
    return int(first[best]), float(weighted[best])


def _significance(distances: np.ndarray, seen: float, random: np.random.Generator) -> float:
    """One minus the share of orders, the seen one among them, that have as large a statistic."""
    count = len(distances)
    as_large = 0
    for _ in range(PERMUTATIONS):
        order = random.permutation(count)
        as_large += _best_split(distances[order[:, None], order])[1] >= seen
    return 1 - (1 + as_large) / (1 + PERMUTATIONS)
