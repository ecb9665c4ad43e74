"""Lines for a terminal: those that fit are put together here, at once; what has to be wrapped is left to rich."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from rich.cells import cell_len
from rich.console import Group
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from rich.console import RenderableType

#: Columns between two cells.
_GAP = 2


@dataclass(frozen=True, slots=True)
class Column:
    """How a column of a grid is laid out."""

    justify: str = "left"
    """`left` or `right`."""
    style: str = ""
    least: int | None = None
    """Columns of the terminal; where it is given, long words are folded."""
    wraps: bool = True


@dataclass(frozen=True, slots=True)
class Grid:
    """Cells in columns, without lines between them."""

    columns: tuple[Column, ...]
    rows: Sequence[Sequence[Text]]

    def __rich__(self) -> Table:
        """The same as a table of rich's."""
        table = Table.grid(padding=(0, _GAP))
        for column in self.columns:
            table.add_column(
                justify="right" if column.justify == "right" else "left",
                style=column.style,
                no_wrap=not column.wraps,
                min_width=column.least,
                overflow="ellipsis" if column.least is None else "fold",
            )
        for row in self.rows:
            table.add_row(*row)
        return table

    def lines(self, width: int) -> list[str] | None:
        """A line per row; None where they do not all fit into `width`."""
        cells = [[(cell.plain, cell_len(cell.plain)) for cell in row] for row in self.rows]
        widths = [max([column.least or 0, *(row[at][1] for row in cells)]) for at, column in enumerate(self.columns)]
        if sum(widths) + _GAP * (len(widths) - 1) > width:
            return None
        return [
            (" " * _GAP).join(
                " " * (wide - taken) + text if column.justify == "right" else text + " " * (wide - taken)
                for (text, taken), wide, column in zip(row, widths, self.columns, strict=True)
            )
            for row in cells
        ]


def indented(content: RenderableType) -> Padding:
    """`content`, two columns further in."""
    return Padding(content, (0, 0, 0, _GAP))


def plain_lines(content: RenderableType, width: int) -> Iterator[str | RenderableType]:
    """Lines without colour for what fits into `width`, and the rest as it is, in order."""
    match content:
        case Group():
            for part in content.renderables:
                yield from plain_lines(part, width)
        case Padding():
            within = list(plain_lines(content.renderable, width - content.left))
            if all(isinstance(line, str) for line in within):
                yield from (" " * content.left + str(line) for line in within)
            else:
                yield content
        case Text() if cell_len(content.plain) <= width and "\n" not in content.plain:
            yield content.plain
        case Grid() if (lines := content.lines(width)) is not None:
            yield from lines
        case _:
            yield content
