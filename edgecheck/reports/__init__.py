"""Report to text: a table from a format's name to the module that renders it, imported when it is used."""

from __future__ import annotations

from dataclasses import dataclass
from importlib import import_module
from types import MappingProxyType
from typing import TYPE_CHECKING, cast

if TYPE_CHECKING:
    from collections.abc import Mapping

    from edgecheck.core.report import Report

__all__ = ["FORMATS", "Style", "render"]


@dataclass(frozen=True, slots=True)
class Style:
    """How text for a terminal is laid out; the other formats take no notice."""

    width: int = 100
    """Columns."""
    color: bool = False


#: Format name -> module with `render(report: Report, style: Style) -> str`.
FORMATS: Mapping[str, str] = MappingProxyType(
    {
        "terminal": "edgecheck.reports.terminal",
        "json": "edgecheck.reports.json_report",
        "junit": "edgecheck.reports.junit",
        "markdown": "edgecheck.reports.markdown",
        "github": "edgecheck.reports.github",
        "sarif": "edgecheck.reports.sarif",
        "html": "edgecheck.reports.html",
    }
)


def render(name: str, report: Report, style: Style) -> str:
    """The report as the format called `name`; a pure function of its arguments.

    Raises:
        KeyError: there is no such format.
    """
    return cast("str", import_module(FORMATS[name]).render(report, style))
