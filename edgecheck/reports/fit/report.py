"""What `edgecheck fit` found, as one value, and the table of formats that it can be written in."""

from __future__ import annotations

from dataclasses import dataclass
from importlib import import_module
from types import MappingProxyType
from typing import TYPE_CHECKING, cast

from edgecheck.core.fitting import Outcome

if TYPE_CHECKING:
    from collections.abc import Mapping

    from edgecheck.core.fitting import Fit
    from edgecheck.reports import Style


@dataclass(frozen=True, slots=True)
class FitReport:
    """Which variant fits, for each model and device."""

    fits: tuple[Fit, ...]
    version: str
    """edgecheck's own."""
    host: str
    """System, machine and name of the computer it ran on."""
    started: str
    """ISO 8601, UTC."""
    seconds: float

    @property
    def exit_code(self) -> int:
        """0 something fits everywhere, 1 nothing does somewhere, 3 it is not known and nothing is certain not to."""
        outcomes = {fit.outcome for fit in self.fits}
        if Outcome.NOTHING in outcomes:
            return 1
        return 3 if Outcome.UNDECIDED in outcomes or not outcomes else 0


#: Format name -> module with `render(report: FitReport, style: Style) -> str`.
FORMATS: Mapping[str, str] = MappingProxyType(
    {
        "terminal": "edgecheck.reports.fit.terminal",
        "json": "edgecheck.reports.fit.json_report",
        "markdown": "edgecheck.reports.fit.markdown",
    }
)


def render_fit(name: str, report: FitReport, style: Style) -> str:
    """The report as the format called `name`.

    Raises:
        KeyError: there is no such format.
    """
    return cast("str", import_module(FORMATS[name]).render(report, style))
