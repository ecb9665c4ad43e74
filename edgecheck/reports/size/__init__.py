"""Reports of `edgecheck size`: what it found, as one value, and the table of formats."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING

from edgecheck.anatomy.advice import Advice
from edgecheck.anatomy.comparing import Comparison
from edgecheck.anatomy.duplicates import Repeated
from edgecheck.anatomy.edgetpu import Placement
from edgecheck.anatomy.tables import By, Row
from edgecheck.anatomy.values import Anatomy
from edgecheck.reports import Style, rendered

if TYPE_CHECKING:
    from edgecheck.anatomy.measuring import Measured


@dataclass(frozen=True, slots=True)
class View:
    """How the bytes are grouped, and how many rows are shown."""

    by: By
    depth: int
    """For `By.PREFIX`: how many components of a path make a group."""
    top: int
    """Rows before the rest is summed up; 0 for all."""


@dataclass(frozen=True, slots=True)
class Growth:
    """The change from an older model."""

    old: Anatomy
    comparison: Comparison


@dataclass(frozen=True, slots=True, kw_only=True)
class SizeReport:
    """The anatomy of one model, and what follows from it."""

    anatomy: Anatomy
    view: View
    rows: tuple[Row, ...]
    """All rows of the view; they sum to the size of the model."""
    advice: tuple[Advice, ...]
    drivers: tuple[str, ...]
    copies: tuple[Repeated, ...]
    version: str
    """Of edgecheck."""
    measured: Mapping[int, Measured] | None = None
    """Index into the tensors -> what their contents are like; None where they were not read."""
    zeros: Mapping[str, float] | None = None
    """Name of a row -> the share of its numbers that are zero, where known."""
    growth: Growth | None = None
    edge_tpu: Placement | None = None
    """Where its operators run; None where it was not compiled for an Edge TPU."""


#: Format name -> module with `render(report: SizeReport) -> str`; the terminal's takes a `Style` too.
FORMATS: Mapping[str, str] = MappingProxyType(
    {
        "terminal": "edgecheck.reports.size.terminal",
        "json": "edgecheck.reports.size.json_report",
        "markdown": "edgecheck.reports.size.markdown",
        "html": "edgecheck.reports.size.html_report",
    }
)


def render_size(name: str, report: SizeReport, style: Style | None = None) -> str:
    """The report in the format called `name`.

    Raises:
        KeyError: the format is unknown.
    """
    return rendered(FORMATS, name, report, style)
