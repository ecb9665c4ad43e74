"""Where the bytes are and what would help, as lines for a terminal."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from edgecheck.core.metrics import METRICS
from edgecheck.reports import wording

if TYPE_CHECKING:
    from collections.abc import Iterator

    from rich.console import RenderableType

    from edgecheck.core.way_out import Part, WayOut


def way_out(found: WayOut) -> Iterator[RenderableType]:
    """A heading and a line for each part, then the same for what would save bytes."""
    yield Text(f"where the bytes of {' and '.join(found.metrics)} are", style="dim")
    yield _table(found.parts, found.metrics[0])
    if found.savings:
        yield Text("what would help", style="dim")
        yield _table(found.savings, found.metrics[0])
    for note in found.notes:
        yield Text(wording.clean(note), style="dim")


def _table(parts: tuple[Part, ...], metric: str) -> RenderableType:
    """Sizes in the units of the metric that they explain."""
    table = Table.grid(padding=(0, 2))
    table.add_column(justify="right", no_wrap=True)
    table.add_column(overflow="fold", min_width=8)
    table.add_column(style="dim")
    show = METRICS[metric].show if metric in METRICS else METRICS["size"].show
    for part in parts:
        table.add_row(show(part.size), Text(wording.clean(part.name)), Text(wording.clean(part.words)))
    return Padding(table, (0, 0, 0, 2))
