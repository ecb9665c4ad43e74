"""The section of a report on a rack, for every format: a row for each board, a row for each spread, and remarks."""

from __future__ import annotations

from edgecheck.core.rack import FEWEST, BoardLine, RackLines, SpreadLine
from edgecheck.reports.wording import clean

#: Over the columns of `board_rows`.
BOARDS = ("device", "board", "checks", "not passed", "time", "state")

#: Over the columns of `spread_rows`.
SPREADS = ("device", "check", "metric", "lowest", "median", "highest", "spread", "out of line")

_MINUTE = 60


def board_rows(rack: RackLines) -> list[tuple[str, ...]]:
    """A row for each board, in the order of the lists that they are from."""
    return [
        (
            clean(one.device),
            clean(one.address),
            f"{one.checks:,}",
            f"{one.against:,}" if one.checks else "",
            _time(one.seconds) if one.checks else "",
            clean(_state(one)),
        )
        for one in rack.boards
    ]


def spread_rows(rack: RackLines) -> list[tuple[str, ...]]:
    """A row for each metric of a check that several boards measured."""
    return [
        (
            clean(one.device),
            clean(one.what),
            clean(one.spread.metric.name),
            one.spread.metric.show(min(one.spread.values.values())),
            one.spread.metric.show(one.spread.middle),
            one.spread.metric.show(max(one.spread.values.values())),
            f"{one.spread.share:.0%}",
            clean(_out(one)),
        )
        for one in rack.spreads
    ]


def remarks(rack: RackLines) -> list[str]:
    """A sentence for each board that is left out or out of line, and one where two boards differ."""
    lost = [f"{one.address} is left out. {one.lost}" for one in rack.boards if one.lost]
    return [clean(words) for words in (*lost, *(words for one in rack.spreads for words in _remarks(one)))]


def _state(one: BoardLine) -> str:
    """In a word: `remarks` has the reason."""
    return "left out" if one.lost else "" if one.checks else "had nothing to do"


def _time(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), _MINUTE)
    return f"{minutes:,} min {rest:02} s" if minutes else f"{rest} s"


def _out(one: SpreadLine) -> str:
    if len(one.spread.values) < FEWEST:
        return f"not known from {len(one.spread.values)} boards"
    return ", ".join(f"{address} {one.spread.deviation(address):+.0%}" for address in one.spread.out)


def _remarks(one: SpreadLine) -> list[str]:
    found, of = one.spread, f"{one.spread.metric.name} of {one.what} on {one.device}"
    if found.differ:
        differs = (
            f"{of} differs by {found.share:.0%} between two boards: with fewer than {FEWEST}, nobody can say which"
        )
        return [f"{differs} of them is out of line."]
    return [
        f"{address} is out of line: {of} is {found.metric.show(found.values[address])} there, "
        f"{found.deviation(address):+.0%} from the median of {len(found.values)} boards."
        for address in found.out
    ]
