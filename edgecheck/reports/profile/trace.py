"""The profile in Chrome's trace format, which Perfetto (ui.perfetto.dev) and chrome://tracing open.

https://docs.google.com/document/d/1CvAClvFfyA5R-PhYUmn5OOQtYMH4h6I0nSsKchNAySU, sections "Complete Events" and
"Metadata Events". One inference of average duration: its operators one after the other, those of a branch or a loop
below the operator that runs them. Where the clock counts instructions, a microsecond is a thousand of them.
"""

from __future__ import annotations

import json
import math
from collections import defaultdict
from typing import Any

from edgecheck.core.operators import MICROSECOND, Operator, OperatorProfile
from edgecheck.reports.profile import ProfileReport, words

#: One process and one thread: operators run one after the other.
_PLACE = {"pid": 1, "tid": 1}


def render(report: ProfileReport) -> str:
    """The trace as a JSON object."""
    profile = report.profile
    inside: dict[int, list[int]] = defaultdict(list)
    for at, one in enumerate(profile.operators):
        inside[one.inside if 0 <= one.inside < len(profile.operators) else -1].append(at)
    events = [
        _name("process_name", words.title(report)),
        _name("thread_name", words.how(report)),
        _event("one inference", "inference", (0.0, max(profile.whole, _total(profile, inside, -1))), {}),
    ]
    _add(events, profile, inside, (-1, 0.0))
    unit = "ns"
    other = {"unit": "1 us = 1000 instructions" if profile.counted else "1 us", "edgecheck": report.version}
    return json.dumps({"traceEvents": events, "displayTimeUnit": unit, "otherData": other}, allow_nan=False) + "\n"


def _total(profile: OperatorProfile, inside: dict[int, list[int]], at: int) -> float:
    """What an operator takes with everything inside it."""
    own = profile.operators[at].seconds if at >= 0 else 0.0
    return own + math.fsum(_total(profile, inside, each) for each in inside[at])


def _add(
    events: list[dict[str, Any]], profile: OperatorProfile, inside: dict[int, list[int]], place: tuple[int, float]
) -> None:
    """Add what is inside of an operator from a moment on, one after the other."""
    around, start = place
    for at in inside[around]:
        one = profile.operators[at]
        duration = _total(profile, inside, at)
        events.append(_event(one.name, one.type, (start, duration), _facts(profile, one)))
        _add(events, profile, inside, (at, start))
        start += duration


def _facts(profile: OperatorProfile, one: Operator) -> dict[str, Any]:
    known = {
        "type": one.type,
        "provider": one.provider,
        "share": words.share(profile, one.seconds),
        "layer": one.layer,
        "does the work of": ", ".join(one.parts),
        "shape": one.shape,
        "MACs": one.macs,
        "bytes": one.bytes,
    }
    return {name: value for name, value in known.items() if value not in ("", None)}


def _event(name: str, category: str, span: tuple[float, float], facts: dict[str, Any]) -> dict[str, Any]:
    start, duration = (round(each / MICROSECOND, 3) for each in span)
    return {"ph": "X", "name": name, "cat": category, "ts": start, "dur": duration, "args": facts, **_PLACE}


def _name(what: str, name: str) -> dict[str, Any]:
    return {"ph": "M", "name": what, "args": {"name": name}, **_PLACE}
