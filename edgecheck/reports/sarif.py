"""The report as SARIF 2.1.0, for code scanning: an alert at the line of each limit that does not hold."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from typing import Any
from urllib.parse import quote

from edgecheck.core.metrics import METRICS
from edgecheck.core.report import CheckResult, Report, from_root
from edgecheck.core.verdict import Status, Verdict
from edgecheck.reports import wording
from edgecheck.reports.github import in_repository
from edgecheck.reports.wording import clean

SCHEMA = "https://json.schemastore.org/sarif-2.1.0.json"

#: Passes are left out: code scanning makes an alert of every result.
_LEVEL = {Status.FAIL: "error", Status.UNKNOWN: "warning", Status.WARN: "warning"}


def render(report: Report) -> str:
    """The report as a SARIF log with one run."""
    report = from_root(report)
    results = [
        _result(verdict, result)
        for result in report.results
        for verdict in result.verdicts
        if wording.counts_against(verdict)
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
    place = in_repository(verdict.limit.source)
    return {
        "ruleId": clean(verdict.metric.name),
        "level": _LEVEL[verdict.status],
        "message": message(f"{wording.title(result)}: {wording.explained(verdict)}"),
        "locations": [_location(place, verdict.limit.source.line) if place else _at_model(result)],
        "partialFingerprints": _fingerprints(result, verdict.metric.name),
        "properties": {"status": verdict.status.value, "provenance": wording.provenance(verdict)},
    }


def _empty(result: CheckResult) -> dict[str, Any]:
    return {
        "ruleId": "limits",
        "level": "warning",
        "message": message(f"{wording.title(result)}: {wording.problem(result)}"),
        "locations": [_at_model(result)],
        "partialFingerprints": _fingerprints(result, "limits"),
    }


def message(text: str) -> dict[str, str]:
    """Plain text: SARIF reads brackets that are not escaped as a link (2.1.0, section 3.11.6)."""
    return {"text": text.replace("\\", "\\\\").replace("[", "\\[").replace("]", "\\]")}


def _at_model(result: CheckResult) -> dict[str, Any]:
    """The model's place, for a limit from outside the repository: GitHub refuses a result without a place."""
    path = result.budget.model.path
    return _location(path.name if path.is_absolute() or ".." in path.parts else str(path), 1)


def _location(path: str, line: int) -> dict[str, Any]:
    uri = quote(path.encode("utf-8", "surrogatepass"))
    return {"physicalLocation": {"artifactLocation": {"uri": uri}, "region": {"startLine": line}}}


def _fingerprints(result: CheckResult, metric: str) -> dict[str, str]:
    """The same for the same limit of the same check from one commit to the next, wherever its line moves.

    GitHub reads only the first of the two; made from the line alone, it would merge the results of two variants.
    """
    key = "\n".join((str(result.budget.model.path), str(result.variant), result.profile.id, metric))
    digest = hashlib.sha256(key.encode("utf-8", "surrogatepass")).hexdigest()
    return {"primaryLocationLineHash": digest, "edgecheckLimit/v1": digest}


def _utc(started: str) -> str:
    return f"{started.removesuffix('+00:00')}Z" if started.endswith("+00:00") else started
