"""docs/reference/agent-protocol.md shows every event with the fields that it really has, and every key of a job."""

from __future__ import annotations

import json
import os
import re
from pathlib import Path

import pytest

from edgecheck_agent import jobs, refusals, sayings
from edgecheck_agent.accelerators import memory
from examples.real_models import fetch
from tests.agent.agent_runs import ONE_PROCESS, QUICK, TWO_INFERENCES, Event, Live, job, run

DOCUMENT = Path(__file__).parents[2] / "docs" / "reference" / "agent-protocol.md"


def examples() -> dict[str, Event]:
    blocks = re.findall(r"```json\n(.*?)```", DOCUMENT.read_text(encoding="utf-8"), re.DOTALL)
    lines = [line for block in blocks for line in block.splitlines() if line.startswith('{"event"')]
    return {event["event"]: event for event in map(json.loads, lines)}


@pytest.fixture(scope="module")
def real(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Event]:
    """An event of each kind, from real runs."""
    model = fetch("ocr_classify.onnx")
    lock = tmp_path_factory.mktemp("lock") / "lock"
    holding = job(model, latency={**QUICK, "min_s": 600, "max_s": 600}, lock=str(lock))
    runs = [
        run(job(fetch("okay_nabu.tflite"), latency=QUICK, accelerator={"provider": "xnnpack"})),
        run(job(model, latency=QUICK, memory=ONE_PROCESS, outputs=True)),
        run(job(model, deterministic=TWO_INFERENCES)),
        run(job(model, profile={"max_count": 3}, inputs={"x": [1, 3, 48, 192]})),
        run(job(model, latency={"warmup_s": 0, "sustained_s": 0.1}, inputs={"x": [1, 3, 48, 192]})),
    ]
    with Live(holding) as live:
        live.until("start")
        runs.append(run(job(model, lock=str(lock), lock_timeout_s=0.1)))
    events = {event["event"]: event for heard in runs for event in heard.events}
    events["state"]["temperatures"] = {}  # which depend on the machine
    events["phase"] = runs[1].of("phase", phase="model-loaded")[0]
    return events


def fields(event: Event) -> dict[str, object]:
    """The names of an event's fields, and of theirs."""
    inner = {name: value[0] if isinstance(value, list) and value else value for name, value in event.items()}
    return {name: sorted(value) if isinstance(value, dict) else None for name, value in inner.items()}


def test_every_kind_of_event_is_shown_as_it_is(real: dict[str, Event]) -> None:
    shown = examples()
    assert shown.pop("counted")["process"] == 1  # which the emulated machine's host adds: tests/emulator/counters
    taken = memory.Meter(os.getpid(), "openvino").grown()  # the runs had no accelerator
    assert taken is not None
    assert shown.pop("accelerator-memory").keys() == {"event", "process", *taken}
    assert sorted(shown) == sorted(real)
    for kind, event in real.items():
        expected = fields(event)
        found = fields(shown[kind])
        if kind == "look":  # the run had no limits to count for
            found["counts"] = None
        if kind == "device":
            assert sorted(shown[kind]["memory"]) == sorted(event["memory"])
        assert found == expected, kind


def test_every_key_of_a_job_is_documented_with_its_default() -> None:
    text = DOCUMENT.read_text(encoding="utf-8")
    rows = dict(re.findall(r"^\| `(\w+)` \| (.*?) \|", text.split("## Events")[0], re.MULTILINE))
    for name, key in jobs.KEYS.items():
        assert name in rows
        if key.default is not jobs._REQUIRED:
            assert rows[name] == json.dumps(key.default), name
    for plan, keys in jobs.PLANS.items():
        (paragraph,) = re.findall(rf"^`{plan}`: (.*?)\n\n", text, re.MULTILINE | re.DOTALL) or [text]
        for name, key in keys.items():
            shown = paragraph.replace("\n", " ")
            assert f"`{name}`" in shown or f'"{name}": {key.default}' in shown, (plan, name)


def test_the_example_job_is_a_good_one() -> None:
    text = re.search(r"```json\n(\{\n.*?\n\})\n```", DOCUMENT.read_text(encoding="utf-8"), re.DOTALL)
    assert text is not None
    assert jobs.parse(text.group(1), "/there")["model"] == "/there/model.onnx"


def test_every_reason_and_outcome_is_documented() -> None:
    text = DOCUMENT.read_text(encoding="utf-8")
    after = text.split("| `reason` | |")[1].split("\n\n")[0]
    assert tuple(re.findall(r"^\| `(.+?)` \|", after, re.MULTILINE)) == refusals.REASONS
    for outcome in ("crashed", "killed", "killed-for-memory", "timeout", "refused", "completed"):
        assert f"| `{outcome}` |" in text, outcome


def test_no_other_reason_is_ever_sent() -> None:
    assert {reason for reason, _, _ in sayings.SAYINGS} < set(refusals.REASONS)
    with pytest.raises(ValueError, match="unknown reason"):
        refusals.Refused("unheard-of", "It is not documented.")
