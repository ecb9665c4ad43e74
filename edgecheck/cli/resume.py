"""`--resume`: reuses the results of an interrupted check, where nothing that decides them has changed."""

from __future__ import annotations

import fcntl
import hashlib
import os
import sys
from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path

import click

from edgecheck import __version__
from edgecheck.checks.check import Check
from edgecheck.checks.invocation import Invocation
from edgecheck.cli.results import GROWING, PLACE
from edgecheck.converters import model_files
from edgecheck.core.caveats import Caveat
from edgecheck.core.device import Capacity
from edgecheck.core.report import CheckResult, Report
from edgecheck.errors import EdgecheckError

#: The caveat of a result that an earlier invocation measured.
TAKEN_OVER = "taken-over"

#: Packages whose versions decide a result on this machine.
_RUNTIMES = frozenset({"onnxruntime", "ai_edge_litert", "tflite_runtime", "tensorflow", "numpy", "psutil"})


@dataclass(frozen=True, slots=True)
class Interrupted:
    """The results of interrupted invocations."""

    #: By fingerprint.
    results: Mapping[str, CheckResult]
    #: The files that they are from, the latest first.
    files: tuple[Path, ...]

    def clear(self) -> None:
        """Delete the files: their results are in a complete report now."""
        for file in self.files:
            with suppress(OSError):
                file.unlink()


def resumable(planned: Invocation, folder: Path, *, resuming: bool) -> tuple[Invocation, Interrupted]:
    """`planned` with fingerprints and, if `resuming`, with the results that can be reused; stderr says how many.

    Args:
        planned: The checks, and what they are compared with.
        folder: The folder that edgecheck is called in.
        resuming: Whether to look for results.
    """
    reports = (planned.baseline.report, planned.baseline.merge_base) if planned.baseline is not None else ()
    surroundings = (*_this_environment(), *(_identity(report) for report in reports))
    names = tuple(_fingerprint_or_nothing(check, surroundings) for check in planned.checks)
    checks = tuple(replace(check, fingerprint=name) for check, name in zip(planned.checks, names, strict=True))
    if not resuming:
        return replace(planned, checks=checks), Interrupted({}, ())
    found = interrupted(folder, names)
    count = sum(name in found.results for name in names)
    if count:
        latest = found.files[0].relative_to(folder)
        message = f"reusing the results of {count:,} of {len(names):,} checks, the latest from {latest}."
    else:
        message = "nothing to resume: no interrupted check here had the same inputs."
    click.echo(f"edgecheck: {message}", err=True)
    return replace(planned, checks=checks, done=found.results), found


def interrupted(folder: Path, wanted: Iterable[str]) -> Interrupted:
    """The latest result of interrupted invocations for each of the `wanted` fingerprints.

    A check that failed to run is done again. Files that cannot be read, or that are still growing, are skipped.
    """
    from edgecheck.reports.reading import read_report

    wanted = frozenset(wanted) - {""}
    found: dict[str, CheckResult] = {}
    files = []
    for file in sorted((folder / PLACE).glob(f"*{GROWING}"), reverse=True):
        try:
            report = read_report(_read_finished(file), str(file))
        except (OSError, ValueError, EdgecheckError):
            continue
        new = {
            result.fingerprint: _marked(result, report)
            for result in report.results
            if result.fingerprint in wanted - found.keys() and _is_complete(result)
        }
        if new:
            found |= new
            files.append(file)
    return Interrupted(found, tuple(files))


def _read_finished(file: Path) -> str:
    """The text of a results file that no process is writing.

    Raises:
        OSError: a process is, or the file cannot be read.
    """
    with file.open(encoding="utf-8") as stream:
        fcntl.flock(stream, fcntl.LOCK_SH | fcntl.LOCK_NB)
        return stream.read()


def _is_complete(result: CheckResult) -> bool:
    return not result.problem and not (result.run is not None and result.run.broken)


def _marked(result: CheckResult, report: Report) -> CheckResult:
    """With a caveat that says when it was measured; of several interruptions the first counts."""
    if any(caveat.code == TAKEN_OVER for caveat in result.caveats):
        return result
    caveat = Caveat(TAKEN_OVER, f"This result is from the interrupted check that started at {report.started}.")
    return replace(result, caveats=(*result.caveats, caveat))


def fingerprint(check: Check, surroundings: Iterable[str]) -> str:
    """A hash of everything that decides a check's result, except the device itself and its state.

    Args:
        check: All of its fields count, and so do the contents of the files that it names.
        surroundings: What else counts: the machine, and the results that this one is compared with.

    Raises:
        OSError: a file cannot be read.
        EdgecheckError: a file that belongs to the model does not exist.
    """
    digest = hashlib.sha256()
    budget = check.budget
    digest.update(repr([__version__, _without_passing_facts(check), *surroundings]).encode("utf-8", "surrogateescape"))
    files = [*model_files.files_of(Path(budget.model.path), check.source)]
    files += [Path(path) for path in (budget.samples, budget.path) if path]
    for file in files:
        digest.update(_content_hash(file).encode())
    if budget.model.factory:
        from edgecheck.converters.safety import factories

        digest.update(factories.sha256(budget.model.factory, Path(budget.path).parent).encode())
    return digest.hexdigest()


def _fingerprint_or_nothing(check: Check, surroundings: Iterable[str]) -> str:
    """The fingerprint; empty if a file is missing or cannot be read, which the check itself will report."""
    try:
        return fingerprint(check, surroundings)
    except (OSError, EdgecheckError):
        return ""


def _without_passing_facts(check: Check) -> Check:
    """Without the limits of other devices, and without what changes on this machine from minute to minute.

    Of a device with several boards any may have measured it.
    """
    check = replace(check, budget=replace(check.budget, devices=()))
    if len(check.boards.addresses) > 1:
        check = replace(check, target=None)
    if not check.profile.is_this_machine:
        return check
    machine, unknown = check.profile, Capacity(0, 0)
    return replace(
        check,
        profile=replace(machine, ram=unknown, storage=unknown, cpu=replace(machine.cpu, clock=0.0), limits=()),
        limits=tuple(limit for limit in check.limits if limit not in machine.limits),
    )


def _this_environment() -> tuple[str, ...]:
    """What every result here depends on: the machine, its kernel and Python, and the packages that run models."""
    return *os.uname(), sys.version, *_installed_runtimes()


def _installed_runtimes() -> list[str]:
    """From the names of folders: `importlib.metadata` would take longer than all else that is done before a check."""
    found = set()
    for folder in dict.fromkeys(sys.path):
        with suppress(OSError):
            found |= {entry.name for entry in Path(folder).iterdir() if entry.suffix == ".dist-info"}
    return sorted(name for name in found if name.partition("-")[0].lower() in _RUNTIMES)


def _identity(report: Report | None) -> str:
    return repr((report.host, report.started, report.seconds, len(report.results))) if report is not None else ""


def _content_hash(file: Path) -> str:
    """The SHA-256 of a file, computed once unless the file changes."""
    status = file.stat()
    return _hash_as_of(file, status.st_mtime_ns, status.st_size)


@cache
def _hash_as_of(file: Path, _changed: int, _size: int) -> str:
    return model_files.sha256(file)
