"""The table at the end of each lesson, as Markdown."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

Row = dict[str, object]
"""Column name -> text or number."""


def markdown(rows: Sequence[Row]) -> str:
    """The rows under their column names; numbers are aligned right, with thousands separators."""
    columns = list(rows[0])
    right = [isinstance(rows[0][column], (int, float)) for column in columns]
    lines = [
        "| " + " | ".join(columns) + " |",
        "|" + "|".join(" ---: " if each else " --- " for each in right) + "|",
    ]
    lines += ["| " + " | ".join(_text(row[column]) for column in columns) + " |" for row in rows]
    return "\n".join(lines) + "\n"


def _text(value: object) -> str:
    if isinstance(value, float):
        return f"{value:.4f}"
    return f"{value:,}" if isinstance(value, int) else str(value)
