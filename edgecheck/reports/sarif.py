"""The report as SARIF 2.1.0, for code scanning: an alert at the line of each limit that does not hold."""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from edgecheck.core.metrics import METRICS
from edgecheck.core.verdict import Status
from edgecheck.reports import limit_lines, wording
from edgecheck.reports.github import in_repository
from edgecheck.reports.harmless import one_line

if TYPE_CHECKING:
    from collections.abc import Iterable

    from edgecheck.core.report import CheckResult, Report
    from edgecheck.core.verdict import Verdict
    from edgecheck.reports import Style

SCHEMA = "https://json.schemastore.org/sarif-2.1.0.json"

#: Passes are left out: code scanning takes every result for an alert.
_LEVEL = {Status.FAIL: "error", Status.UNKNOWN: "warning", Status.WARN: "warning"}


def render(report: Report, style: Style) -> str:
    """The report as one SARIF log with one run."""
    del style
    results = [
        _result(verdict, result)
        for result in report.results
        for verdict in result.verdicts
        if limit_lines.counts_against(verdict)
    ]
    results += [_empty(result) for result in report.results if not result.verdicts]
    driver = {"name": "edgecheck", "version": report.version, "rules": _rules(one["ruleId"] for one in results)}
    run = {
        "tool": {"driver": driver},
        "automationDetails": {"id": "edgecheck/"},
        "invocations": [{"executionSuccessful": True, "startTimeUtc": _utc(report.started)}],
        "columnKind": "unicodeCodePoints",
        "results": results,
    }
    log = {"$schema": SCHEMA, "version": "2.1.0", "runs": [run]}
    return json.dumps(log, indent=1, ensure_ascii=False, allow_nan=False) + "\n"


def _rules(used: Iterable[str]) -> list[dict[str, Any]]:
    return [
        {"id": name, "shortDescription": {"text": METRICS[name].title if name in METRICS else name}}
        for name in dict.fromkeys(used)
    ]


def _result(verdict: Verdict, result: CheckResult) -> dict[str, Any]:
    title, told = one_line(wording.title(result)), limit_lines.explained(verdict)
    place = in_repository(verdict.limit.source)
    return {
        "ruleId": one_line(verdict.metric.name),
        "level": _LEVEL[verdict.status],
        "message": {"text": f"{title}: {told}"},
        "locations": [_location(place, verdict.limit.source.line) if place else _location(_model(result), 1)],
        "partialFingerprints": {"edgecheckLimit/v1": _fingerprint(result, verdict.metric.name)},
        "properties": {"status": verdict.status.value, "provenance": wording.provenance(verdict)},
    }


def _empty(result: CheckResult) -> dict[str, Any]:
    return {
        "ruleId": "limits",
        "level": "warning",
        "message": {"text": f"{one_line(wording.title(result))}: {limit_lines.problem(result)}"},
        "locations": [_location(_model(result), 1)],
        "partialFingerprints": {"edgecheckLimit/v1": _fingerprint(result, "limits")},
    }


def _location(path: str, line: int) -> dict[str, Any]:
    """GitHub takes no result without a place; a limit from outside of the repository is told at its model."""
    uri = quote(path.encode("utf-8", "surrogateescape"))
    return {"physicalLocation": {"artifactLocation": {"uri": uri}, "region": {"startLine": line}}}


def _model(result: CheckResult) -> str:
    return str(result.budget.model.path)


def _fingerprint(result: CheckResult, metric: str) -> str:
    """The same for the same limit of the same check from one commit to the next, wherever its line moves."""
    key = "\n".join((_model(result), str(result.variant), result.profile.id, metric))
    return hashlib.sha256(key.encode("utf-8", "surrogateescape")).hexdigest()


def _utc(started: str) -> str:
    return started.removesuffix("+00:00") + "Z" if started.endswith("+00:00") else started
