"""ONNX Runtime's OpenVINO provider on the CPU: a real partial fallback, a full one, and none.

Also covers `onnx_sessions.py`, and what a build of onnxruntime without the provider says.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from tests import openvino
from tests.agent.agent_runs import ONE_PROCESS, QUICK, AgentRun, job, run

if TYPE_CHECKING:
    from pathlib import Path

ASKED = {"provider": "openvino", "precision": None}
EP = "OpenVINOExecutionProvider"


@pytest.fixture(scope="module")
def path() -> list[str]:
    return [str(openvino.unpacked_bundle())]


def on_openvino(model: Path, path: list[str], **fields: Any) -> AgentRun:
    return run(job(model, accelerator=ASKED, python_path=path, **fields))


def test_a_real_partial_fallback(path: list[str], tmp_path: Path) -> None:
    model = openvino.partly(tmp_path / "m.onnx")
    found = on_openvino(model, path, latency=QUICK, profile={"min_s": 0, "max_s": 0.2, "max_count": 10})
    assert found.ending == ("completed", "exit", None)
    first, second = found.of("placement")
    assert (first["accelerator"], first["taken"], first["total"]) == (EP, 4, 6)
    assert [(node["type"], node["name"], node["provider"]) for node in first["left"]] == [
        ("Unique", "odd_one_out", "CPUExecutionProvider"),
        ("ReduceSum", "sum", "CPUExecutionProvider"),
    ]
    assert dict(second, process=1) == first
    rows = [row for event in found.of("operators") for row in event["operators"]]
    assert {row["provider"] for row in rows} == {EP, "CPUExecutionProvider"}


def test_a_full_fallback_is_refused(path: list[str], tmp_path: Path) -> None:
    found = on_openvino(openvino.not_at_all(tmp_path / "m.onnx"), path, latency=QUICK)
    assert found.ending == ("refused", "steady", "unused-accelerator")
    assert found.end["message"] == (
        "nothing of the model ran on openvino (0 of 1 nodes, by onnxruntime's graph assignment): the CPU ran it"
    )


def test_what_it_compiled_is_kept_for_the_processes_that_follow(path: list[str], tmp_path: Path) -> None:
    model = openvino.wholly(tmp_path / "m.onnx")
    load = {"processes": 2, "cached": 2}
    found = on_openvino(model, path, latency=QUICK, load=load, memory=ONE_PROCESS)
    assert found.purposes == ["latency", "load", "cached-load", "cached-load", "memory", "memory"]
    assert found.ending == ("completed", "exit", None)


def test_a_build_without_the_provider_says_what_it_has(tmp_path: Path) -> None:
    model = openvino.wholly(tmp_path / "m.onnx")
    for provider, package in (("openvino", "onnxruntime-openvino"), ("cuda", "onnxruntime-gpu")):
        found = run(job(model, accelerator={"provider": provider}, latency=QUICK))
        assert found.ending == ("refused", "runtime", "no-accelerator")
        assert f"{provider} is not in this build: onnxruntime " in found.end["message"]
        assert "CPUExecutionProvider" in found.end["message"]
        assert f"--runtime {package}" in found.end["message"]
