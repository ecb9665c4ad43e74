"""Which variant fits, for programs, as a published schema describes it."""

from __future__ import annotations

import json
import math
from typing import Any

from edgecheck.core.fitting import Fit, Trial, others, why_not
from edgecheck.core.report import Report
from edgecheck.reports.fit import FitReport
from edgecheck.reports.json_report import document

#: Raised when a reader of the previous version could be misled; `reports/fit-VERSION.schema.json` is the schema.
SCHEMA_VERSION = 1


def render(report: FitReport) -> str:
    """The report as a JSON object."""
    return json.dumps(_document(report), allow_nan=False, indent=1) + "\n"


def _document(report: FitReport) -> dict[str, Any]:
    return {
        "schema": "edgecheck-fit",
        "version": SCHEMA_VERSION,
        "edgecheck": report.version,
        "host": report.host,
        "started": report.started,
        "seconds": report.seconds,
        "fits": [_fit(fit, report) for fit in report.fits],
    }


def _fit(fit: Fit, report: FitReport) -> dict[str, Any]:
    result = fit.trials[0].result
    return {
        "budget": result.budget.path,
        "model": str(result.budget.model.path),
        "device": result.profile.id,
        "device_name": result.profile.name,
        "outcome": fit.outcome.value,
        "recommended": str(fit.recommended.variant) if fit.recommended is not None else None,
        "nearest": str(fit.nearest.variant),
        "stopped": fit.stopped,
        "others": [{"variant": each.variant, "words": each.words} for each in others(fit)],
        "not_tried": [str(variant) for variant in fit.left],
        "trials": [_trial(trial, report) for trial in fit.trials],
    }


def _trial(trial: Trial, report: FitReport) -> dict[str, Any]:
    alone = Report(
        results=(trial.result,),
        version=report.version,
        host=report.host,
        started=report.started,
        seconds=trial.result.seconds,
    )
    return {
        "variant": str(trial.variant),
        "state": trial.state,
        "loss": trial.loss,
        "distance": trial.distance if math.isfinite(trial.distance) else None,
        "words": why_not(trial),
        "check": document(alone)["checks"][0],
    }
