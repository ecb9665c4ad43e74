"""The matrix of variants and devices for a terminal: as wide as the window allows, turned or in parts where it must."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import zip_longest

from rich.cells import cell_len
from rich.console import Group, RenderableType
from rich.text import Text

from edgecheck.core.report import CheckResult
from edgecheck.core.text import middle_cut
from edgecheck.reports.layout import Column, Grid
from edgecheck.reports.matrix import Matrix, cell, rank

#: Columns between two cells, as in every grid.
_GAP = 2

#: The narrowest a heading is wrapped to, in characters.
_LEAST = 10


@dataclass(frozen=True, slots=True)
class _Table:
    """A matrix, or the same turned on its side."""

    corner: str
    rows: tuple[str, ...]
    columns: tuple[str, ...]
    cells: dict[tuple[str, str], CheckResult]


def matrix_text(matrix: Matrix, width: int, looks: dict[str, str]) -> RenderableType:
    """The matrix within `width` columns.

    Devices are columns as long as they fit, else rows, the best first; if the variants do not fit as columns either,
    the table is printed in several parts.

    Args:
        matrix: What to show.
        width: Columns of the terminal, at least 40.
        looks: The style of each status, by its name.
    """
    upright = _Table("variant", matrix.rows, matrix.columns, dict(matrix.cells))
    table = upright if _width(upright, upright.columns, width) <= width else _turned(upright)
    shown: list[RenderableType] = []
    for columns in _split(table, width):
        shown += [_grid(table, columns, width, looks), Text()]
    return Group(*shown[:-1])


def _turned(table: _Table) -> _Table:
    """With a device per row: the best first, as in a ranking."""
    cells = {(column, row): result for (row, column), result in table.cells.items()}
    worst = {device: min(rank(result) for (of, _), result in cells.items() if of == device) for device in table.columns}
    ordered = sorted(table.columns, key=lambda device: worst[device], reverse=True)
    return _Table("device", tuple(ordered), table.rows, cells)


def _split(table: _Table, width: int) -> list[tuple[str, ...]]:
    """The columns in as few groups as fit into the width, each with at least one."""
    groups: list[tuple[str, ...]] = [()]
    for column in table.columns:
        if groups[-1] and _width(table, (*groups[-1], column), width) > width:
            groups.append(())
        groups[-1] = (*groups[-1], column)
    return groups


def _label_width(table: _Table, width: int) -> int:
    """Of the first column: half of the terminal at most."""
    return min(max(cell_len(label) for label in (table.corner, *table.rows)), width // 2)


def _cell_width(table: _Table, column: str) -> int:
    cells = [cell(table.cells[row, column]) for row in table.rows if (row, column) in table.cells]
    return max([_LEAST, *map(len, cells)])


def _width(table: _Table, columns: Sequence[str], width: int) -> int:
    return _label_width(table, width) + sum(_GAP + _cell_width(table, column) for column in columns)


def _grid(table: _Table, columns: Sequence[str], width: int, looks: dict[str, str]) -> Grid:
    heads = [_wrapped(column, _cell_width(table, column)) for column in columns]
    first = _label_width(table, width)
    lines = list(zip_longest(*heads, fillvalue=""))
    head = [
        [Text(table.corner if at == 0 else "", style="dim"), *(Text(text, style="bold") for text in line)]
        for at, line in enumerate(lines)
    ]
    body = [
        [
            Text(row if cell_len(row) <= first else middle_cut(row, first)),
            *(_cell(table, row, each, looks) for each in columns),
        ]
        for row in table.rows
    ]
    return Grid(tuple(Column(wraps=False) for _ in range(len(columns) + 1)), [*head, *body])


def _cell(table: _Table, row: str, column: str, looks: dict[str, str]) -> Text:
    result = table.cells.get((row, column))
    return Text("-", style="dim") if result is None else Text(cell(result), style=looks[result.status.value])


def _wrapped(name: str, width: int) -> list[str]:
    """A name over several lines, broken after dashes, spaces and dots where it has any."""
    lines = [""]
    for piece in re.findall(r"[^-. ]*[-. ]?", name):
        if lines[-1] and cell_len(lines[-1] + piece.rstrip()) > width:
            lines.append("")
        lines[-1] += piece
        while cell_len(lines[-1].rstrip()) > width:
            lines[-1:] = [lines[-1][:width], lines[-1][width:]]
    return [line.rstrip() for line in lines]
