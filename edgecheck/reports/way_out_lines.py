"""Where the bytes are and what would help, as lines for a terminal."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.text import Text

from edgecheck.core.metrics import METRICS
from edgecheck.reports import wording
from edgecheck.reports.layout import Column, Grid, indented

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


_COLUMNS = (Column("right", wraps=False), Column(least=8), Column(style="dim"))


def _table(parts: tuple[Part, ...], metric: str) -> RenderableType:
    """Sizes in the units of the metric that they explain."""
    show = METRICS[metric].show if metric in METRICS else METRICS["size"].show
    return indented(
        Grid(
            _COLUMNS,
            [
                (Text(show(part.size)), Text(wording.clean(part.name)), Text(wording.clean(part.words)))
                for part in parts
            ],
        )
    )
