"""Profiles for programs: JSON, and Chrome's trace format."""

from __future__ import annotations

import itertools
import json
import math

from edgecheck.core.operator_groups import By
from edgecheck.reports.profile import json_report, trace
from tests.core.operator_profiles import operator, profile
from tests.reports.profile.profiles import NEW, grown, report


def test_json_has_every_operator_in_base_units() -> None:
    found = json.loads(json_report.render(report(by=By.TYPE)))
    assert (found["schema"], found["version"], found["unit"]) == ("edgecheck-profile", 1, "seconds")
    assert [each["name"] for each in found["operators"]] == [one.name for one in NEW.operators]
    total = math.fsum(each["value"] for each in found["operators"]) + found["remainder"]
    assert math.isclose(total, found["whole"])
    assert found["operators"][2]["inside"] == 1
    assert found["operators"][1]["macs"] is None
    assert [each["name"] for each in found["groups"]] == ["Conv", "MatMul", "If", "Cast"]
    assert found["against"] is None


def test_json_of_counted_instructions_and_of_growth() -> None:
    found = json.loads(json_report.render(report(profile(operator("a", 0.5), whole=1.0, counted=True))))
    assert found["unit"] == "instructions"
    assert (found["operators"][0]["value"], found["whole"]) == (500_000, 1_000_000)
    against = json.loads(json_report.render(grown()))["against"]
    assert against["model"] == "old.onnx"
    changes = {each["name"]: each for each in against["changes"]}
    assert changes["stem"]["change"] == "grew"
    assert math.isclose(changes["stem"]["delta"], 2e-3)


def test_the_trace_nests_and_stays_within_the_inference() -> None:
    found = json.loads(trace.render(report()))
    events = [event for event in found["traceEvents"] if event["ph"] == "X"]
    whole = events[0]
    assert (whole["name"], whole["ts"], whole["dur"]) == ("one inference", 0.0, 10_000.0)
    by_name = {event["name"]: event for event in events}
    assert set(by_name) == {"one inference", *(one.name for one in NEW.operators)}
    for event in events[1:]:
        assert event["ts"] >= 0
        assert event["ts"] + event["dur"] <= whole["dur"] + 1e-6
    inner, outer = by_name["inner"], by_name["choice"]
    assert outer["dur"] == 2500.0
    assert (inner["ts"], inner["dur"]) == (outer["ts"], 2000.0)
    # One after the other: no two siblings overlap.
    siblings = sorted((each["ts"], each["dur"]) for each in events[1:] if each["name"] != "inner")
    assert all(a + b <= c + 1e-6 for (a, b), (c, _) in itertools.pairwise(siblings))
    assert by_name["stem"]["args"]["layer"] == "backbone/stem"
    assert {event["name"] for event in found["traceEvents"] if event["ph"] == "M"} == {"process_name", "thread_name"}
