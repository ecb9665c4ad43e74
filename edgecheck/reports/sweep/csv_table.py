"""A sweep as CSV (RFC 4180), in base units: bytes and seconds."""

from __future__ import annotations

import csv
import io

from edgecheck.core.sweep import Sweep
from edgecheck.reports.sweep import columns

#: A spreadsheet takes a cell that begins with one of these for a formula.
_FORMULAS = ("=", "+", "-", "@", "\t", "\r")


def render(sweep: Sweep) -> str:
    """A line for each model; a figure that is not known is an empty cell."""
    shown = columns(sweep)
    text = io.StringIO()
    writer = csv.writer(text)
    units = [f"{each.name}_{each.unit}" if each.unit else each.name for each in shown]
    writer.writerow([_plain(sweep.factor), "model", *units])
    for point in sweep.points:
        figures = [each.read(point) for each in shown]
        number = point.number is not None
        writer.writerow([point.value if number else _plain(point.value), _plain(point.model), *map(_figure, figures)])
    return text.getvalue()


def _figure(value: float | None) -> str:
    return "" if value is None else repr(value) if value != int(value) else str(int(value))


def _plain(word: str) -> str:
    return f"'{word}" if word.startswith(_FORMULAS) else word
