"""The report for programs: every figure and every sample, in base units, as a published schema describes it."""

from __future__ import annotations

import json
import math
from collections.abc import Collection
from dataclasses import fields
from enum import Enum
from functools import cache
from itertools import chain
from pathlib import PurePath
from types import NoneType
from typing import Any, cast

from edgecheck.core.artifact import Artifact
from edgecheck.core.finding import Finding, Measurement
from edgecheck.core.report import CheckResult, Report
from edgecheck.core.run import Run
from edgecheck.core.samples import Samples
from edgecheck.core.verdict import Verdict

#: Raised when a reader of the previous version could be misled; `report-VERSION.schema.json` is the schema.
SCHEMA_VERSION = 1


def render(report: Report) -> str:
    """The report as a JSON object, with a line for each check."""
    head = _text(_head(report) | _end(report))
    checks = ",\n".join(map(line, report.results))
    return f'{head[:-1]}, "checks": [\n{checks}\n]}}\n'


def opening(report: Report) -> str:
    """The text before the first check, for a file that grows: `line`s with commas follow, then the `ending`."""
    return f'{_text(_head(report))[:-1]}, "checks": [\n'


def line(result: CheckResult) -> str:
    """One check, on one line."""
    return _text(_check(result))


def ending(report: Report) -> str:
    """The text after the last check, for a file that grows."""
    return f"\n], {_text(_end(report))[1:]}\n"


_DELETE = "\x7f"


def _text(value: dict[str, Any]) -> str:
    """JSON on one line: without an indent the encoder is the one in C, ten times as fast."""
    text = json.dumps(value, ensure_ascii=False, allow_nan=False)
    if (text.isascii() and _DELETE not in text) or text.isprintable():
        return text
    # A name has characters that steer a terminal, or bytes that are not UTF-8: JSON has an escape for each.
    return json.dumps(value, allow_nan=False).replace(_DELETE, r"\u007f")


def document(report: Report) -> dict[str, Any]:
    """The report as plain values."""
    return {**_head(report), **_end(report), "checks": [_check(result) for result in report.results]}


def _head(report: Report) -> dict[str, Any]:
    return {
        "schema": "edgecheck-report",
        "version": SCHEMA_VERSION,
        "edgecheck": report.version,
        "host": report.host,
        "started": report.started,
        "shard": report.shard,
        "folder": report.folder,
        **({"boards": {device: list(each) for device, each in report.boards.items()}} if report.boards else {}),
    }


def _end(report: Report) -> dict[str, Any]:
    """The fields that change with each check."""
    return {"seconds": report.seconds, "status": report.status.value}


def _check(result: CheckResult) -> dict[str, Any]:
    return {
        "budget": result.budget.path,
        "model": str(result.budget.model.path),
        "variant": str(result.variant),
        "device": result.profile.id,
        "device_name": result.profile.name,
        "threads": result.budget.threads,
        "accelerator": plain(result.budget.accelerator) if result.budget.accelerator is not None else None,
        "target": result.target,
        "status": result.status.value,
        "seconds": result.seconds,
        "problem": result.problem,
        "hint": result.hint,
        "verdicts": [_verdict(verdict) for verdict in result.verdicts],
        "figures": {
            name: found for name, finding in (result.findings or {}).items() if (found := _found(finding)) is not None
        },
        "caveats": [plain(caveat) for caveat in result.caveats],
        "artifact": _artifact(result.artifact) if result.artifact else None,
        "run": _run(result.run) if result.run else None,
        "ways_out": [plain(each) for each in result.ways_out],
        "tried": [plain(each) for each in result.tried],
        "operators": plain(result.operators) if result.operators else None,
        "tiles": plain(result.tiles) if result.tiles else None,
        "fingerprint": result.fingerprint,
        **({"lost_boards": [plain(each) for each in result.lost_boards]} if result.lost_boards else {}),
    }


def _verdict(verdict: Verdict) -> dict[str, Any]:
    return {
        "metric": verdict.metric.name,
        "status": verdict.status.value,
        "ignored": verdict.ignored,
        "found": _found(verdict.finding),
        "limit": {
            "error": verdict.limit.error,
            "warn": verdict.limit.warn,
            "unit": verdict.metric.unit.value,
            "direction": verdict.metric.direction.value,
            "on_unknown": verdict.limit.on_unknown.value,
            "source": plain(verdict.limit.source),
        },
        "margin": None if verdict.margin is None or math.isnan(verdict.margin) else verdict.margin,
        "reason": verdict.reason,
        "baseline": _found(verdict.baseline) if verdict.baseline is not None else None,
    }


def _found(finding: Finding) -> dict[str, Any] | None:
    if not isinstance(finding, Measurement):
        return None
    return {
        "value": None if math.isnan(finding.value) else finding.value,
        "low": finding.low,
        "high": finding.high,
        "unit": finding.metric.unit.value,
        "provenance": finding.provenance.value,
        "count": finding.count,
        "basis": finding.basis,
        "span": finding.span,
        "contended": finding.contended,
        "unwaited": finding.unwaited,
    }


def _artifact(artifact: Artifact) -> dict[str, Any]:
    return {**plain(artifact), "path": artifact.path.name, "files": [file.name for file in artifact.files]}


def _run(run: Run) -> dict[str, Any]:
    return dict(plain(run))


def plain(value: Any) -> Any:
    """Frozen values as JSON's types, field by field."""
    kind = type(value)
    if kind in _SCALARS:
        return value
    if kind is Samples:
        return value.to_list()
    if kind in (tuple, list):
        return _plain_items(value)
    if issubclass(kind, Enum):
        return value.value
    if issubclass(kind, PurePath):
        return str(value)
    return {name: plain(getattr(value, name)) for name in _names(cast("type", kind))}


_SCALARS = frozenset({str, int, float, bool, NoneType})


def _plain_items(values: Collection[Any]) -> list[Any]:
    """Samples are scalars, or pairs of them, by the thousand: their types are checked as sets, not one by one."""
    kinds = set(map(type, values))
    if kinds <= _SCALARS:
        return list(values)
    if kinds == {tuple} and set(map(type, chain.from_iterable(values))) <= _SCALARS:
        return list(map(list, values))
    return [plain(item) for item in values]


@cache
def _names(kind: type) -> tuple[str, ...]:
    return tuple(field.name for field in fields(kind))
