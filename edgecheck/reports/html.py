"""The report as one HTML file for the person who has to fix it: no script, no network, every name escaped.

Its table is filtered by style sheets alone.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from edgecheck.core.metrics import METRICS, SIZE
from edgecheck.core.rack import rack_of
from edgecheck.core.report import CheckResult, Report
from edgecheck.core.run import ClockRange, DeviceState
from edgecheck.core.verdict import Status, Verdict
from edgecheck.reports import pages, plots, rack, tile_map, wording
from edgecheck.reports.conditions import phone_facts
from edgecheck.reports.matrix import SIGNS, cell, matrix
from edgecheck.reports.plots import Plot
from edgecheck.reports.tile_map import TileMap
from edgecheck.reports.wording import WORST_FIRST, clean

#: A bar is full at this share of its bound.
_FULL = 1.5

#: Checks with drawings; more would be too much for a phone. Every check has its table.
MOST_DRAWN = 60


@dataclass(frozen=True, slots=True, kw_only=True)
class _Line:
    """The row of a limit."""

    classes: str
    """By which filters and highlights find it."""
    status: Status
    ignored: bool
    metric: str
    found: str
    bound: str
    margin: str
    origin: str
    source: str
    reason: str
    share: float | None
    """The part of the bar that is filled, from 0 to 1; None without a figure."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Check:
    """The section of a check."""

    classes: str
    """By which filters find it."""
    anchor: str
    status: Status
    title: str
    details: str
    problem: str
    lines: tuple[_Line, ...]
    notes: tuple[str, ...]
    ways_out: tuple[str, ...]
    caveats: tuple[tuple[str, str], ...]
    device: tuple[tuple[str, str, str], ...]
    plots: tuple[Plot, ...]
    bytes: TileMap | None
    bytes_at: str
    """The anchor of the earlier check that draws the bytes of the same file; empty if there is none."""


def render(report: Report) -> str:
    """The report as one HTML page."""
    worst = sorted(range(len(report.results)), key=lambda at: WORST_FIRST.index(report.results[at].status))
    drawn = set(worst[:MOST_DRAWN])
    mapped = _mapped(report.results, drawn)
    filters, keys = Filters.of(report.results), Names("k")
    look = _Look(filters, keys)
    checks = [_check(result, at, mapped, look, drawn=at in drawn) for at, result in enumerate(report.results)]
    return pages.template("report.html").render(
        status=report.status,
        mark=SIGNS,
        matrix=_matrix(report),
        rack=_rack(report),
        filters=filters,
        keys=keys,
        sentence=wording.sentence(report),
        next_step=wording.next_step(report),
        checks=checks,
        against=[
            (check, at, line)
            for check in checks
            for at, line in enumerate(check.lines, start=1)
            if line.status is not Status.PASS
        ],
        undrawn=len(report.results) - len(drawn),
        foot=clean(f"edgecheck {report.version} on {report.host}, {report.started}, {report.seconds:,.1f} s"),
        look=f"{pages.text('report.css')}{pages.text('checks.css')}{filters.rules()}\n{_highlights(look, checks)}\n",
        bound_at=1 / _FULL,
        canvas=plots,
        tiles=tile_map,
    )


def _mapped(results: Sequence[CheckResult], drawn: Collection[int]) -> dict[str, int]:
    """SHA-256 of an artifact -> the first check with drawings, which draws its bytes for all checks of it."""
    first: dict[str, int] = {}
    for at, result in enumerate(results):
        if at in drawn and result.tiles is not None and result.artifact is not None:
            first.setdefault(result.artifact.sha256, at)
    return first


@dataclass(frozen=True, slots=True)
class _Look:
    """The class names of the page."""

    filters: Filters
    keys: Names


def _highlights(look: _Look, checks: Sequence[_Check]) -> str:
    """The style sheet of the data points in the drawings: they get their class names before the page is made."""
    for check in checks:
        for plot in check.plots:
            for mark in (*plot.upright, *plot.level):
                if mark.key:
                    look.keys.of(mark.key)
    return _highlight_rules(look.keys)


@dataclass(frozen=True, slots=True)
class _Cell:
    """A check in the matrix; without an anchor there is none at this place."""

    words: str
    status: str = ""
    anchor: str = ""


def _matrix(report: Report) -> tuple[tuple[str, ...], list[tuple[str, list[_Cell]]]] | None:
    """Devices, and for each variant its name and its cells; None where there is nothing to compare."""
    table = matrix(report)
    if table is None:
        return None
    numbers = {id(result): number for number, result in enumerate(report.results, start=1)}

    def of(row: str, column: str) -> _Cell:
        result = table.cells.get((row, column))
        if result is None:
            return _Cell("")
        return _Cell(cell(result), result.status.value, f"check-{numbers[id(result)]}")

    return table.columns, [(row, [of(row, column) for column in table.columns]) for row in table.rows]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Rack:
    """The section on the boards of devices that have several."""

    remarks: list[str]
    boards: list[tuple[str, ...]]
    spreads: list[tuple[str, ...]]
    over_boards: tuple[str, ...] = rack.BOARDS
    over_spreads: tuple[str, ...] = rack.SPREADS


def _rack(report: Report) -> _Rack | None:
    found = rack_of(report)
    if found is None:
        return None
    return _Rack(remarks=rack.remarks(found), boards=rack.board_rows(found), spreads=rack.spread_rows(found))


def _check(result: CheckResult, number: int, mapped: Mapping[str, int], look: _Look, *, drawn: bool) -> _Check:
    first = mapped.get(result.artifact.sha256) if result.artifact is not None and result.tiles is not None else None
    notes = [f"auto: {words}" for words in wording.not_chosen(result)]
    notes += [f"{name}: {words}" for name, words in wording.intervals(result)]
    if figures := wording.not_limited(result):
        notes.append(f"not limited: {figures}")
    if result.artifact is not None:
        notes += result.artifact.notes
    return _Check(
        classes=f"is-{result.status.value} {look.filters.classes(result)}{' drawn' if drawn else ''}",
        anchor=f"check-{number + 1}",
        status=result.status,
        title=wording.title(result),
        details=wording.details(result),
        problem=wording.problem(result),
        lines=tuple(_line(verdict, look, result) for verdict in result.verdicts),
        notes=tuple(map(clean, notes)),
        ways_out=tuple(map(clean, _ways_out(result))),
        caveats=tuple((clean(one.code), clean(f"{one.message} {one.advice}".strip())) for one in result.caveats),
        device=_device(result),
        plots=plots.plots(result) if drawn else (),
        bytes=tile_map.tile_map(result.tiles) if result.tiles is not None and first == number else None,
        bytes_at=f"check-{first + 1}" if first is not None and first != number else "",
    )


def _ways_out(result: CheckResult) -> list[str]:
    lines = []
    for found in result.ways_out:
        show = METRICS.get(found.metrics[0], SIZE).show
        of = " and ".join(found.metrics)
        lines += [f"{part.name} takes {show(part.size)} of the {of}: {part.words}".rstrip(": ") for part in found.parts]
        lines += [f"{show(part.size)} less with {part.name}: {part.words}".rstrip(": ") for part in found.savings]
        lines += found.notes
    return lines


def _line(verdict: Verdict, look: _Look, result: CheckResult) -> _Line:
    found, bound = wording.found_and_bound(verdict)
    share = None
    if verdict.found is not None and verdict.bound > 0 and verdict.found >= 0:
        share = min(verdict.found / verdict.bound, _FULL) / _FULL
    metric = clean(verdict.metric.name)
    device = look.filters.devices.of(clean(result.profile.id))
    return _Line(
        classes=f"row is-{verdict.status.value} {device} {look.filters.metrics.of(metric)} {look.keys.of(metric)}",
        status=verdict.status,
        ignored=verdict.ignored,
        metric=metric,
        found=found,
        bound=bound,
        margin=wording.margin(verdict),
        origin=wording.origin(verdict),
        source=wording.source(verdict),
        reason=wording.reason(verdict),
        share=share,
    )


def _device(result: CheckResult) -> tuple[tuple[str, str, str], ...]:
    """Name, value before and value after of what the target reported about itself."""
    if result.run is None:
        return ()
    before, after = (dict(_device_rows(state)) for state in (result.run.before, result.run.after))
    return tuple((name, clean(value), clean(after.get(name, ""))) for name, value in before.items())


def _phone(state: DeviceState) -> str:
    if state.phone is None:
        return ""
    names = (f"Android {state.phone.android}" if state.phone.android else "Android", state.phone.soc)
    return ", ".join(fact for fact in (*names, *phone_facts(state.phone)) if fact)


def _clock(clock: ClockRange) -> str:
    held = "held at" if clock.held else f"{clock.least / 1e6:,.0f} to {clock.most / 1e6:,.0f} MHz, now"
    now = clock.most if clock.now is None else clock.now
    return f"{clock.name} {held} {now / 1e6:,.0f} MHz"


def _device_rows(state: DeviceState) -> list[tuple[str, str]]:
    """Name and value of what is known of the device."""
    clocks = sorted({round(clock / 1e6) for clock in state.clocks if clock})
    mib = [f"{value / 2**20:,.0f} MiB" if value else "" for value in (state.ram_total, state.ram_available)]
    swap = "" if state.swap_used is None else f"{state.swap_used / 2**20:,.0f} MiB"
    pairs = [
        ("board", state.model),
        ("system", " ".join(part for part in (state.system, state.machine, state.kernel) if part)),
        ("processor", ", ".join(dict.fromkeys(state.cpu_names or state.cpu_parts))),
        ("governor", ", ".join(dict.fromkeys(state.governors))),
        ("clock", ", ".join(f"{clock:,} MHz" for clock in clocks)),
        ("temperature", ", ".join(f"{zone} {degrees:.0f} °C" for zone, degrees in state.temperatures)),
        ("throttled", ", ".join(state.throttled)),
        ("power mode", " ".join(state.power_mode.split())),
        ("clocks", ", ".join(map(_clock, state.jetson.clocks)) if state.jetson else ""),
        ("rails", ", ".join(f"{rail} {watts:.2f} W" for rail, watts in state.jetson.rails) if state.jetson else ""),
        ("page size", f"{state.page_size // 2**10} KiB" if state.page_size else ""),
        ("phone", _phone(state)),
        ("RAM", mib[0]),
        ("RAM available", mib[1]),
        ("swap in use", swap),
        ("load average", "" if state.load_average is None else f"{state.load_average:.2f}"),
    ]
    return [(name, value) for name, value in pairs if value]


#: What is the same in all elements that a filter can hide: a check, and a row of a table about one limit or one check.
_HIDDEN = "{ display: none; }"

#: The controls. Rules about the entire page instead would be looked at for each element that the browser reads.
_FILTERS = ".filters"


@dataclass(frozen=True, slots=True)
class Names:
    """Class names for texts from outside, which could not be class names themselves: `d0`, `d1`, …."""

    letter: str
    known: dict[str, str] = field(default_factory=dict)

    def of(self, text: str) -> str:
        """The class of a text, the same each time."""
        return self.known.setdefault(text, f"{self.letter}{len(self.known)}")


@dataclass(frozen=True, slots=True)
class Filters:
    """The devices and metrics that a reader can choose, with their classes."""

    devices: Names
    metrics: Names

    @classmethod
    def of(cls, results: Iterable[CheckResult]) -> Filters:
        """Those of a report, in its order."""
        found = cls(Names("d"), Names("m"))
        for result in results:
            found.devices.of(clean(result.profile.id))
            for verdict in result.verdicts:
                found.metrics.of(clean(verdict.metric.name))
        return found

    def classes(self, result: CheckResult) -> str:
        """The classes of a check: its device and its metrics."""
        metrics = dict.fromkeys(self.metrics.of(clean(verdict.metric.name)) for verdict in result.verdicts)
        return " ".join([self.devices.of(clean(result.profile.id)), *metrics])

    @property
    def statuses(self) -> Sequence[str]:
        """In the order of the filter."""
        return [status.value for status in WORST_FIRST]

    def rules(self) -> str:
        """The style sheet: what is not chosen is not displayed."""
        lines = [
            f"{_FILTERS}:has(#show-{one}:not(:checked)) ~ section :is(.check, .row).is-{one} {_HIDDEN}"
            for one in self.statuses
        ]
        for control, names in (("device", self.devices), ("metric", self.metrics)):
            lines += [
                f'{_FILTERS}:has(#{control} option[value="{name}"]:checked) ~ section :is(.check, .row):not(.{name}) '
                f"{_HIDDEN}"
                for name in names.known.values()
            ]
        return "\n".join(lines)


def _highlight_rules(keys: Names) -> str:
    """The style sheet that marks a data point wherever its check shows it, while a pointer or the focus is on it."""
    return "\n".join(
        f".drawn:has(.{name}:is(:hover, :focus-within)) .{name} "
        "{ background: var(--raised); font-weight: 700; stroke-width: 4; }"
        for name in keys.known.values()
    )
