"""Will this model fit that device? A verdict, metric by metric, that a release can hang on.

The names below are the library (docs/reference/library.md). Each is imported when it is first used.
"""

from edgecheck.version import VERSION

__version__ = VERSION

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

TYPE_CHECKING = False  # the name that type checkers know; importing `typing` would double the time of `--help`
if TYPE_CHECKING:
    from edgecheck.api import check, load_budgets, load_report, render
    from edgecheck.core.report import CheckResult, Report
    from edgecheck.core.verdict import Status, Verdict
    from edgecheck.errors import EdgecheckError

#: Where the names are that are not in `edgecheck.api`.
_MODULES = {
    "CheckResult": "edgecheck.core.report",
    "EdgecheckError": "edgecheck.errors",
    "Report": "edgecheck.core.report",
    "Status": "edgecheck.core.verdict",
    "Verdict": "edgecheck.core.verdict",
}


def __getattr__(name: str) -> object:
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    return getattr(import_module(_MODULES.get(name, "edgecheck.api")), name)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
