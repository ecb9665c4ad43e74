"""What a report says about a rack: what each board did, which are left out, and how far boards lie apart."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from statistics import median

from edgecheck.core.finding import Measurement
from edgecheck.core.metrics import METRICS, Family, Metric, Provenance
from edgecheck.core.report import CheckResult, Report
from edgecheck.core.units import Unit
from edgecheck.core.verdict import Status

# A board is out of line where its figure differs from the median by more than 3.5 times the scaled median absolute
# deviation (the modified z-score of Iglewicz and Hoaglin, "How to Detect and Handle Outliers", 1993), and by more than
# what boards in order differ. The deviation is scaled to a standard deviation by 1.4826, and corrected for few boards
# by the factors of Croux and Rousseeuw ("Time-efficient algorithms for two highly robust estimators of scale", 1992).
# Of two boards that differ, nobody can say which is the one to look at.

#: Boards from which on one of them can be named.
FEWEST = 3

#: Scaled deviations beyond which a board is out of line.
_CUTOFF = 3.5

#: A normal distribution's standard deviation, in median absolute deviations.
_SCALE = 1.4826

#: By the number of boards, up to nine.
_CORRECTIONS = (1.0, 1.0, 1.196, 1.495, 1.363, 1.206, 1.200, 1.140, 1.129, 1.107)

#: Shares of the median by which boards in order differ at most: times move with the temperature and with what else a
#: system does, memory by pages and libraries.
_TIMES, _OTHERS = 0.10, 0.05


@dataclass(frozen=True, slots=True, kw_only=True)
class Spread:
    """One metric of the same work on several boards."""

    metric: Metric
    values: Mapping[str, float]
    """By address, in the metric's base unit."""
    middle: float
    """Their median."""
    out: tuple[str, ...]
    """The addresses out of line, the farthest first; none where there are fewer than `FEWEST` boards."""
    differ: bool
    """Whether two boards differ by more than boards in order do, and nobody can say which is out of line."""

    @property
    def share(self) -> float:
        """The difference between the highest and the lowest, as a share of the median; 0 where that is 0."""
        return (max(self.values.values()) - min(self.values.values())) / abs(self.middle) if self.middle else 0.0

    def deviation(self, address: str) -> float:
        """How far a board is from the median, as a share of it; 0 where that is 0."""
        return (self.values[address] - self.middle) / abs(self.middle) if self.middle else 0.0


def spread(metric: Metric, values: Mapping[str, float]) -> Spread:
    """The spread of `values`, one for each board.

    Raises:
        ValueError: there is none.
    """
    if not values:
        raise ValueError("no board has a figure")
    middle = median(values.values())
    distances = {address: abs(value - middle) for address, value in values.items()}
    least = (_TIMES if metric.unit is Unit.SECONDS else _OTHERS) * abs(middle)
    if len(values) < FEWEST:
        return Spread(metric=metric, values=values, middle=middle, out=(), differ=_difference(values) > least)
    correction = _CORRECTIONS[len(values)] if len(values) < len(_CORRECTIONS) else len(values) / (len(values) - 0.8)
    scaled = _SCALE * correction * median(distances.values())
    bound = max(_CUTOFF * scaled, least)
    out = sorted((address for address in values if distances[address] > bound), key=lambda each: -distances[each])
    return Spread(metric=metric, values=values, middle=middle, out=tuple(out), differ=False)


def _difference(values: Mapping[str, float]) -> float:
    return max(values.values()) - min(values.values())


#: Families whose figures say something about the board; what is read from files is the same on each.
OF_THE_BOARD = (Family.LATENCY, Family.LOAD, Family.MEMORY)


@dataclass(frozen=True, slots=True, kw_only=True)
class BoardLine:
    """One board, in one report."""

    device: str
    address: str
    checks: int
    """Those that it measured."""
    against: int
    """How many of them do not pass."""
    seconds: float
    """How long they took, with the conversions before them."""
    lost: str
    """Why it got no more checks; empty: it did."""


@dataclass(frozen=True, slots=True)
class SpreadLine:
    """One metric of the same check on several boards."""

    device: str
    what: str
    """Model and variant."""
    spread: Spread


@dataclass(frozen=True, slots=True)
class RackLines:
    """The boards of a report, by device."""

    boards: tuple[BoardLine, ...]
    spreads: tuple[SpreadLine, ...]
    """Of checks that several boards measured, in the order of the report."""


def rack_of(report: Report) -> RackLines | None:
    """The boards of a report; None where no device has several."""
    if not report.boards:
        return None
    return RackLines(tuple(_boards(report)), tuple(_spreads(report)))


def _boards(report: Report) -> Iterator[BoardLine]:
    by_board: dict[tuple[str, str], list[CheckResult]] = {}
    lost: dict[str, str] = {}
    for result in report.results:
        if result.run is not None:
            by_board.setdefault((result.profile.id, result.target), []).append(result)
        for one in result.lost_boards:
            lost.setdefault(one.address, one.reason)
    for device, addresses in report.boards.items():
        for address in addresses:
            results = by_board.get((device, address), [])
            yield BoardLine(
                device=device,
                address=address,
                checks=len(results),
                against=sum(result.status is not Status.PASS for result in results),
                seconds=sum(result.seconds for result in results),
                lost=lost.get(address, ""),
            )


def _spreads(report: Report) -> Iterator[SpreadLine]:
    same: dict[tuple[str, ...], dict[str, dict[str, list[float]]]] = {}
    for result in report.results:
        if result.run is None or result.artifact is None or result.profile.id not in report.boards:
            continue
        what = f"{result.budget.model.path.name} {result.variant}"
        key = (result.profile.id, what, result.artifact.sha256, str(result.run.runtime), str(result.budget.threads))
        for name, found in (result.findings or {}).items():
            if isinstance(found, Measurement) and _is_of_the_board(found):
                figures = same.setdefault(key, {}).setdefault(name, {})
                figures.setdefault(result.target, []).append(float(found.value))
    for (device, what, *_), metrics in same.items():
        for name, values in metrics.items():
            if len(values) > 1 and METRICS[name].shown_by_default:
                figures_of = {address: median(each) for address, each in values.items()}
                yield SpreadLine(device, what, spread(METRICS[name], figures_of))


def _is_of_the_board(found: Measurement) -> bool:
    is_known = found.metric.name in METRICS and found.metric.family in OF_THE_BOARD
    return is_known and found.provenance is Provenance.MEASURED and found.value == found.value
