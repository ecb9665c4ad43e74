"""What `edgecheck size` found, as one value, and the table of formats that it can be written in."""

from __future__ import annotations

from dataclasses import dataclass
from importlib import import_module
from types import MappingProxyType
from typing import TYPE_CHECKING, cast

if TYPE_CHECKING:
    from collections.abc import Mapping

    from edgecheck.anatomy.advice import Advice
    from edgecheck.anatomy.comparing import Comparison
    from edgecheck.anatomy.duplicates import Repeated
    from edgecheck.anatomy.measuring import Measured
    from edgecheck.anatomy.tables import By, Row
    from edgecheck.anatomy.values import Anatomy
    from edgecheck.reports import Style


@dataclass(frozen=True, slots=True)
class View:
    """How the bytes are grouped, and how many rows a person is shown."""

    by: By
    depth: int
    """For prefixes: how many names of a path are told apart."""
    top: int
    """Rows before the rest is summed up; 0 for all."""


@dataclass(frozen=True, slots=True)
class Growth:
    """The same against an older model."""

    old: Anatomy
    comparison: Comparison


@dataclass(frozen=True, slots=True)
class SizeReport:
    """One model, looked into."""

    anatomy: Anatomy
    view: View
    rows: tuple[Row, ...]
    """All rows of the view; they sum to the size of the model."""
    advice: tuple[Advice, ...]
    drivers: tuple[str, ...]
    copies: tuple[Repeated, ...]
    version: str
    """edgecheck's own."""
    measured: Mapping[int, Measured] | None = None
    """By index into the tensors: what their contents are like; None where they were not read."""
    zeros: Mapping[str, float] | None = None
    """By name of a row: the share of its numbers that are zero, where it is known."""
    growth: Growth | None = None


#: Format name -> module with `render(report: SizeReport, style: Style) -> str`.
FORMATS: Mapping[str, str] = MappingProxyType(
    {
        "terminal": "edgecheck.reports.size.terminal",
        "json": "edgecheck.reports.size.json_report",
        "markdown": "edgecheck.reports.size.markdown",
        "html": "edgecheck.reports.size.html_report",
    }
)


def render_size(name: str, report: SizeReport, style: Style) -> str:
    """The report as the format called `name`.

    Raises:
        KeyError: there is no such format.
        UsageError: the format needs a package that is not installed.
    """
    return cast("str", import_module(FORMATS[name]).render(report, style))
