"""The health of boards: a small reference on each, compared with the others of its kind and with its own past."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from statistics import median

from edgecheck.core.finding import Measurement
from edgecheck.core.history import Key, Series, key_of
from edgecheck.core.metrics import LATENCY_P50, METRICS, RAM_PEAK, Metric
from edgecheck.core.rack import FEWEST, rack_of, spread
from edgecheck.core.report import CheckResult, Report

#: What is compared: the first shows a board that is slow, the other one with another system on it.
COMPARED = (LATENCY_P50, RAM_PEAK)

#: Earlier readings from which on a board is compared with its own past.
FEWEST_EARLIER = 5

_NOW = "now"


@dataclass(frozen=True, slots=True, kw_only=True)
class BoardHealth:
    """One board, today."""

    device: str
    address: str
    figures: Mapping[str, float]
    """By metric, in its base unit; empty where the reference did not run."""
    earlier: Mapping[str, tuple[float, int]]
    """By metric: the median of the earlier readings, and how many there are."""
    temperature: float | None
    """Degrees Celsius of the hottest zone, after the reference; None where the board has no zone."""
    throttled: tuple[str, ...]
    doubts: tuple[str, ...]
    """What is out of line, a clause each."""
    problem: str
    """Why the reference did not run; empty where it did."""


def health_of(report: Report, past: Sequence[Series]) -> tuple[BoardHealth, ...]:
    """Each board of a report whose checks all are the reference.

    Args:
        report: Of the reference on every board.
        past: What was measured on them before, without this report.
    """
    among_others = _among_others(report)
    known = {series.key: tuple(reading.value for reading in series.readings) for series in past}
    return tuple(
        _board(result, among_others.get(result.target, ()), _earlier(report, result, known))
        for result in report.results
    )


def undecided(report: Report) -> tuple[str, ...]:
    """A sentence for each pair of boards that differ, of which none can be named."""
    found = rack_of(report)
    return tuple(
        f"{line.spread.metric.name} differs by {line.spread.share:.0%} between the two boards of {line.device}: with "
        f"fewer than {FEWEST}, nobody can say which of them is out of line."
        for line in (found.spreads if found is not None else ())
        if line.spread.differ and line.spread.metric in COMPARED
    )


def _among_others(report: Report) -> dict[str, list[str]]:
    """By address: in what it is out of line with the other boards of its kind."""
    doubts: dict[str, list[str]] = {}
    found = rack_of(report)
    for line in found.spreads if found is not None else ():
        if line.spread.metric in COMPARED:
            for address in line.spread.out:
                words = f"{line.spread.metric.name} is {line.spread.deviation(address):+.0%} from the median of "
                doubts.setdefault(address, []).append(f"{words}{len(line.spread.values)} boards")
    return doubts


def _board(result: CheckResult, doubts: Iterable[str], own: Mapping[str, Sequence[float]]) -> BoardHealth:
    figures = {metric.name: float(found.value) for metric in COMPARED if (found := _figure(result, metric))}
    after = result.run.after if result.run is not None else None
    run = result.run
    return BoardHealth(
        device=result.profile.id,
        address=result.target,
        figures=figures,
        earlier={name: (median(each), len(each)) for name, each in own.items()},
        temperature=max((degrees for _, degrees in after.temperatures), default=None) if after is not None else None,
        throttled=after.throttled if after is not None else (),
        doubts=(*doubts, *(words for name, each in own.items() for words in _against_past(name, figures[name], each))),
        problem=result.problem or (run.broken if run is not None else "") or ("" if figures else _why(result)),
    )


def _figure(result: CheckResult, metric: Metric) -> Measurement | None:
    found = (result.findings or {}).get(metric.name)
    return found if isinstance(found, Measurement) and found.value == found.value else None


def _why(result: CheckResult) -> str:
    found = (result.findings or {}).get(COMPARED[0].name)
    return str(getattr(found, "reason", "")) or "it returned no figure"


def _earlier(report: Report, result: CheckResult, known: Mapping[Key, Sequence[float]]) -> dict[str, Sequence[float]]:
    """The earlier readings of each metric: of the same runtime on the same board."""
    found = [figure for metric in COMPARED if (figure := _figure(result, metric)) is not None]
    keys = {figure.metric.name: key_of(report, result, figure) for figure in found}
    return {name: known[key] for name, key in keys.items() if key in known}


def _against_past(name: str, value: float, earlier: Sequence[float]) -> Iterable[str]:
    if len(earlier) < FEWEST_EARLIER:
        return
    found = spread(METRICS[name], {**{str(at): each for at, each in enumerate(earlier)}, _NOW: value})
    if _NOW in found.out:
        middle = median(earlier)
        yield f"{name} is {(value - middle) / middle:+.0%} from its own median of {len(earlier)} earlier readings"
