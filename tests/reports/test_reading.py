"""A report read back says in every format what the one it was written from said."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from edgecheck.core.budget import Variant
from edgecheck.core.finding import Measurement, Unmeasured
from edgecheck.core.limits import OnUnknown
from edgecheck.core.metrics import METRICS, Provenance
from edgecheck.core.report import Report
from edgecheck.core.verdict import judge
from edgecheck.errors import UsageError
from edgecheck.reports import Style, render
from edgecheck.reports.json_report import document
from edgecheck.reports.reading import read_report
from tests.builders import MIB, limit
from tests.reports.hostile import TRICKS, hostile_report
from tests.reports.sample import EVERYTHING, PROFILE, SEEN, report, result


def again(whole: Report) -> Report:
    return read_report(render("json", whole, Style()), "head.json")


def judged(*verdicts: Any) -> Report:
    return report(replace(result(SEEN), verdicts=verdicts))


P50, RAM = METRICS["latency_p50"], METRICS["ram_peak"]
PROJECTED = Measurement(P50, 0.05, Provenance.PROJECTED, 0.04, 0.06, interval=True, basis="90 % interval")
#: Every way to a bound: both levels, each alone, decided and not, and each rule for what is unknown.
BOUNDS = judged(
    *(
        judge(replace(limit("latency_p50", error, warn), on_unknown=rule), finding)
        for rule in OnUnknown
        for error, warn in ((0.055, 0.05), (0.055, None), (None, 0.055), (0.07, 0.055), (0.07, 0.03), (0.03, 0.02))
        for finding in (PROJECTED, Unmeasured(P50, "nothing was run"), Unmeasured(P50, "it crashed", fails=True))
    ),
    judge(limit("ram_peak", 80 * MIB, 60 * MIB), Measurement(RAM, math.nan, Provenance.MEASURED)),
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


@pytest.mark.parametrize("whole", REPORTS.values(), ids=REPORTS)
def test_nothing_is_lost_on_the_way(whole: Report) -> None:
    assert document(again(whole)) == document(whole)


@pytest.mark.parametrize("name", ["terminal", "junit", "markdown", "github", "sarif"])
@pytest.mark.parametrize("whole", REPORTS.values(), ids=REPORTS)
def test_every_format_says_the_same(whole: Report, name: str) -> None:
    """But for the device, which an older report calls by its id."""
    called = replace(PROFILE, name=PROFILE.id)
    expected = replace(whole, results=tuple(replace(one, profile=called) for one in whole.results))
    told = replace(again(whole), results=tuple(replace(one, profile=called) for one in again(whole).results))
    assert render(name, told, Style()) == render(name, expected, Style())


def test_the_bound_is_the_one_that_was_judged() -> None:
    assert [one.bound for one in again(BOUNDS).verdicts] == [one.bound for one in BOUNDS.verdicts]


def test_name_and_threads_are_read_where_they_are_told() -> None:
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
    text = render("json", EVERYTHING, Style()).replace("net.onnx", r"net\ud800.onnx")
    read = read_report(text, "head.json")
    assert read.results[0].budget.model.path.name == "net\N{REPLACEMENT CHARACTER}.onnx"
    render("json", read, Style()).encode()


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "head.json is empty."),
        ("\n \n", "head.json is empty."),
        ("{", "head.json is not whole JSON: Expecting property name"),
        ("[" * 200_000, "head.json is not whole JSON: it nests too deeply."),
        ("[]", "head.json is JSON, but no report of edgecheck's."),
        ('{"schema": "other"}', "head.json is JSON, but no report of edgecheck's."),
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
def test_what_is_no_report_is_told(text: str, message: str) -> None:
    with pytest.raises(UsageError) as caught:
        read_report(text, "head.json")
    assert caught.value.message.startswith(message)
    assert caught.value.hint


def test_one_that_is_cut_off_anywhere_is_told() -> None:
    text = render("json", report(result(SEEN)), Style())
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
def test_damage_is_told_with_its_place(message: str) -> None:
    data = document(report(result(SEEN)))
    DAMAGE[message](data)
    with pytest.raises(UsageError) as caught:
        read_report(json.dumps(data), "head.json")
    assert caught.value.message == f"head.json is damaged: {message}."


@pytest.mark.parametrize("number", ["NaN", "Infinity", "1e999"])
def test_a_number_that_is_none_is_told(number: str) -> None:
    text = json.dumps(document(report(result(SEEN)))).replace("4.5", number)
    with pytest.raises(UsageError):
        read_report(text, "head.json")


ANY = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=5,
)


@settings(max_examples=300, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow])
@given(data=st.data(), value=ANY)
def test_any_value_anywhere_is_read_or_told(data: st.DataObject, value: Any) -> None:
    whole = json.loads(render("json", report(result(SEEN)), Style()))
    inner: Any = whole
    while True:
        keys = sorted(inner) if isinstance(inner, dict) else range(len(inner))
        key = data.draw(st.sampled_from(keys))
        if not isinstance(inner[key], (dict, list)) or not inner[key] or data.draw(st.booleans()):
            inner[key] = value
            break
        inner = inner[key]
    try:
        read = read_report(json.dumps(whole), "head.json")
    except UsageError:
        return
    render("markdown", read, Style())
