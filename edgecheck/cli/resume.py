"""`--resume`: what an interrupted invocation had done is taken over, where nothing that decides it has changed."""

from __future__ import annotations

import fcntl
import hashlib
import os
import sys
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

import click

from edgecheck import __version__
from edgecheck.cli.results import GROWING, PLACE
from edgecheck.converters import model_files
from edgecheck.core.caveats import Caveat
from edgecheck.core.device import Capacity
from edgecheck.errors import EdgecheckError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from edgecheck.checks.check import Check
    from edgecheck.checks.invocation import Invocation
    from edgecheck.core.report import CheckResult, Report

_RUNTIMES = frozenset({"onnxruntime", "ai_edge_litert", "tflite_runtime", "tensorflow", "numpy", "psutil"})

#: The caveat of a result that was measured by an earlier invocation.
TAKEN_OVER = "taken-over"


def fingerprint(check: Check, beside: Iterable[str]) -> str:
    """A name for everything that decides a check's result, but for the device itself and its mood.

    Args:
        check: All that it holds counts, and what is in the files that it names.
        beside: What else counts: the machine, and the earlier results that it is compared with.

    Raises:
        OSError: a file cannot be read.
        EdgecheckError: a file that belongs to the model is not there.
    """
    digest = hashlib.sha256()
    budget = check.budget
    digest.update(repr([__version__, _lasting(check), *beside]).encode("utf-8", "surrogateescape"))
    files = [*model_files.files_of(Path(budget.model.path), check.source)]
    files += [Path(path) for path in (budget.samples, budget.path) if path]
    for file in files:
        digest.update(content(file).encode())
    if budget.model.factory:
        from edgecheck.converters.safety import factories

        digest.update(factories.sha256(budget.model.factory, Path(budget.path).parent).encode())
    return digest.hexdigest()


def _lasting(check: Check) -> Check:
    """Without what other devices ask for, and without what changes on this machine from one minute to the next."""
    check = replace(check, budget=replace(check.budget, devices=()))
    if not check.profile.is_this_machine:
        return check
    machine, unknown = check.profile, Capacity(0, 0)
    return replace(
        check,
        profile=replace(machine, ram=unknown, storage=unknown, cpu=replace(machine.cpu, clock=0.0), limits=()),
        limits=tuple(limit for limit in check.limits if limit not in machine.limits),
    )


def here() -> tuple[str, ...]:
    """What a result depends on beside the check: the machine, its kernel and Python, the packages that run models."""
    return *os.uname(), sys.version, *_installed_runtimes()


def _installed_runtimes() -> list[str]:
    """By their folders' names: `importlib.metadata` would take longer than all else that is done before a check."""
    found = set()
    for folder in dict.fromkeys(sys.path):
        with suppress(OSError):
            found |= {entry.name for entry in Path(folder).iterdir() if entry.suffix == ".dist-info"}
    return sorted(name for name in found if name.partition("-")[0].lower() in _RUNTIMES)


def content(file: Path) -> str:
    """The hash of a file, once for each of its states."""
    status = file.stat()
    return _content(file, status.st_mtime_ns, status.st_size)


@cache
def _content(file: Path, _changed: int, _size: int) -> str:
    return model_files.sha256(file)


@dataclass(frozen=True, slots=True)
class Interrupted:
    """What invocations that did not come to their end had done."""

    results: Mapping[str, CheckResult]
    """By fingerprint."""
    files: tuple[Path, ...]
    """Where they stand, the last one first."""

    def clear(self) -> None:
        """Everything is done now: what it was taken from is not needed any more."""
        for file in self.files:
            with suppress(OSError):
                file.unlink()


def resumable(begun: Invocation, folder: Path, *, resuming: bool) -> tuple[Invocation, Interrupted]:
    """`begun` with its fingerprints and, where that is asked, with what was done already, which is told on stderr.

    Args:
        begun: The checks, and what they are compared with.
        folder: The folder that edgecheck is called in.
        resuming: Whether to look for what was done.
    """
    reports = (begun.baseline.report, begun.baseline.merge_base) if begun.baseline is not None else ()
    beside = (*here(), *(_which(report) for report in reports))
    names = tuple(_fingerprint(check, beside) for check in begun.checks)
    checks = tuple(replace(check, fingerprint=name) for check, name in zip(begun.checks, names, strict=True))
    if not resuming:
        return replace(begun, checks=checks), Interrupted({}, ())
    before = interrupted(folder, names)
    click.echo(f"edgecheck: {_told(before, sum(name in before.results for name in names), len(names))}", err=True)
    return replace(begun, checks=checks, done=before.results), before


def _which(report: Report | None) -> str:
    return repr((report.host, report.started, report.seconds, len(report.results))) if report is not None else ""


def _fingerprint(check: Check, beside: Iterable[str]) -> str:
    """The same; empty where a file is not there or cannot be read, which the check itself will tell of."""
    try:
        return fingerprint(check, beside)
    except (OSError, EdgecheckError):
        return ""


def _told(before: Interrupted, count: int, of: int) -> str:
    if not count:
        return "there is nothing to resume: no check was interrupted here that had the same inputs."
    name = before.files[0].relative_to(before.files[0].parents[2])
    return f"{count:,} of {of:,} checks are taken over, the last from {name}."


def interrupted(folder: Path, wanted: Iterable[str]) -> Interrupted:
    """The results of interrupted invocations that answer checks that are `wanted`; the latest of each.

    A check that could not be done is done again. Files that cannot be read, or that somebody is writing, are left.

    Args:
        folder: The folder that edgecheck is called in.
        wanted: Fingerprints.
    """
    from edgecheck.reports.reading import read_report

    asked = frozenset(wanted) - {""}
    found: dict[str, CheckResult] = {}
    files = []
    for file in sorted((folder / PLACE).glob(f"*{GROWING}"), reverse=True):
        try:
            report = read_report(_unlocked(file), str(file))
        except (OSError, ValueError, EdgecheckError):
            continue
        new = {
            result.fingerprint: _marked(result, report)
            for result in report.results
            if result.fingerprint in asked - found.keys() and _is_whole(result)
        }
        if new:
            found |= new
            files.append(file)
    return Interrupted(found, tuple(files))


def _unlocked(file: Path) -> str:
    """Its text.

    Raises:
        OSError: it grows still.
    """
    with file.open(encoding="utf-8") as stream:
        fcntl.flock(stream, fcntl.LOCK_SH | fcntl.LOCK_NB)
        return stream.read()


def _is_whole(result: CheckResult) -> bool:
    return not result.problem and not (result.run is not None and result.run.broken)


def _marked(result: CheckResult, report: Report) -> CheckResult:
    """With a caveat that tells from when it is; that of the first of several interruptions stays."""
    if any(caveat.code == TAKEN_OVER for caveat in result.caveats):
        return result
    told = Caveat(TAKEN_OVER, f"This is the result of the check that began at {report.started} and was interrupted.")
    return replace(result, caveats=(*result.caveats, told))
