"""The profile of a model's operators for programs: every figure in base units."""

from __future__ import annotations

import json
import math
from typing import Any

from edgecheck.core.metrics import INSTRUCTIONS
from edgecheck.core.operator_changes import OperatorChange, OperatorChanges
from edgecheck.core.operator_groups import By, OperatorRow, rows
from edgecheck.core.operators import PER_SECOND, Operator, OperatorProfile
from edgecheck.core.units import Unit
from edgecheck.reports.profile import ProfileReport

SCHEMA_VERSION = 1


def render(report: ProfileReport) -> str:
    """The report as a JSON object; `unit` says whether figures are seconds or instructions."""
    return json.dumps(document(report), ensure_ascii=True, allow_nan=False, indent=1) + "\n"


def document(report: ProfileReport) -> dict[str, Any]:
    """The report as plain values."""
    profile = report.profile
    return {
        "schema": "edgecheck-profile",
        "version": SCHEMA_VERSION,
        "edgecheck": report.version,
        "model": report.model,
        "variant": report.variant,
        "device": report.device,
        "target": report.target,
        "threads": report.threads,
        "provenance": profile.provenance.value,
        "unit": INSTRUCTIONS.name if profile.counted else Unit.SECONDS.value,
        "runtime": profile.runtime,
        "profiler": profile.profiler,
        "inferences": profile.inferences,
        "processes": profile.processes,
        "whole": _figure(profile, profile.whole),
        "without_profiler": None if profile.plain is None else _figure(profile, profile.plain),
        "remainder": _figure(profile, profile.remainder),
        "overhead": None if profile.overhead is None else _figure(profile, profile.overhead),
        "notes": list(profile.notes),
        "operators": [_operator(profile, one) for one in profile.operators],
        "groups": [] if report.by is By.NODE else [_group(profile, row) for row in rows(profile, report.by)],
        "by": report.by.value,
        "against": None if report.changes is None else _against(report.old, report.changes),
    }


def _figure(profile: OperatorProfile, seconds: float) -> float | None:
    if not math.isfinite(seconds):
        return None
    return round(seconds * PER_SECOND, 1) if profile.counted else seconds


def _operator(profile: OperatorProfile, one: Operator) -> dict[str, Any]:
    return {
        "name": one.name,
        "runtime_name": one.alias or one.name,
        "type": one.type,
        "provider": one.provider,
        "layer": one.layer or None,
        "parts": list(one.parts),
        "inside": one.inside if one.inside >= 0 else None,
        "calls": one.calls,
        "value": _figure(profile, one.seconds),
        "low": _figure(profile, one.low),
        "high": _figure(profile, one.high),
        "share": profile.share(one.seconds),
        "shape": one.shape or None,
        "macs": one.macs,
        "bytes": one.bytes,
    }


def _group(profile: OperatorProfile, row: OperatorRow) -> dict[str, Any]:
    return {
        "name": row.name,
        "value": _figure(profile, row.seconds),
        "share": profile.share(row.seconds),
        "operators": row.count,
        "macs": row.macs,
        "bytes": row.bytes,
    }


def _against(old: str, found: OperatorChanges) -> dict[str, Any]:
    return {
        "model": old,
        "whole": _figure(found.old, found.old.whole),
        "remainder": _figure(found.old, found.old.remainder),
        "changes": [_change(found.new, each) for each in found.changes],
    }


def _change(profile: OperatorProfile, each: OperatorChange) -> dict[str, Any]:
    return {
        "name": each.name,
        "was": each.was or None,
        "type": each.type,
        "change": each.change.value,
        "old": _figure(profile, each.old),
        "new": _figure(profile, each.new),
        "delta": _figure(profile, each.delta),
        "uncertainty": _figure(profile, each.uncertainty),
        "detail": each.detail,
    }
