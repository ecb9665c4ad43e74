"""What a report says about a rack: what each board did, which are left out, and how far boards lie apart."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from statistics import median

from edgecheck.core.finding import Measurement
from edgecheck.core.metrics import METRICS, Provenance
from edgecheck.core.report import CheckResult, Report
from edgecheck.core.spread import OF_THE_BOARD, Spread, spread
from edgecheck.core.verdict import Status


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
