"""The library: what `edgecheck check` does, as functions and values."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

from edgecheck.core.report import CheckResult, Report
from edgecheck.core.verdict import Status, Verdict
from edgecheck.errors import EdgecheckError, UsageError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from edgecheck.core.budget import Budget

    AnyPath = str | os.PathLike[str]

__all__ = [
    "CheckResult",
    "EdgecheckError",
    "Report",
    "Status",
    "Verdict",
    "check",
    "load_budgets",
    "load_report",
    "render",
]

_ON_UNKNOWN = ("fail", "warn", "ignore")


def _silent(_words: str) -> None:
    pass


def check(  # noqa: PLR0913 - each is an option of the command
    *paths: AnyPath,
    limits: Mapping[str, str | float] | None = None,
    devices: str | Sequence[str] = (),
    targets: str | Sequence[str] = (),
    variants: str | Sequence[str] = (),
    samples: AnyPath | None = None,
    profiles: AnyPath | Sequence[AnyPath] = (),
    baseline: AnyPath | None = None,
    merge_base: AnyPath | None = None,
    on_unknown: str | None = None,
    machines: int = 1,
    trust: bool = False,
    root: AnyPath | None = None,
    tell: Callable[[str], None] = _silent,
) -> Report:
    """Convert, run, measure and judge, as `edgecheck check` does; nothing is printed or written.

    Args:
        paths: Budgets, folders of budgets, or models; none: what the project names.
        limits: For models: metric to bound, with its unit (`{"ram_peak": "80 MiB"}`); counts and shares are numbers.
        devices: Only these.
        targets: `ADDRESS` or `DEVICE=ADDRESS`, where to run.
        variants: What to make of models given without a budget; `auto`: the first that fits, the least lossy first.
        samples: Real inputs for models given without a budget.
        profiles: Folders to look for device profiles in first.
        baseline: A file of earlier results (JSON) that nothing may grow from.
        merge_base: A file of the results of the commit that the change began at.
        on_unknown: What an undecided limit counts as: `fail`, `warn` or `ignore`; None: what its budget says.
        machines: Emulated machines at once.
        trust: Whether model files and factories may run code of their own.
        root: The project's folder, where relative paths and `edgecheck.yaml` are; None: the working directory.
        tell: Called with what is going on, a few words each time; from other threads too.

    Raises:
        EdgecheckError: a budget, profile, model or argument is wrong. What went wrong in one check is in its result.
    """
    from edgecheck.checks.invocation import InvocationRequest, plan_invocation
    from edgecheck.checks.plan import Selection
    from edgecheck.config import load_project

    _ensure_known(on_unknown, _several(variants))
    home = Path.cwd() if root is None else Path(root)
    selection = Selection(
        paths=tuple(home / path for path in paths),
        devices=_several(devices),
        limits=tuple(f"{name}={bound}" for name, bound in (limits or {}).items()),
        profiles=tuple(home / folder for folder in _several(profiles)),
        on_unknown=on_unknown,
        trust=trust,
        variants=_several(variants),
        samples=_in(home, samples),
    )
    request = InvocationRequest(
        selection=selection,
        targets=_several(targets),
        baseline=_in(home, baseline),
        merge_base=_in(home, merge_base),
        machines=machines,
    )
    planned = plan_invocation(request, load_project(home))
    report = planned.empty
    for grown in planned.reports(tell):
        report = grown
    return report


def load_budgets(*paths: AnyPath, profiles: AnyPath | Sequence[AnyPath] = ()) -> tuple[Budget, ...]:
    """The budgets in files and folders, with every default filled in; nothing is run.

    Raises:
        EdgecheckError: with every problem of every file.
    """
    from edgecheck.config import Profiles, load_project
    from edgecheck.config import load_budgets as load

    folders = tuple(Path(folder) for folder in _several(profiles))
    known = Profiles((*folders, *load_project(Path.cwd()).profiles))
    return load([Path(path) for path in paths], profiles=known)


def load_report(path: AnyPath) -> Report:
    """The report that `--format json` wrote.

    Raises:
        EdgecheckError: it cannot be read, or is no report of this version.
    """
    from edgecheck.checks.report_files import load

    return load(Path(path))


def render(report: Report, name: str = "terminal", *, width: int = 100, color: bool = False) -> str:
    """The report in a format of `--format`: `terminal`, `json`, `junit`, `markdown`, `github`, `sarif` or `html`.

    Args:
        report: What to tell.
        name: The format.
        width: Columns of a terminal.
        color: Whether the terminal has colours.

    Raises:
        EdgecheckError: there is no such format.
    """
    from edgecheck.reports import FORMATS, Style
    from edgecheck.reports import render as rendered

    if name not in FORMATS:
        raise UsageError(f"Unknown format {name!r}.", f"Choose from {', '.join(FORMATS)}.")
    return rendered(name, report, Style(width, color=color))


def _ensure_known(on_unknown: str | None, variants: tuple[str, ...]) -> None:
    from edgecheck.checks.plan import AUTO
    from edgecheck.converters.interface import AS_IS, VARIANTS

    if on_unknown is not None and on_unknown not in _ON_UNKNOWN:
        raise UsageError(f"on_unknown is {on_unknown!r}.", f"It takes {', '.join(_ON_UNKNOWN)} or None.")
    known = (AS_IS, *VARIANTS, AUTO)
    if unknown := [name for name in variants if name not in known]:
        raise UsageError(f"Unknown variant {unknown[0]!r}.", f"Choose from {', '.join(known)}.")


def _in(home: Path, path: AnyPath | None) -> Path | None:
    return None if path is None else home / path


def _several(given: Any) -> tuple[Any, ...]:
    """One as a tuple of one: a string is no sequence of letters here."""
    return (given,) if isinstance(given, (str, os.PathLike)) else tuple(given)
