"""`edgecheck check --watch`: checks again when a file that it depends on changes, and says what is different."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from contextlib import suppress
from pathlib import Path

import click

from edgecheck.checks.check import Check
from edgecheck.config.files import SUFFIXES, budgets_below, shown_path
from edgecheck.converters import model_files
from edgecheck.core.changes import changes
from edgecheck.core.report import Report
from edgecheck.core.text import clean, listed
from edgecheck.errors import EdgecheckError
from edgecheck.leases import releasing

#: Seconds between two looks at the files. They are read once two looks agree, so not while they are being written.
_PAUSE = 0.3

#: Names of changed files in the message.
_NAMED = 3

State = dict[Path, tuple[int, int, int]]


class Watch:
    """Runs checks, and runs them again after each change until Ctrl-C.

    Args:
        run: Does the checks and shows the report; the checks that it did are for `files_of`.
        places: What to look at while there are no checks, because of a mistake: budgets, their folders, models.
    """

    def __init__(self, run: Callable[[], tuple[Report, Iterable[Check]]], places: Iterable[Path]) -> None:
        self._run = run
        self._places = set(places)
        self._last: Report | None = None

    def forever(self) -> Report | None:
        """The last report, after Ctrl-C; None where there never was one."""
        with suppress(KeyboardInterrupt):
            while True:
                state = self._state()
                self._once()
                # A file that changed meanwhile may have been read before or after that.
                state |= {path: stamp for path, stamp in self._state().items() if path not in state}
                click.echo(
                    f"edgecheck: watching {len(state):,} file{'s' if len(state) != 1 else ''}; Ctrl-C ends it.",
                    err=True,
                )
                click.echo(f"edgecheck: changed: {self._changed(state)}", err=True)
        return self._last

    def _once(self) -> None:
        try:
            with releasing():  # nothing is held while files are watched
                report, checks = self._run()
        except EdgecheckError as error:
            click.echo(_clean_lines(f"edgecheck: {error.message}\n{error.hint}".rstrip()), err=True)
            return
        self._places |= files_of(checks)
        if self._last is not None:
            lines = changes(self._last, report) or ["nothing that is exact has changed, and no status"]
            click.echo("\nSince the last time:")
            click.echo("\n".join(f"  {clean(line)}" for line in lines))
        self._last = report

    def _state(self) -> State:
        return stamps(self._places)

    def _changed(self, before: State) -> str:
        """Wait for a change and until the files are at rest; returns their names."""
        while True:
            time.sleep(_PAUSE)
            now = self._state()
            if now != before:
                break
        while True:
            time.sleep(_PAUSE)
            again = self._state()
            if again == now:
                break
            now = again
        differ = sorted(path for path in before.keys() | now.keys() if before.get(path) != now.get(path))
        return clean(listed([shown_path(path) for path in differ], _NAMED))


def files_of(checks: Iterable[Check]) -> set[Path]:
    """Every file that the checks depend on: budgets, models with what belongs to them, samples, profiles."""
    found: set[Path] = set()
    for check in checks:
        budget = check.budget
        model = Path(budget.model.path)
        found.add(model)
        with suppress(EdgecheckError, OSError):
            found.update(map(Path, model_files.files_of(model, check.source)))
        found.update(Path(path) for path in (budget.path, budget.samples, check.profile.path) if path)
    return found


def stamps(places: Iterable[Path]) -> State:
    """Inode, size and time of each file, of each budget in a folder, and of all files of a model that is a folder.

    A file that is gone has none. Reports that are written next to budgets are not looked at.
    """
    found: State = {}
    for place in places:
        with suppress(OSError):
            for path in _inside(place) if place.is_dir() else (place,):
                stat = path.stat()
                found[path] = (stat.st_ino, stat.st_size, stat.st_mtime_ns)
    return found


def _inside(folder: Path) -> list[Path]:
    only_budgets = budgets_below(folder)
    return [
        path
        for path in folder.rglob("*")
        if path.is_file() and (path.suffix in SUFFIXES or not only_budgets) and not _is_hidden(path.relative_to(folder))
    ]


def _is_hidden(path: Path) -> bool:
    return any(part.startswith(".") for part in path.parts)


def _clean_lines(text: str) -> str:
    """Text of several lines that cannot steer the terminal."""
    return "\n".join(map(clean, text.split("\n")))
