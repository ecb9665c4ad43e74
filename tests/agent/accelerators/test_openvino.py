"""ONNX Runtime's OpenVINO provider on the CPU: a real partial fallback, a full one, and none.

Also covers `onnx_sessions.py`, and what a build of onnxruntime without the provider says.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from edgecheck_agent.accelerators import onnx_sessions
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


def test_a_precision_that_the_device_lacks_is_not_a_run_on_the_cpu(path: list[str], tmp_path: Path) -> None:
    """The provider is left out, and the session made without it: onnxruntime says so in its log alone."""
    model = openvino.wholly(tmp_path / "m.onnx")
    found = run(job(model, accelerator={"provider": "openvino", "precision": "fp16"}, python_path=path, latency=QUICK))
    assert found.ending == ("refused", "load", "no-accelerator")
    assert found.end["message"] == (
        "onnxruntime could not start OpenVINOExecutionProvider, and went on with CPUExecutionProvider: "
        "Unsupported inference precision is selected. CPU only supports FP32, ACCURACY"
    )


def test_what_onnxruntime_prints_about_missing_libraries() -> None:
    log = (
        "2026-01-01 00:00:00 [E:onnxruntime:Default, provider_bridge_ort.cc:2251 TryGetProviderInfo_CUDA] "
        "provider_bridge_ort.cc:1844 onnxruntime::Provider& Get() [ONNXRuntimeError] : 1 : FAIL : Failed to load "
        "library libonnxruntime_providers_cuda.so with error: libcublasLt.so.12: cannot open shared object file\n"
        "2026-01-01 00:00:00 [W:onnxruntime:Default, onnxruntime_pybind_state.cc:965 CreateExecutionProviderInstance] "
        "Failed to create CUDAExecutionProvider. Require cuDNN 9.* and CUDA 12.*.\n"
    )
    assert onnx_sessions.reasons(log) == (
        "Failed to load library libonnxruntime_providers_cuda.so with error: libcublasLt.so.12: cannot open "
        "shared object file; Failed to create CUDAExecutionProvider. Require cuDNN 9.* and CUDA 12.*"
    )
    assert onnx_sessions.reasons("nothing") == ""
