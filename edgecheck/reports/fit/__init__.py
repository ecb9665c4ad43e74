"""Reports of `edgecheck fit`: what it found, as one value, and the table of formats."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from edgecheck.core.fitting import Fit, Outcome
from edgecheck.reports import Style, rendered


@dataclass(frozen=True, slots=True, kw_only=True)
class FitReport:
    """Which variant fits, for each model and device."""

    fits: tuple[Fit, ...]
    version: str
    """Of edgecheck."""
    host: str
    """System, machine and name of the computer it ran on."""
    started: str
    """ISO 8601, UTC."""
    seconds: float

    @property
    def exit_code(self) -> int:
        """0: a variant fits everywhere. 1: nothing fits somewhere. 3: nothing is known not to fit, but some is open."""
        outcomes = {fit.outcome for fit in self.fits}
        if Outcome.NOTHING in outcomes:
            return 1
        return 3 if Outcome.UNDECIDED in outcomes or not outcomes else 0


#: Format name -> module with `render(report: FitReport) -> str`; the terminal's takes a `Style` too.
FORMATS: Mapping[str, str] = MappingProxyType(
    {
        "terminal": "edgecheck.reports.fit.terminal",
        "json": "edgecheck.reports.fit.json_report",
        "markdown": "edgecheck.reports.fit.markdown",
    }
)


def render_fit(name: str, report: FitReport, style: Style | None = None) -> str:
    """The report in the format called `name`.

    Raises:
        KeyError: the format is unknown.
    """
    return rendered(FORMATS, name, report, style)
