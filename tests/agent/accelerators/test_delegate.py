"""External delegates: a fake NPU that takes a share of a model, is slow, returns rubbish, crashes and hangs.

Also covers `engines.py` and `tflite_models.py`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from tests.agent.accelerators.npu import ABS, NEG, chain, misbehaving
from tests.agent.agent_runs import ONE_PROCESS, QUICK, AgentRun, decoded, job, run

if TYPE_CHECKING:
    from pathlib import Path


def on(library: Path | str, precision: str | None = None) -> dict[str, Any]:
    return {"provider": str(library), "precision": precision}


def placed(found: AgentRun) -> list[tuple[int, int]]:
    return [(event["taken"], event["total"]) for event in found.of("placement")]


def test_a_part_of_the_model_is_taken_and_the_rest_is_named(npu: Path, tmp_path: Path) -> None:
    model = chain(tmp_path / "m.tflite", NEG, ABS, NEG, ABS, NEG)
    found = run(job(model, accelerator=on(npu), latency=QUICK, memory=ONE_PROCESS, outputs=True))
    assert found.ending == ("completed", "exit", None)
    assert placed(found) == [(2, 5)] * 3
    event = found.of("placement")[0]
    assert [(node["type"], node["name"]) for node in event["left"]] == [("NEG", "#0"), ("NEG", "#2"), ("NEG", "#4")]
    assert event["accelerator"] == str(npu)
    (output,) = found.of("output")
    assert (decoded(output) <= 0).all()


def test_neighbours_become_one_partition_and_count_one_by_one(npu: Path, tmp_path: Path) -> None:
    model = chain(tmp_path / "m.tflite", ABS, ABS, ABS)
    assert placed(run(job(model, accelerator=on(npu), latency=QUICK))) == [(3, 3)]


def test_a_delegate_that_takes_nothing_is_not_used(npu: Path, tmp_path: Path) -> None:
    model = chain(tmp_path / "m.tflite", NEG, ABS)
    found = run(job(model, accelerator=on(misbehaving(npu, "idle")), latency=QUICK))
    assert found.ending == ("refused", "steady", "unused-accelerator")
    assert "nothing of the model ran on" in found.end["message"]
    assert "(0 of 2 nodes, by the interpreter's list of delegated operators): the CPU ran it" in found.end["message"]
    assert found.of("latencies") == []


def test_a_delegate_that_cannot_start_says_why(npu: Path, tmp_path: Path) -> None:
    model = chain(tmp_path / "m.tflite", ABS)
    found = run(job(model, accelerator=on(misbehaving(npu, "absent")), latency=QUICK))
    assert found.ending[::2] == ("refused", "no-accelerator")
    assert "no NPU answers on the bus" in found.end["message"]


def test_a_library_that_is_missing_or_something_else(tmp_path: Path) -> None:
    model = chain(tmp_path / "m.tflite", ABS)
    found = run(job(model, accelerator=on(tmp_path / "libnpu.so"), latency=QUICK))
    assert found.ending == ("refused", "runtime", "no-accelerator")
    assert "cannot be loaded on the device" in found.end["message"]
    found = run(job(model, accelerator=on("libm.so.6"), latency=QUICK))
    assert found.ending == ("refused", "runtime", "no-accelerator")
    assert "is not a delegate of TensorFlow Lite" in found.end["message"]


def test_what_it_returns_is_what_is_sent(npu: Path, tmp_path: Path) -> None:
    model = chain(tmp_path / "m.tflite", NEG, ABS)
    found = run(job(model, accelerator=on(misbehaving(npu, "rubbish")), outputs=True))
    assert not np.any(decoded(found.of("output")[0]))
    found = run(job(model, accelerator=on(misbehaving(npu, "wander")), outputs=True))
    (note,) = found.of("note", code="outputs-vary")
    assert "outputs differ from run to run on the same inputs: t2 by up to " in note["message"]


def test_its_time_is_in_the_latency(npu: Path, tmp_path: Path) -> None:
    model = chain(tmp_path / "m.tflite", NEG, ABS, NEG, ABS)
    found = run(job(model, accelerator=on(misbehaving(npu, "slow")), latency=QUICK))
    values = [value for event in found.of("latencies") for value in event["values_ns"]]
    assert min(values) >= 2 * 5_000_000  # two partitions that sleep; a sleep is never too short


def test_a_crash_and_a_hang_are_the_models(npu: Path, tmp_path: Path) -> None:
    model = chain(tmp_path / "m.tflite", ABS)
    found = run(job(model, accelerator=on(misbehaving(npu, "crash")), latency=QUICK))
    assert found.ending == ("crashed", "first-inference", None)
    assert found.end["signal"] == "SIGABRT"
    found = run(job(model, accelerator=on(misbehaving(npu, "hang")), latency=QUICK, deadline_s=3))
    assert found.ending == ("timeout", "first-inference", None)


def test_there_is_no_profile_of_a_delegate(npu: Path, tmp_path: Path) -> None:
    model = chain(tmp_path / "m.tflite", ABS)
    found = run(job(model, accelerator=on(npu), latency=QUICK, profile={"max_count": 3}))
    assert found.purposes == ["latency", "profile"]
    assert found.ending[::2] == ("refused", "no-profile")


@pytest.mark.parametrize(
    ("accelerator", "message"),
    [
        ({"provider": "tpu"}, "there is no accelerator 'tpu'"),
        ({"provider": "openvino"}, "openvino does not run .tflite"),
        ({"provider": 3}, "the job's accelerator.provider is of the wrong type: 3"),
        ({"precision": "fp16"}, "the job has no accelerator.provider"),
    ],
)
def test_jobs_that_ask_for_something_else(accelerator: dict[str, Any], message: str, tmp_path: Path) -> None:
    found = run(job(chain(tmp_path / "m.tflite", ABS), accelerator=accelerator, latency=QUICK))
    assert found.of("problem")[0]["message"] == message
