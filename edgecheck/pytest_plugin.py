"""The pytest plugin: a fixture with which a test asserts that a model fits a device.

Importing it costs nothing; what a check needs is imported by the first check.
"""

from __future__ import annotations

import shutil
import warnings
from typing import TYPE_CHECKING, Any, Protocol

import pytest

if TYPE_CHECKING:
    import os

    from edgecheck.core.report import Report

#: The ini option, and the values that it and the argument of the fixture take.
ON_UNKNOWN = "edgecheck_on_unknown"
CHOICES = ("fail", "skip", "warn", "ignore")


#: Columns of a report in a failure, at least: a narrower one does not show where a limit is written.
_COLUMNS = 100


class BudgetWarning(UserWarning):
    """A figure is beyond the level at which its budget warns, but within the one at which it fails."""


class EdgecheckCheck(Protocol):
    """The value of the fixture: a function."""

    def __call__(self, *paths: str | os.PathLike[str], on_unknown: str | None = None, **options: Any) -> Report:
        """Check as `edgecheck.check` does with the same arguments; returns the report if every limit holds.

        Args:
            paths: Budgets, folders of budgets or models; relative paths start at pytest's root folder.
            on_unknown: What an undecided limit does to the test: `fail` it, `skip` it, `warn`, or `ignore` that limit.
                None: the value of the ini option `edgecheck_on_unknown`, which is `fail` by default.
            options: Further arguments of `edgecheck.check`.
        """


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add one ini option, which `-o edgecheck_on_unknown=skip` sets for one run of pytest."""
    parser.addini(ON_UNKNOWN, f"what an undecided limit does to a test: {', '.join(CHOICES)}", default="fail")


@pytest.fixture(scope="session")
def edgecheck_check(pytestconfig: pytest.Config) -> EdgecheckCheck:
    """A function that fails the test if a model does not fit: ("model.tflite", limits={"ram_peak": "80 MiB"})."""

    def run(*paths: str | os.PathLike[str], on_unknown: str | None = None, **options: Any) -> Report:
        __tracebackhide__ = True
        rule = on_unknown if on_unknown is not None else str(pytestconfig.getini(ON_UNKNOWN))
        if rule not in CHOICES:
            raise pytest.UsageError(f"{ON_UNKNOWN} takes {', '.join(CHOICES)}, not {rule!r}")
        report = _checked(paths, {"root": pytestconfig.rootpath, "on_unknown": _of_limits(rule)} | options)
        _judge(report, rule)
        return report

    return run


def _of_limits(rule: str) -> str | None:
    """The rule for each limit: `fail` and `skip` are about the test, and leave a limit its own rule."""
    return rule if rule in ("warn", "ignore") else None


def _checked(paths: tuple[str | os.PathLike[str], ...], options: dict[str, Any]) -> Report:
    __tracebackhide__ = True
    import edgecheck

    try:
        return edgecheck.check(*paths, **options)
    except edgecheck.EdgecheckError as error:
        message = f"{error.message}\n{error.hint}".strip()
    pytest.fail(message, pytrace=False)


def _judge(report: Report, rule: str) -> None:
    __tracebackhide__ = True
    import edgecheck

    match report.status:
        case edgecheck.Status.PASS:
            return
        case edgecheck.Status.WARN:
            for reason in _reasons(report, edgecheck.Status.WARN):
                warnings.warn(BudgetWarning(reason), stacklevel=3)
        case edgecheck.Status.UNKNOWN if rule == "skip":
            pytest.skip("; ".join(_reasons(report, edgecheck.Status.UNKNOWN)) or "nothing was judged")
        case _:
            columns = max(_COLUMNS, shutil.get_terminal_size().columns)
            shown = edgecheck.render(report, width=columns).rstrip()
            pytest.fail(f"{_in_short(report)}\n{shown}", pytrace=False)


def _in_short(report: Report) -> str:
    """The worst limit, for pytest's summary: of a failure it shows the first line, and of that as much as fits."""
    from edgecheck.reports import wording

    pairs = [(verdict, result) for result in report.results for verdict in result.verdicts if not verdict.ignored]
    for verdict, result in wording.worst_first(pairs):
        return f"{wording.line(verdict)} ({wording.title(result)})"
    return wording.sentence(report)


def _reasons(report: Report, status: object) -> list[str]:
    """A line for each limit with that status."""
    from edgecheck.reports import wording

    return [
        f"{wording.title(result)}: {verdict.metric.name}: {wording.clean(verdict.reason)}"
        for result in report.results
        for verdict in result.verdicts
        if verdict.status is status and not verdict.ignored
    ]
