"""The report of `edgecheck devices health` for a terminal."""

from __future__ import annotations

from collections.abc import Sequence

from edgecheck.core.health import COMPARED, BoardHealth
from edgecheck.reports.wording import clean

_HEADING = ("", "device", "board", *(metric.name for metric in COMPARED), "earlier", "temperature", "")


def health_text(boards: Sequence[BoardHealth], remarks: Sequence[str]) -> str:
    """A line for each board, what is out of line below it, and a sentence about all."""
    rows = [_row(one) for one in boards]
    widths = [max(len(row[at]) for row in (_HEADING, *rows)) for at in range(len(_HEADING))]
    lines = [_line(_HEADING, widths)]
    for one, row in zip(boards, rows, strict=True):
        lines.append(_line(row, widths))
        words = [*one.doubts, *([one.problem] if one.problem else [])]
        lines += [f"   {clean(each)}" for each in words]
    return "\n".join([*lines, "", *map(clean, remarks), _sentence(boards)]) + "\n"


def _line(cells: Sequence[str], widths: Sequence[int]) -> str:
    return "  ".join(cell.ljust(width) for cell, width in zip(cells, widths, strict=True)).rstrip()


def _row(one: BoardHealth) -> tuple[str, ...]:
    sign = "?" if one.problem else "✘" if one.doubts else "✔"
    figures = [metric.show(one.figures[metric.name]) if metric.name in one.figures else "-" for metric in COMPARED]
    first = COMPARED[0]
    earlier = one.earlier.get(first.name)
    return (
        sign,
        clean(one.device),
        clean(one.address),
        *figures,
        f"{first.show(earlier[0])} ({earlier[1]})" if earlier is not None else "-",
        f"{one.temperature:.0f} °C" if one.temperature is not None else "-",
        clean(", ".join(one.throttled)),
    )


def _sentence(boards: Sequence[BoardHealth]) -> str:
    out, without = sum(bool(one.doubts) for one in boards), sum(bool(one.problem) for one in boards)
    every = f"{len(boards)} board{'s' if len(boards) != 1 else ''}"
    parts = [f"{count} {words}" for count, words in ((out, "out of line"), (without, "could not be measured")) if count]
    return f"Of {every}, {', '.join(parts)}." if parts else f"{every[0].upper()}{every[1:]} in line."
