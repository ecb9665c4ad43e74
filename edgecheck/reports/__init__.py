"""Report to text: a table from a format's name to the module that renders it, imported when it is used."""

from __future__ import annotations

import gc
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from importlib import import_module
from types import MappingProxyType
from typing import cast

from edgecheck.core.report import Report

__all__ = ["FORMATS", "Style", "render", "rendered"]


@dataclass(frozen=True, slots=True)
class Style:
    """How text for a terminal is laid out."""

    width: int = 100
    """Columns."""
    color: bool = False
    verbose: bool = False
    """Every check in full, also those that pass."""
    quiet: bool = False
    """Only checks that do not pass, and the answer."""
    ranked: bool = False
    """A line for each check, sorted by margin: which of many devices a model fits."""


#: Format name -> module with `render(report: Report) -> str`; the terminal's takes a `Style` too.
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


def render(name: str, report: Report, style: Style | None = None) -> str:
    """The report in the format called `name`; a pure function of its arguments.

    Args:
        name: A key of `FORMATS`.
        report: What to render.
        style: For the terminal; every other format ignores it.

    Raises:
        KeyError: the format is unknown.
    """
    return rendered(FORMATS, name, report, style)


def rendered(formats: Mapping[str, str], name: str, report: object, style: Style | None = None) -> str:
    """The report by the module that `formats` names; the reports of `size` and `fit` have other formats.

    Raises:
        KeyError: the format is unknown.
    """
    module = import_module(formats[name])
    with _no_collector():
        return cast("str", module.render(report, style or Style()) if name == "terminal" else module.render(report))


@contextmanager
def _no_collector() -> Iterator[None]:
    """Without the garbage collector, which would walk over the values of 2,000 checks again and again, to free none."""
    if not gc.isenabled():
        yield
        return
    gc.disable()
    try:
        yield
    finally:
        gc.enable()
