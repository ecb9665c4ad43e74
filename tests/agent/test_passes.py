"""Whole jobs on real models, with the real runtimes: which processes run, and what they report."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from onnx.reference import ReferenceEvaluator

from edgecheck.core.looks import for_agent
from examples.real_models import fetch
from tests.agent.agent_runs import (
    ONE_PROCESS,
    QUICK,
    SUPERVISOR,
    TWO_INFERENCES,
    AgentRun,
    Array,
    Event,
    decoded,
    job,
    run,
)

PHASES = ["start", "runtime-ready", "model-loaded", "first-inference", "steady"]


def by_phase(heard: AgentRun, process: int) -> dict[str, Event]:
    return {event["phase"]: event for event in heard.of("phase", process=process)}


@pytest.fixture(scope="module")
def everything() -> AgentRun:
    return run(
        job(
            fetch("mtcnn_onet.onnx"),
            latency=QUICK,
            load={"processes": 3},
            memory={"interval_s": 0.002, "inferences": 40},
            outputs=True,
        )
    )


def test_the_device_is_described_first_and_again_at_the_end(everything: AgentRun) -> None:
    assert everything.code == 0
    assert everything.kinds[0] == "device"
    assert everything.kinds[-2:] == ["device", "done"]
    assert [event["when"] for event in everything.of("device")] == ["before", "after"]
    assert everything.stderr == ""


def test_each_pass_has_fresh_processes_and_the_latency_process_counts_as_a_load(everything: AgentRun) -> None:
    memory = everything.purposes.count("memory")
    assert everything.purposes == ["latency", "load", "load", *["memory"] * memory, "outputs"]
    assert 2 <= memory <= 5
    pids = [event["pid"] for event in everything.of("start")]
    assert len(set(pids)) == len(pids)
    assert {event["outcome"] for event in everything.of("end")} == {"completed"}


def test_phases_come_in_order_with_memory_that_grows(everything: AgentRun) -> None:
    for start in everything.of("start"):
        phases = by_phase(everything, start["process"])
        assert list(phases) == PHASES[: 4 if start["purpose"] == "load" else 5]
        marks = [event["hwm"] for event in phases.values()]
        assert marks == sorted(marks)
        times = [event["at_s"] for event in phases.values()]
        assert times == sorted(times)
        assert all(0 < event["rss"] <= event["hwm"] for event in phases.values())
        assert phases["model-loaded"]["load_s"] > 0
        assert phases["first-inference"]["first_s"] > 0


def test_a_small_model_costs_little_beyond_its_runtime(everything: AgentRun) -> None:
    """The file has 1.6 MB; the runtime, which is 35 MB and more, must be in memory before "runtime ready"."""
    phases = by_phase(everything, everything.purposes.index("memory") + 1)
    assert phases["steady"]["hwm"] - phases["runtime-ready"]["rss"] < 8e6
    assert phases["runtime-ready"]["rss"] - phases["start"]["rss"] > 20e6


def test_so_does_a_small_tflite_file() -> None:
    """52 kB; the interpreter's library and XNNPACK, 3 MB and more, come with the runtime."""
    phases = by_phase(run(job(fetch("hey_jarvis.tflite"), memory=ONE_PROCESS)), 1)
    assert phases["steady"]["hwm"] - phases["runtime-ready"]["rss"] < 2.5e6


def test_shares_are_read_in_the_memory_pass_alone(everything: AgentRun) -> None:
    for start in everything.of("start"):
        for event in by_phase(everything, start["process"]).values():
            if start["purpose"] == "memory":
                assert 0 < event["uss"] <= event["pss"] <= event["rss"] * 1.01
            else:
                assert event["pss"] is event["uss"] is None


def test_the_samples_agree_with_the_kernels_mark(everything: AgentRun) -> None:
    process = everything.purposes.index("memory") + 1
    batches = everything.of("sample", process=process)
    samples = [sample for event in batches for sample in event["samples"]]
    assert {event["source"].split()[0] for event in batches} == {"psutil"}
    assert all(len(event["available"]) == len(event["samples"]) for event in batches)
    assert [at for at, _ in samples] == sorted(at for at, _ in samples)
    mark = by_phase(everything, process)["steady"]["hwm"]
    assert max(rss for _, rss in samples) == pytest.approx(mark, rel=0.03)


def test_nothing_is_sampled_while_latency_is_measured(everything: AgentRun) -> None:
    assert {event["process"] for event in everything.of("sample")} == {
        at for at, purpose in enumerate(everything.purposes, 1) if purpose == "memory"
    }


def test_latencies_are_whole_nanoseconds_and_each_batch_ends_in_a_look(everything: AgentRun) -> None:
    batches, looks = everything.of("latencies"), everything.of("look")
    values = [value for event in batches for value in event["values_ns"]]
    assert len(values) >= 10
    assert all(isinstance(value, int) and value > 0 for value in values)
    assert looks[-1]["n"] == len(values)
    assert len(looks) == len(batches)


def test_outputs_are_those_that_the_format_defines(everything: AgentRun) -> None:
    reference = ReferenceEvaluator(str(fetch("mtcnn_onet.onnx")))
    expected = reference.run(None, {"input_3": seeded(0, (1, 48, 48, 3))})
    outputs = everything.of("output")
    assert [event["name"] for event in outputs] == reference.output_names
    for event, value in zip(outputs, expected, strict=True):
        np.testing.assert_allclose(decoded(event), value, rtol=1e-4, atol=1e-6)


def seeded(seed: int, shape: tuple[int, ...]) -> Array:
    """The stream that docs/reference/agent-protocol.md describes, written once more from its words."""
    mask = 2**64 - 1

    def mixed(state: int) -> int:
        state = (state ^ state >> 30) * 0xBF58476D1CE4E5B9 & mask
        state = (state ^ state >> 27) * 0x94D049BB133111EB & mask
        return state ^ state >> 31

    offset, count = mixed(seed), int(np.prod(shape))
    stream = [mixed(at * 0x9E3779B97F4A7C15 + offset & mask) for at in range(1, count + 1)]
    values: Array = np.array([word >> 40 for word in stream], dtype=np.float32).reshape(shape) / np.float32(2**24)
    return values


def test_a_stateful_model_starts_anew_for_every_sample(tmp_path: Path) -> None:
    """Its state lies in resource variables, which the runtime's own reset leaves as they are: 9, 7, 7 without care."""
    one = np.full((1, 3, 40), -128, dtype=np.int8)
    np.savez(tmp_path / "s.npz", x=np.stack([one, one, one]))
    heard = run(job(fetch("hey_mycroft.tflite"), samples=str(tmp_path / "s.npz"), outputs=True))
    values = [int(decoded(event)[0, 0]) for event in heard.of("output")]
    assert heard.ending == ("completed", "exit", None)
    assert values == [9, 9, 9]


def test_a_full_integer_model_runs_and_reports_its_quantisation() -> None:
    heard = run(job(fetch("hey_jarvis.tflite"), deterministic=TWO_INFERENCES, outputs=True))
    (given,) = heard.of("inputs", process=1)[0]["inputs"]
    assert (given["dtype"], given["shape"], given["source"]) == ("int8", [1, 3, 40], "random")
    assert given["quantization"] == [pytest.approx(0.10196, abs=1e-5), -128]
    output = heard.of("output")[0]
    assert (output["dtype"], output["quantization"]) == ("uint8", [pytest.approx(1 / 256), 0])


@pytest.mark.parametrize(
    "name", ["face_detection_short_range.tflite", "face_detection_full_range_sparse.tflite", "emotion_quantized.tflite"]
)
def test_half_sparse_and_dynamic_range_files_run(name: str) -> None:
    heard = run(job(fetch(name), memory=ONE_PROCESS))
    assert heard.ending == ("completed", "exit", None)
    assert heard.of("runtime")[0]["name"] == "ai-edge-litert"


def test_a_small_file_may_need_much_memory() -> None:
    """9,311 bytes on disk, 143.7 million weights once loaded: the peak lies in loading, before the last phase."""
    heard = run(job(fetch("light_vgg19.onnx"), memory={"processes": [1, 1], "inferences": 1}))
    phases = by_phase(heard, 1)
    assert phases["model-loaded"]["hwm"] - phases["runtime-ready"]["rss"] > 575e6
    assert max(rss for event in heard.of("sample") for _, rss in event["samples"]) == pytest.approx(
        phases["steady"]["hwm"], rel=0.03
    )


def test_several_inputs_take_their_shapes_from_the_job() -> None:
    shapes = {"stacked_logmel": [1, 10, 512], "dvec": [1, 256], "h0": [3, 1, 512], "c0": [3, 1, 512]}
    heard = run(job(fetch("voicefilter.int8.onnx"), inputs=shapes, deterministic=TWO_INFERENCES))
    assert {one["name"]: one["shape"] for one in heard.of("inputs")[0]["inputs"]} == shapes
    assert heard.codes() == set()
    assert heard.ending == ("completed", "exit", None)


@pytest.mark.parametrize(("bound_s", "decision"), [(10.0, "pass"), (1e-7, "fail")])
def test_a_clear_verdict_ends_the_measuring_early(bound_s: float, decision: str) -> None:
    """The time allowed is a minute; the tables of looks are the host's own."""
    looks = [for_agent(f"latency_p{percent}:error", percent / 100, bound_s, 10.0, 1.0) for percent in (50, 90)]
    plan = {**QUICK, "min_count": 1, "max_s": 60, "looks": looks}
    heard = run(job(fetch("mtcnn_onet.onnx"), latency=plan))
    last = heard.of("look")[-1]
    assert {count["id"]: count["decision"] for count in last["counts"]} == {
        "latency_p50:error": decision,
        "latency_p90:error": decision,
    }
    values = [value for event in heard.of("latencies") for value in event["values_ns"]]
    assert last["n"] == len(values)
    assert sum(values) < 30e9


def test_batches_have_equal_counts_and_stop_when_two_agree() -> None:
    plan = {"tolerance": 0.5, "batch_s": 0.005, "max_batches": 30}
    (batches,) = run(job(fetch("mtcnn_onet.onnx"), deterministic=plan)).of("batches")
    counts = {batch["count"] for batch in batches["batches"]}
    assert len(counts) == 1
    assert batches["batches"][0]["total_ns"] >= 5_000_000
    means = [batch["total_ns"] / batch["count"] for batch in batches["batches"]]
    assert batches["agreed"]
    assert abs(means[-1] - means[-2]) <= 0.5 * max(means[-2:])


def test_batches_that_never_agree_end_all_the_same() -> None:
    plan = {"tolerance": 0, "batch_s": 0.0001, "max_batches": 3}
    (batches,) = run(job(fetch("mtcnn_onet.onnx"), deterministic=plan)).of("batches")
    assert (len(batches["batches"]), batches["agreed"]) == (3, False)


def test_a_slow_model_stops_at_its_time() -> None:
    plan = {**QUICK, "min_count": 1000, "max_s": 0.1}
    heard = run(job(fetch("nmp.onnx"), inputs={"input_2": [1, 43844, 1]}, latency=plan))
    values = [value for event in heard.of("latencies") for value in event["values_ns"]]
    assert 1 <= len(values) < 100
    assert sum(values[:-1]) < 0.1e9


def test_a_tiny_model_stops_at_its_count() -> None:
    plan = {**QUICK, "min_s": 60, "max_s": 60, "max_count": 500}
    heard = run(job(fetch("hey_jarvis.tflite"), latency=plan))
    assert heard.of("look")[-1]["n"] == 500


def test_a_tiny_model_is_timed_now_and_then_so_that_the_least_time_passes() -> None:
    plan = {**QUICK, "max_s": 20, "max_count": 600, "looks": [for_agent("p50", 0.5, 10.0, 20.0, 1.0)]}
    heard = run(job(fetch("hey_jarvis.tflite"), latency=plan))
    (count,) = heard.of("look")[-1]["counts"]
    values = [value for event in heard.of("latencies") for value in event["values_ns"]]
    assert (count["decision"], count["n"]) == ("pass", len(values))
    assert len(values) < 600
    assert count["over_s"] >= 0.99 > 2 * sum(values) / 1e9


def test_a_path_with_spaces_and_other_letters_is_fine(tmp_path: Path) -> None:
    folder = tmp_path / "vür ❤ x"
    folder.mkdir()
    (folder / "mo del.onnx").write_bytes(fetch("mtcnn_rnet.onnx").read_bytes())
    (folder / "job.json").write_text(
        '{"protocol": 1, "model": "mo del.onnx", "format": "onnx", "memory": {"processes": [1, 1]}}'
    )
    done = subprocess.run([sys.executable, SUPERVISOR, folder / "job.json"], capture_output=True, check=False)
    assert done.returncode == 0
    assert b'"outcome": "completed"' in done.stdout
