"""Results over time as CSV (RFC 4180): a line for each reading, in base units."""

from __future__ import annotations

import csv
import io

from edgecheck.core.creep import Trend
from edgecheck.core.history import Key
from edgecheck.core.metrics import METRICS
from edgecheck.reports import cells

#: The columns, in this order; `unit` is the base unit of `value` and `limit`.
COLUMNS = ("at", "commit", "branch", *Key._fields, "value", "unit", "limit", "status")


def render(trends: tuple[Trend, ...]) -> str:
    """The header, then the readings of each series in order of time; what is not known is an empty cell."""
    text = io.StringIO()
    writer = csv.writer(text)
    writer.writerow(COLUMNS)
    for trend in trends:
        key = trend.series.key
        unit = unit_of(key.metric)
        for one in trend.series.readings:
            texts = map(cells.plain, (one.at, one.commit, one.branch, *key))
            writer.writerow([*texts, cells.figure(one.value), unit, cells.figure(one.limit), one.status])
    return text.getvalue()


def unit_of(metric: str) -> str:
    """The base unit of a metric; empty if this version does not know it."""
    known = METRICS.get(metric)
    return known.unit.value if known is not None else ""
