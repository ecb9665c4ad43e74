"""Saved results: read from files, and several reports joined into one."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from edgecheck.core.report import Report
from edgecheck.errors import UsageError
from edgecheck.reports.reading import read_report

#: The path that means stdin.
STDIN = Path("-")


def load(path: Path) -> Report:
    """The report in a file, or on stdin for `-`.

    Raises:
        UsageError: it cannot be read, or is not a report of this version.
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
    """One report with the checks of several (shards, or CI jobs), in order."""
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


def missing_shards(reports: Sequence[Report]) -> list[str]:
    """Where several reports are shards of one invocation, the shards that are missing: `3/4`."""
    shards = {report.shard for report in reports if report.shard}
    counts = {shard.partition("/")[2] for shard in shards}
    every = [f"{number}/{count}" for count in sorted(counts, key=int) for number in range(1, int(count) + 1)]
    return [shard for shard in every if shard not in shards] if len(reports) > 1 else []
