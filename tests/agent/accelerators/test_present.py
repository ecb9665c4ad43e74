"""Which accelerators a device has: from files laid out as on real boards, and from the runtimes installed here."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from edgecheck_agent import child, procfs
from edgecheck_agent.accelerators import present
from tests.agent.jetson_trees import NANO, ORIN_NANO, laid_out


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(procfs, "SYSTEM_ROOT", str(tmp_path))
    monkeypatch.setattr(present, "runtimes", list)  # those of this machine say nothing about the files
    monkeypatch.delenv("LD_LIBRARY_PATH", raising=False)
    return tmp_path


def by_provider() -> dict[str, dict[str, Any]]:
    return {one["provider"]: one for one in present.found()}


def test_a_system_without_anything_has_none(root: Path) -> None:
    laid_out(root, {"dev/null": ""})
    assert present.found() == []


def test_a_jetson_orin_has_cuda_and_tensorrt(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    laid_out(root, ORIN_NANO)
    found = by_provider()
    assert set(found) == {"tensorrt", "cuda"}
    assert found["tensorrt"]["devices"] == ["/dev/nvgpu/igpu0/ctrl"]
    assert found["tensorrt"]["libraries"] == ["/usr/lib/aarch64-linux-gnu/libnvinfer.so.10"]
    assert found["cuda"]["libraries"] == ["/usr/local/cuda-12.6/targets/aarch64-linux/lib/libcudart.so.12"]
    assert found["cuda"]["missing"] == "no runtime that was built with it"
    monkeypatch.setattr(present, "runtimes", lambda: ["TensorrtExecutionProvider", "CPUExecutionProvider"])
    assert by_provider()["tensorrt"]["missing"] == ""
    assert by_provider()["tensorrt"]["runtimes"] == ["TensorrtExecutionProvider"]


def test_a_device_without_its_library_says_what_to_install(root: Path) -> None:
    laid_out(root, {**NANO, "dev/apex_0": ""})
    found = by_provider()
    assert found["cuda"]["devices"] == ["/dev/nvhost-gpu"]
    assert found["cuda"]["missing"] == "no libcudart.so: install the CUDA runtime (JetPack: cuda)"
    assert found["edgetpu"]["devices"] == ["/dev/apex_0"]
    assert found["edgetpu"]["missing"] == "no libedgetpu.so.1: install libedgetpu1-std (Coral's packages)"


def test_a_library_without_its_device_says_where_that_was_looked_for(root: Path) -> None:
    laid_out(root, {"usr/lib/aarch64-linux-gnu/libedgetpu.so.1": ""})
    missing = by_provider()["edgetpu"]["missing"]
    assert missing == "no device (/dev/apex_[0-9]*, USB 1a6e:089a, USB 18d1:9302)"


@pytest.mark.parametrize("pair", [("1a6e", "089a"), ("18d1", "9302")])
def test_a_coral_is_known_on_usb_with_and_without_its_firmware(root: Path, pair: tuple[str, str]) -> None:
    device = {"idVendor": pair[0] + "\n", "idProduct": pair[1] + "\n"}
    hub = {"idVendor": "1d6b\n", "idProduct": "0003\n"}
    files = {f"sys/bus/usb/devices/2-1/{name}": text for name, text in device.items()}
    files |= {f"sys/bus/usb/devices/usb2/{name}": text for name, text in hub.items()}
    laid_out(root, files | {"usr/lib/libedgetpu.so.1": ""})
    found = by_provider()
    assert found["edgetpu"]["devices"] == [f"USB {pair[0]}:{pair[1]}"]
    assert found["edgetpu"]["missing"] == ""


def test_an_ai_hat_a_gpu_and_a_phone(root: Path) -> None:
    names = ["dev/hailo0", "usr/lib/libhailort.so.4.23.0", "dev/dri/renderD128"]
    names += ["usr/lib/x86_64-linux-gnu/libvulkan.so.1"]
    laid_out(root, dict.fromkeys((*names, "system/lib64/libneuralnetworks.so", "vendor/lib64/libOpenCL.so"), ""))
    found = by_provider()
    assert set(found) == {"hailo", "gpu", "nnapi"}
    assert (found["hailo"]["devices"], found["hailo"]["missing"]) == (["/dev/hailo0"], "")
    assert found["gpu"]["libraries"] == ["/vendor/lib64/libOpenCL.so", "/usr/lib/x86_64-linux-gnu/libvulkan.so.1"]
    assert found["nnapi"]["libraries"] == ["/system/lib64/libneuralnetworks.so"]


def test_a_library_and_the_links_to_it_are_one(root: Path) -> None:
    folder = root / "usr/lib/aarch64-linux-gnu"
    laid_out(root, {"usr/lib/aarch64-linux-gnu/libnvinfer.so.10.3.0": "", "dev/nvhost-gpu": ""})
    (folder / "libnvinfer.so.10").symlink_to("libnvinfer.so.10.3.0")
    (folder / "libnvinfer.so").symlink_to("libnvinfer.so.10")
    assert by_provider()["tensorrt"]["libraries"] == ["/usr/lib/aarch64-linux-gnu/libnvinfer.so.10"]


def test_a_folder_of_libraries_may_be_named_by_the_environment(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    laid_out(root, {"elsewhere/libedgetpu.so.1": "", "dev/apex_0": ""})
    monkeypatch.setenv("LD_LIBRARY_PATH", f"relative:{root / 'elsewhere'}")
    assert by_provider()["edgetpu"]["libraries"] == ["/elsewhere/libedgetpu.so.1"]


def test_the_runtimes_that_are_installed_here_say_what_they_were_built_with() -> None:
    """Real ones: ONNX Runtime's providers, asked in a process of its own, and the accelerators in LiteRT's wheel."""
    import ai_edge_litert

    folder = Path(ai_edge_litert.__file__).parent
    libraries = {path.name for path in folder.glob("libLiteRt*Accelerator*.so")}
    code = "import onnxruntime; print(*onnxruntime.get_available_providers())"
    done = subprocess.run(
        [sys.executable, "-c", code], env=os.environ | child.QUIET, capture_output=True, text=True, check=True
    )
    found = set(present.runtimes())
    assert found == {*done.stdout.split(), *libraries}
    assert "CPUExecutionProvider" in found
