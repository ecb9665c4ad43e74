"""Writes a first budget from what a check found, with a comment at each limit that shows its figure."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING

from edgecheck.config.ratchet import rewritten
from edgecheck.core.device_match import match
from edgecheck.core.finding import Measurement, Unmeasured
from edgecheck.core.metrics import METRICS, Direction, Family, Provenance

if TYPE_CHECKING:
    from collections.abc import Iterator

    from edgecheck.core.finding import Finding
    from edgecheck.core.report import CheckResult

_PLAIN = re.compile(r"[A-Za-z./_][\w./-]*")


def first_budget(result: CheckResult, model: str, headroom: float, when: str) -> str:
    """The budget's text.

    Args:
        result: What was found, for one device.
        model: The model's path, relative to the budget's folder.
        headroom: Margin between each figure and its limit, as a share of the figure.
        when: The day, for the comment.
    """
    lines = [
        f"# From figures of {when} with {headroom:.0%} headroom; edit the limits to what the product needs.",
        "# `edgecheck check FILE` checks them; `edgecheck budget ratchet` tightens them to later results.",
        f"model: {_quoted(model)}",
        f"variants: [{result.variant.name}]",
        "devices:",
        f"  {result.profile.id}:   # {_comment(result.profile.name)}",
        *(f"    {line}" for line in _limits(result, headroom)),
        "# How much each may grow from a baseline (edgecheck check --baseline FILE):",
        "# regression: {size: 1%, latency_p50: {growth: 10%, atleast: 2 ms}}",
    ]
    return "\n".join(lines) + "\n"


def _limits(result: CheckResult, headroom: float) -> Iterator[str]:
    mismatch = match(result.profile, result.run).mismatch
    for name, metric in METRICS.items():
        if not metric.in_first_budget:
            continue
        finding = (result.findings or {}).get(name)
        why = _why_not(finding, mismatch)
        if isinstance(finding, Measurement) and not why:
            yield _limit(finding, headroom)
        elif why and metric.family is not Family.LIKENESS:
            yield f"# {name}: {_comment(why)}"


def _why_not(finding: Finding | None, mismatch: str) -> str:
    """Why there is no limit, if that is worth a line."""
    if isinstance(finding, Unmeasured):
        return finding.reason
    return mismatch if finding is not None and finding.provenance is not Provenance.STATIC else ""


def _limit(finding: Measurement, headroom: float) -> str:
    metric = finding.metric
    at_most = metric.direction is Direction.AT_MOST
    end = finding.high if at_most else finding.low
    reached = finding.value if end is None else end
    bound = reached * (1 + headroom) if at_most else reached * (1 - headroom)
    text = rewritten(metric.show(bound), bound, metric)
    basis = f", {finding.basis}" if finding.basis else ""
    return f"{metric.name}: {text}   # found {metric.show(finding.value)}, {finding.provenance.value}{_comment(basis)}"


def _quoted(text: str) -> str:
    """A path as YAML, in quotes if it could be read as something else."""
    return text if _PLAIN.fullmatch(text) and text.lower() not in ("true", "false", "null") else json.dumps(text)


def _comment(text: str) -> str:
    return "".join(character if character.isprintable() else "\N{REPLACEMENT CHARACTER}" for character in text)
