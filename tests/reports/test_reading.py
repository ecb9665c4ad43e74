"""A report read back says in every format what the original said; damage is refused with its place (`shapes`)."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from dataclasses import replace
from importlib import resources
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from edgecheck.core.budget import Variant
from edgecheck.core.finding import Measurement, Unmeasured
from edgecheck.core.limits import OnUnknown
from edgecheck.core.metrics import METRICS, Provenance
from edgecheck.core.report import Report
from edgecheck.core.run import AcceleratorMemory, ClockRange, DeviceState, JetsonState
from edgecheck.core.verdict import judge
from edgecheck.errors import UsageError
from edgecheck.reports import FORMATS, render
from edgecheck.reports.json_report import document
from edgecheck.reports.reading import read_report
from tests.builders import MIB, limit
from tests.reports.hostile import TRICKS, hostile_report
from tests.reports.sample import EVERYTHING, PROFILE, SEEN, report, result

SCHEMA = json.loads((resources.files("edgecheck.reports") / "report-1.schema.json").read_text(encoding="utf-8"))


def again(original: Report) -> Report:
    return read_report(render("json", original), "head.json")


def judged(*verdicts: Any) -> Report:
    return report(replace(result(SEEN), verdicts=verdicts))


P50, RAM = METRICS["latency_p50"], METRICS["ram_peak"]
PROJECTED = Measurement(
    metric=P50, value=0.05, provenance=Provenance.PROJECTED, low=0.04, high=0.06, interval=True, basis="90 % interval"
)
#: Every way to a bound: both levels, each alone, decided and not, and each rule for what is unknown.
BOUNDS = judged(
    *(
        judge(replace(limit("latency_p50", error, warn), on_unknown=rule), finding)
        for rule in OnUnknown
        for error, warn in ((0.055, 0.05), (0.055, None), (None, 0.055), (0.07, 0.055), (0.07, 0.03), (0.03, 0.02))
        for finding in (PROJECTED, Unmeasured(P50, "nothing was run"), Unmeasured(P50, "it crashed", fails=True))
    ),
    judge(
        limit("ram_peak", 80 * MIB, 60 * MIB), Measurement(metric=RAM, value=math.nan, provenance=Provenance.MEASURED)
    ),
)
REPORTS = {
    "everything": EVERYTHING,
    "bounds": BOUNDS,
    "nothing": report(),
    "no verdicts": judged(),
    "failed": report(result(None, "No route leads there.")),
    "pruned": report(replace(result(SEEN), variant=Variant("int8", 0.5))),
    "swapped": report(result(replace(SEEN, after=replace(SEEN.after, swap_used=2**30, temperatures=(("cpu", 61.5),))))),
}


@pytest.mark.parametrize("original", REPORTS.values(), ids=REPORTS)
def test_nothing_is_lost_on_the_way(original: Report) -> None:
    assert document(again(original)) == document(original)


@pytest.mark.parametrize("name", [name for name in FORMATS if name not in ("json", "html")])
@pytest.mark.parametrize("original", REPORTS.values(), ids=REPORTS)
def test_every_format_says_the_same(original: Report, name: str) -> None:
    """But for the device, which an older report calls by its id."""
    called = replace(PROFILE, name=PROFILE.id)
    expected = replace(original, results=tuple(replace(one, profile=called) for one in original.results))
    reread = replace(again(original), results=tuple(replace(one, profile=called) for one in again(original).results))
    assert render(name, reread) == render(name, expected)


def test_a_jetson_and_the_memory_on_its_gpu_come_back() -> None:
    gpu = ClockRange(name="gpu", least=306e6, most=624.75e6, now=306e6)
    jetson = JetsonState(mode="15W", modes=(("15W", 0), ("MAXN_SUPER", 2)), clocks=(gpu,), rails=(("VDD_IN", 7.551),))
    worker = replace(SEEN.workers[-1], accelerator_memory=AcceleratorMemory(350 * MIB, "nvml", "of the process"))
    seen = replace(SEEN, workers=(worker,), before=DeviceState(jetson=jetson), after=DeviceState(jetson=jetson))
    original = report(result(seen))
    Draft202012Validator(SCHEMA).validate(document(original))
    (found,) = again(original).results
    assert found.run == seen
    page = render("html", original)
    assert "gpu 306 to 625 MHz, now 306 MHz" in page
    assert "VDD_IN 7.55 W" in page


def test_the_bound_is_the_one_that_was_judged() -> None:
    assert [one.bound for one in again(BOUNDS).verdicts] == [one.bound for one in BOUNDS.verdicts]


def test_how_an_unknown_counted_comes_back() -> None:
    rules = [one.counted_as for one in again(BOUNDS).verdicts]
    assert rules == [one.counted_as for one in BOUNDS.verdicts]
    assert set(rules) == {None, OnUnknown.FAIL, OnUnknown.WARN, OnUnknown.IGNORE}


def test_name_and_threads_are_read_if_they_are_there() -> None:
    data = document(EVERYTHING)
    data["checks"][0] |= {"device_name": "Raspberry Pi 4", "threads": 3}
    for key in ("device_name", "threads"):
        data["checks"][1].pop(key, None)
    first, second, *_ = read_report(json.dumps(data), "head.json").results
    assert (first.profile.name, first.budget.threads) == ("Raspberry Pi 4", 3)
    assert (second.profile.name, second.budget.threads) == (PROFILE.id, 1)


def test_a_metric_of_a_later_version_keeps_its_unit_and_direction() -> None:
    data = document(report(result(SEEN)))
    verdict = data["checks"][0]["verdicts"][0]
    verdict["metric"] = "energy"
    verdict["limit"]["direction"] = "at least"
    read = read_report(json.dumps(data), "head.json")
    assert document(read) == data | {
        "checks": [data["checks"][0] | {"verdicts": [verdict | {"margin": 0.5}, *data["checks"][0]["verdicts"][1:]]}]
    }


@pytest.mark.parametrize("trick", [trick for trick in TRICKS if trick.isprintable() or "\ud800" not in trick])
def test_hostile_names_come_back(trick: str) -> None:
    assert document(again(hostile_report(trick))) == document(hostile_report(trick))


def test_half_a_character_is_replaced() -> None:
    text = render("json", EVERYTHING).replace("net.onnx", r"net\ud800.onnx")
    read = read_report(text, "head.json")
    assert read.results[0].budget.model.path.name == "net\N{REPLACEMENT CHARACTER}.onnx"
    render("json", read).encode()


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "head.json is empty."),
        ("\n \n", "head.json is empty."),
        ("{", "head.json is not valid JSON: Expecting property name"),
        ("[" * 200_000, "head.json is not valid JSON: it nests too deeply."),
        ("[]", "head.json is JSON, but not a report of edgecheck."),
        ('{"schema": "other"}', "head.json is JSON, but not a report of edgecheck."),
        ('{"schema": "edgecheck-report"}', "head.json is a report of version None; this edgecheck reads version 1."),
        (
            '{"schema": "edgecheck-report", "version": 2}',
            "head.json is a report of version 2; this edgecheck reads version 1.",
        ),
        (
            '{"schema": "edgecheck-report", "version": 1}',
            "head.json is damaged: checks: found None; expected an array.",
        ),
    ],
    ids=["empty", "blank", "cut", "deep", "list", "other", "no version", "version 2", "no checks"],
)
def test_what_is_not_a_report_is_refused(text: str, message: str) -> None:
    with pytest.raises(UsageError) as caught:
        read_report(text, "head.json")
    assert caught.value.message.startswith(message)
    assert caught.value.hint


def test_one_that_is_cut_off_anywhere_is_refused() -> None:
    text = render("json", report(result(SEEN)))
    for length in range(0, len(text) - 2, 97):
        with pytest.raises(UsageError):
            read_report(text[:length], "head.json")


def change(*path: str | int, to: Any) -> Callable[[dict[str, Any]], None]:
    def apply(data: dict[str, Any]) -> None:
        inner: Any = data
        for part in path[:-1]:
            inner = inner[part]
        inner[path[-1]] = to

    return apply


CHECK = ("checks", 0)
DAMAGE = {
    "checks[0]: found 3; expected an object": change(*CHECK, to=3),
    "host: found 7; expected text": change("host", to=7),
    "checks[0].seconds: found True; expected a number": change(*CHECK, "seconds", to=True),
    "checks[0].verdicts[0].status: found 'fine'; expected one of pass, warn, unknown, fail": change(
        *CHECK, "verdicts", 0, "status", to="fine"
    ),
    "checks[0].verdicts[0].limit: there is neither an error nor a warn bound": change(
        *CHECK, "verdicts", 0, "limit", "error", to=None
    ),
    "checks[0].run.target: found None; expected text": change(*CHECK, "run", "target", to=None),
    "checks[0].run.workers[0]: purpose is missing": change(*CHECK, "run", "workers", 0, to={}),
    "checks[0].run: the key 'x' is not known": change(*CHECK, "run", "x", to=1),
    "checks[0].run.workers[0].latencies[3]: found 'fast'; expected a number": change(
        *CHECK, "run", "workers", 0, "latencies", 3, to="fast"
    ),
    "checks[0].run.workers[5].samples[0]: takes 2 values, found 3": change(
        *CHECK, "run", "workers", 5, "samples", 0, to=[1, 2, 3]
    ),
    "checks[0].figures.size.value: found an array; expected a number": change(
        *CHECK, "figures", "size", "value", to=[]
    ),
    "shard: found '2 of 4'; expected which of how many, as in 2/4": change("shard", to="2 of 4"),
    "checks[0].tiles: a part comes before what it is a part of": change(*CHECK, "tiles", "parent", to=[-1, 1, 0, 1, 1]),
    "checks[0].tiles: the columns are not of one length": change(*CHECK, "tiles", "name", to=["net"]),
    "checks[0].tiles.size[1]: found 'big'; expected a whole number": change(*CHECK, "tiles", "size", 1, to="big"),
    "checks[0].artifact.files: found an object; expected an array": change(*CHECK, "artifact", "files", to={}),
}


@pytest.mark.parametrize("message", DAMAGE)
def test_damage_is_reported_with_its_place(message: str) -> None:
    data = document(report(result(SEEN)))
    DAMAGE[message](data)
    with pytest.raises(UsageError) as caught:
        read_report(json.dumps(data), "head.json")
    assert caught.value.message == f"head.json is damaged: {message}."


@pytest.mark.parametrize("number", ["NaN", "Infinity", "1e999"])
def test_what_is_not_a_number_is_refused(number: str) -> None:
    text = json.dumps(document(report(result(SEEN)))).replace("4.5", number)
    with pytest.raises(UsageError):
        read_report(text, "head.json")


ANY = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=5,
)


def test_any_value_anywhere_is_read_or_refused() -> None:
    text = render("json", report(result(SEEN)))
    assert document(read_report(text, "head.json")) == json.loads(text)
    outcomes = dict.fromkeys(("read", "refused"), 0)

    @settings(max_examples=300, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow])
    @given(data=st.data(), value=ANY)
    def alter(data: st.DataObject, value: Any) -> None:
        altered = json.loads(text)
        inner: Any = altered
        while True:
            keys = sorted(inner) if isinstance(inner, dict) else range(len(inner))
            key = data.draw(st.sampled_from(keys))
            if not isinstance(inner[key], (dict, list)) or not inner[key] or data.draw(st.booleans()):
                inner[key] = value
                break
            inner = inner[key]
        try:
            read = read_report(json.dumps(altered), "head.json")
        except UsageError:
            outcomes["refused"] += 1
            return
        outcomes["read"] += 1
        render("markdown", read)

    alter()
    assert sum(outcomes.values()) >= 300
    assert outcomes["read"] > 10, outcomes
    assert outcomes["refused"] > 100, outcomes
