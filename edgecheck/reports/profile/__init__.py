"""The profile of a model's operators as text: a table from a format's name to the module that renders it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from edgecheck.core.operator_changes import OperatorChanges
from edgecheck.core.operator_groups import By
from edgecheck.core.operators import OperatorProfile
from edgecheck.reports import Style, rendered

__all__ = ["FORMATS", "ProfileReport", "render_profile"]

#: Format name -> module with `render(report: ProfileReport) -> str`; the terminal's takes a `Style` too.
FORMATS: Mapping[str, str] = MappingProxyType(
    {
        "terminal": "edgecheck.reports.profile.terminal",
        "json": "edgecheck.reports.profile.json_report",
        "markdown": "edgecheck.reports.profile.markdown",
        "html": "edgecheck.reports.profile.html_report",
        "trace": "edgecheck.reports.profile.trace",
    }
)


@dataclass(frozen=True, slots=True, kw_only=True)
class ProfileReport:
    """A profile, how to show it, and what it is compared with."""

    model: str
    """The file's name."""
    variant: str
    device: str
    """The name of the device profile."""
    target: str
    """The address it ran on."""
    threads: int
    profile: OperatorProfile
    by: By
    top: int
    """Rows before the rest is summed; 0 shows all."""
    version: str
    old: str = ""
    """The name of the model that it is compared with."""
    changes: OperatorChanges | None = None


def render_profile(name: str, report: ProfileReport, style: Style | None = None) -> str:
    """The report in the format called `name`.

    Raises:
        KeyError: the format is unknown.
    """
    return rendered(FORMATS, name, report, style)
