"""Results files from earlier checks: found, read, and several of them as one."""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from edgecheck.errors import UsageError
from edgecheck.reports.reading import read_report

if TYPE_CHECKING:
    from collections.abc import Sequence

    from edgecheck.core.report import Report

#: What stands for stdin.
STDIN = Path("-")


def load(path: Path) -> Report:
    """The report in a file, or on stdin for `-`.

    Raises:
        UsageError: it cannot be read, or is no report of this version.
    """
    if path == STDIN:
        return read_report(sys.stdin.read(), "stdin")
    try:
        text = path.read_text(encoding="utf-8")
    except OSError as error:
        raise UsageError(
            f"{path} could not be read: {error.strerror}.", "Name a file that --format json wrote."
        ) from error
    except UnicodeDecodeError as error:
        raise UsageError(f"{path} is not UTF-8 text.", "Name a file that --format json wrote.") from error
    return read_report(text, str(path))


def joined(reports: Sequence[Report]) -> Report:
    """One report of all checks, in order: of shards, or of several jobs."""
    first, *others = reports
    hosts = dict.fromkeys(report.host for report in reports)
    return replace(
        first,
        results=tuple(result for report in reports for result in report.results),
        host=", ".join(hosts),
        started=min(report.started for report in reports),
        seconds=sum((report.seconds for report in others), first.seconds),
        shard="" if others else first.shard,
    )


def absent(reports: Sequence[Report]) -> list[str]:
    """The shards that are not there, where several reports are parts of one check: `3/4`."""
    shards = {report.shard for report in reports if report.shard}
    counts = {shard.partition("/")[2] for shard in shards}
    every = [f"{number}/{count}" for count in sorted(counts, key=int) for number in range(1, int(count) + 1)]
    return [shard for shard in every if shard not in shards] if len(reports) > 1 else []
