"""LiteRT's GPU accelerator on a software GPU: SwiftShader, from Debian's chromium.

Also covers `litert_library.py` and `said.py`.
"""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest

from edgecheck_agent import litert_library
from edgecheck_agent.accelerators import gpu
from examples.real_models import fetch
from tests.agent.agent_runs import QUICK, decoded, job, run

CHROMIUM = Path("/usr/lib/chromium")
ICD = CHROMIUM / "vk_swiftshader_icd.json"


@pytest.fixture
def software_gpu(monkeypatch: pytest.MonkeyPatch) -> None:
    """A GPU that Vulkan finds, without one."""
    if not ICD.exists():
        (pytest.fail if "CI" in os.environ else pytest.skip)("needs SwiftShader: apt-get install chromium-common")
    monkeypatch.setenv("VK_ICD_FILENAMES", str(ICD))
    monkeypatch.setenv("LD_LIBRARY_PATH", str(CHROMIUM))  # its libvulkan.so.1


FEW = dict(QUICK, min_count=3, max_count=3)
ASKED = {"provider": "gpu", "precision": "fp32"}


@pytest.mark.usefixtures("software_gpu")
def test_a_real_gpu_stack_runs_the_model_and_agrees_with_the_cpu() -> None:
    model = fetch("face_detection_short_range.tflite")
    found = run(job(model, accelerator=ASKED, outputs=True))
    assert found.ending == ("completed", "exit", None)
    (placed,) = found.of("placement")
    assert placed["taken"] == placed["total"] > 50
    assert "SwiftShader" in placed["accelerator"]
    assert found.of("note", code="software-gpu")
    on_cpu = run(job(model, outputs=True))
    for one, other in zip(found.of("output"), on_cpu.of("output"), strict=True):
        assert one["name"] == other["name"]
        np.testing.assert_allclose(decoded(one), decoded(other), rtol=1e-3, atol=1e-3)


@pytest.mark.usefixtures("software_gpu")
def test_the_time_has_the_reading_of_the_outputs_in_it() -> None:
    model = fetch("face_detection_short_range.tflite")
    found = run(job(model, accelerator=ASKED, latency=FEW))
    values = [value for event in found.of("latencies") for value in event["values_ns"]]
    assert len(values) == 3
    # A software GPU computes for many milliseconds; handing the work over takes a fraction of one.
    assert min(values) > 2_000_000


def test_without_a_gpu_the_cpu_does_not_stand_in(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("VK_ICD_FILENAMES", str(tmp_path / "none.json"))
    found = run(job(fetch("face_detection_short_range.tflite"), accelerator=ASKED, latency=QUICK))
    assert found.of("latencies") == []
    assert found.end["outcome"] == "refused"
    assert found.end["reason"] == "no-accelerator"
    assert "No adapters found" in found.end["message"]


PARTLY = """I0000 00:00:1 1 environment.cc:532] Selected adapter: Mali-G610, arch=valhall, adapterType=Integrated GPU
ERROR: Following operations are not supported by GPU delegate:
CALL_ONCE: Operation is not supported.
3 operations will run on the GPU, and the remaining 2 operations will run on the CPU.
ERROR: Following operations are not supported by GPU delegate:
VAR_HANDLE: Operation is not supported.
No operations will run on the GPU, and all 12 operations will run on the CPU.
INFO: Created TensorFlow Lite XNNPACK delegate for CPU.
"""


def test_what_litert_logs_of_the_first_graph() -> None:
    placed = gpu.placement(PARTLY, ["CALL_ONCE", "ADD", "MUL", "ADD", "SUB"], wholly=False)
    assert placed.accelerator == "GPU (Mali-G610, arch=valhall, adapterType=Integrated GPU)"
    assert (placed.taken, placed.total) == (3, 5)
    assert [(node.type, node.name, node.reason) for node in placed.left] == [
        ("CALL_ONCE", "#0", "Operation is not supported"),
        ("(not named)", "", ""),
    ]


def test_fully_accelerated_by_xnnpack_is_not_a_gpu() -> None:
    placed = gpu.placement("INFO: Created TensorFlow Lite XNNPACK delegate for CPU.", ["ADD"] * 97, wholly=False)
    assert (placed.taken, placed.total) == (0, 97)
    assert gpu.placement("", ["ADD"] * 97, wholly=True).taken == 97


@pytest.mark.usefixtures("software_gpu")
def test_a_real_model_that_a_gpu_takes_in_part() -> None:
    found = run(job(fetch("okay_nabu.tflite"), accelerator={"provider": "gpu"}, latency=FEW))
    assert found.ending == ("completed", "exit", None)
    (placed,) = found.of("placement")
    assert 0 < placed["taken"] < placed["total"]
    assert {"type": "CALL_ONCE", "reason": "Operation is not supported"}.items() <= placed["left"][0].items()


def test_litert_calls_a_model_fully_accelerated_that_runs_on_the_cpu_alone(tmp_path: Path) -> None:
    """Also where a GPU was asked for and its library is not found: that is not an error."""
    library = litert_library.library("ai_edge_litert", "2.3.0", "no-accelerator", "GPU")
    library.folder = str(tmp_path)
    model = str(fetch("face_detection_short_range.tflite"))
    for hardware in (litert_library.CPU, litert_library.GPU | litert_library.CPU):
        compiled = litert_library.Compiled(library, model, litert_library.Setting(1, hardware), None)
        assert library.truth("LiteRtCompiledModelIsFullyAccelerated", compiled.handle)
        assert not library.truth("LiteRtCompiledModelIsNonCpuFullyAccelerated", compiled.handle)
