"""`devices probe`: what a device says of itself becomes a profile that validates.

Covers `core/profile_draft.py`, `shell/opener.py`.
"""

from __future__ import annotations

import copy
import platform
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING, Any

import psutil
import pytest

from edgecheck.config import Profiles
from edgecheck.core.device import AppShare, Identity
from edgecheck.core.profile_draft import draft, fastest, nearest, probed
from edgecheck.targets.shell.cache import probe
from tests.agent.jetson_trees import NANO, laid_out
from tests.builders import profile
from tests.cli.command import EDGECHECK

if TYPE_CHECKING:
    from collections.abc import Callable

    from edgecheck.core.device import DeviceProfile
    from tests.targets.sshd import Board

PI: dict[str, Any] = {
    "event": "device",
    "model": "Raspberry Pi 4 Model B Rev 1.5",
    "system": "Linux",
    "kernel": "6.12.25+rpt-rpi-v8",
    "machine": "aarch64",
    "python": "3.13.5",
    "libc": "glibc 2.41",
    "page_size": 4096,
    "cpu": {
        "count": 4,
        "implementers": ["0x41"],
        "parts": ["0xd08"],
        "names": [],
        "features": ["fp", "asimd", "evtstrm", "crc32", "cpuid"],
        "clocks": [600_000_000] * 4,
        "highest_clocks": [1_800_000_000] * 4,
        "caches": [{"level": 2, "type": "Unified", "size": 2**20}],
    },
    "memory": {"total": 1_965_948_928, "available": 1_700_000_000},
    "storage": {"total": 31_000_000_000, "free": 25_000_000_000},
    "installed": {"onnxruntime": "1.22.0"},
}

EXPECTED = """\
# Found by: edgecheck devices probe ssh://pi@rack-1
# Nearest known profile: raspberry-pi-4-2gb
# kernel 6.12.25+rpt-rpi-v8, glibc 2.41, pages of 4 KiB, L2 Unified cache 1024 KiB
name: "Raspberry Pi 4 Model B (1.8 GiB)"
class: single-board-computer
soc: "Broadcom BCM2711"
identity: {model: "Raspberry Pi 4 Model B", cpu_part: "0xd08"}
cpu: {core: "cortex-a72", count: 4, clock: 1.8 GHz, features: [asimd, crc32]}
ram: {total: 1874 MiB, reserved: 253 MiB}
storage: {total: 31.0 GB, reserved: 6.0 GB}
# A start, as in the profiles that come with edgecheck: ram_peak 1/4 of the RAM, footprint 1/24 of the free
# storage and at most 500 MB, ten answers a second. Make them what your product needs.
limits: {ram_peak: 468 MiB, footprint: 500 MB, latency_p50: 100 ms}
python: "3.13"
runtimes: {tflite: ["ai-edge-litert==2.3.0"], onnx: ["onnxruntime==1.22.0"]}
emulation: {cpu: "cortex-a72"}
# edgecheck devices calibrate adds the projection: nanoseconds per instruction, measured on this device
sources: ["the device itself"]
"""


@pytest.fixture(scope="module")
def known() -> list[DeviceProfile]:
    profiles = Profiles()
    return [profiles.get(name) for name in profiles.ids()]


def loaded(text: str, folder: Path) -> DeviceProfile:
    (folder / "found.yaml").write_text(text, encoding="utf-8")
    return Profiles((folder,)).get("found")


def test_a_raspberry_pi_is_described_whole(known: list[DeviceProfile]) -> None:
    assert draft(PI, known, "ssh://pi@rack-1") == EXPECTED


def test_what_is_described_validates_and_says_the_same(known: list[DeviceProfile], tmp_path: Path) -> None:
    found = loaded(draft(PI, known, "ssh://pi@rack-1"), tmp_path)
    assert found.identity == Identity("Raspberry Pi 4 Model B", "0xd08")
    assert (found.cpu.core, found.cpu.count, found.cpu.clock) == ("cortex-a72", 4, 1.8e9)
    assert (found.ram.total, found.ram.reserved) == (1874 * 2**20, 253 * 2**20)
    assert {limit.metric.name for limit in found.limits} == {"ram_peak", "footprint", "latency_p50"}
    assert found.runtimes["onnx"] == ("onnxruntime==1.22.0",)


@pytest.mark.parametrize(
    "model",
    ["", 'Bob\'s: "board" #1\n\x1b[31m\x00\u2028', "it's {a: b}", "- x", "\\n", "Pi\u202e", "%TAG !", "é" * 300],
)
def test_whatever_a_device_calls_itself_validates(known: list[DeviceProfile], tmp_path: Path, model: str) -> None:
    event = copy.deepcopy(PI) | {"model": model, "kernel": model, "libc": model}
    assert loaded(draft(event, known, "ssh://pi@rack-1"), tmp_path).cpu.core == "cortex-a72"


@pytest.mark.parametrize(
    ("said", "share"),
    [
        ({"heap": "256m", "low_ram": False}, AppShare(heap=256 * 2**20, download=200_000_000)),
        ({"heap": "128M", "low_ram": True}, AppShare(heap=128 * 2**20, download=200_000_000, low_ram=True)),
        ({"heap": "196608k"}, AppShare(heap=192 * 2**20, download=200_000_000)),
        ({"heap": "", "low_ram": True}, None),
        ({"heap": "a lot"}, None),
    ],
)
def test_a_phone_says_what_an_app_may_take(
    known: list[DeviceProfile], tmp_path: Path, said: dict[str, Any], share: AppShare | None
) -> None:
    event = copy.deepcopy(PI) | {"model": "SM-X", "phone": {**said, "soc": "MT6765"}}
    found = loaded(draft(event, known, "adb://"), tmp_path)
    assert (found.kind, found.soc, found.app) == ("phone", "MT6765", share)
    assert next(limit.error for limit in found.limits if limit.metric.name == "download") == 200e6
    assert any("Google Play Console Help" in source for source in found.sources)


def test_a_device_that_says_next_to_nothing_validates(tmp_path: Path) -> None:
    bare = {"event": "device", "python": "3.6.15", "machine": "riscv64", "memory": {"total": 2**30}, "cpu": {}}
    text = draft(bare, [], "ssh://board")
    assert "clock: 1 GHz, features: []}  # the clock is a guess: correct it" in text
    found = loaded(text, tmp_path)
    assert (found.cpu.core, found.emulation_cpu) == ("riscv64", "")
    assert found.runtimes == {"tflite": ("ai-edge-litert",), "onnx": ("onnxruntime",)}


@pytest.mark.parametrize(
    ("changes", "name"),
    [
        ({}, "raspberry-pi-4-2gb"),
        ({"memory": {"total": 8 * 10**9}}, "raspberry-pi-4-8gb"),
        ({"model": "NVIDIA Jetson Orin Nano Developer Kit"}, "jetson-orin-nano"),
    ],
)
def test_the_nearest_profile_is_the_same_board_with_the_closest_ram(
    known: list[DeviceProfile], changes: dict[str, Any], name: str
) -> None:
    found = nearest(probed(PI | changes), known)
    assert found is not None
    assert found.id == name


def test_a_board_that_is_not_known_is_near_to_one_with_its_core(known: list[DeviceProfile]) -> None:
    event = PI | {"model": "Some Other Board", "cpu": {**PI["cpu"], "parts": ["0xd05", "0xd0b"]}}
    found = nearest(probed(event), known)
    assert found is not None
    assert found.cpu.core == "cortex-a76"
    assert nearest(probed(PI | {"model": "x", "cpu": {}}), [profile()]) is None


def test_of_several_cores_the_fastest_counts() -> None:
    core = fastest(["0x41"], ["0xd05", "0xd0b", "0xd44"])
    assert core is not None
    assert (core.name, core.emulation) == ("cortex-x1", "cortex-a76")
    assert fastest(["0x61"], ["0xd05"]) is None


ORIN: dict[str, Any] = PI | {
    "model": "NVIDIA Jetson Orin Nano Developer Kit",
    "jetson": {"mode": {"name": "15W", "number": 0}, "modes": [["15W", 0]], "clocks": [], "rails": {}},
    "accelerators": [
        {
            "provider": "tensorrt",
            "devices": ["/dev/nvgpu/igpu0/ctrl"],
            "libraries": ["/usr/lib/aarch64-linux-gnu/libnvinfer.so.10"],
            "runtimes": [],
            "missing": "no runtime that was built with it",
        },
        {
            "provider": "edgetpu",
            "devices": ["USB 18d1:9302"],
            "libraries": [],
            "runtimes": [],
            "missing": "no libedgetpu.so.1: install libedgetpu1-std",
        },
        {"provider": "a new\nkind", "devices": ["/dev/x"], "libraries": ["/x.so"], "runtimes": [], "missing": ""},
    ],
}


def test_a_jetson_gets_its_accelerators_and_its_power_mode(known: list[DeviceProfile], tmp_path: Path) -> None:
    text = draft(ORIN, known, "ssh://me@jetson")
    assert (
        "# accelerator edgetpu: USB 18d1:9302; no libedgetpu.so.1: install libedgetpu1-std\n"
        "accelerators:\n"
        '  - {provider: tensorrt, library: "libnvinfer.so.10", source: jetpack, precision: [fp32, fp16, int8]}'
        "  # no runtime that was built with it\n"
        'power_mode: "15W"\n'
    ) in text
    found = loaded(text, tmp_path)
    assert [str(one) for one in found.accelerators] == ["tensorrt: libnvinfer.so.10 (jetpack), fp32 fp16 int8"]
    assert (found.kind, found.power_mode) == ("jetson", "15W")


@pytest.mark.parametrize(
    ("library", "source"),
    [
        ("/vendor/lib64/libOpenCL.so", "android"),
        ("/usr/lib/python3/dist-packages/nvidia/cuda_runtime/lib/libcudart.so.12", "wheel"),
        ("/usr/lib/x86_64-linux-gnu/libcudart.so.12", "apt"),
    ],
)
def test_where_a_library_comes_from_shows_in_its_path(
    known: list[DeviceProfile], tmp_path: Path, library: str, source: str
) -> None:
    one = {"provider": "gpu", "devices": ["/dev/mali0"], "libraries": [library], "runtimes": [], "missing": ""}
    text = draft(PI | {"accelerators": [one]}, known, "ssh://pi@rack-1")
    assert "# the precision is a guess" in text
    (found,) = loaded(text, tmp_path).accelerators
    assert (found.source, found.precision) == (source, ("fp32", "fp16"))


@pytest.mark.ssh
def test_a_jetson_over_ssh(boards: Callable[..., Board], known: list[DeviceProfile], tmp_path: Path) -> None:
    """A real sshd on this machine, whose agent finds a Jetson's files where its environment says."""
    root = laid_out(tmp_path / "jetson", NANO)
    board = boards(EDGECHECK_SYSTEM_ROOT=str(root))
    event = probe(board.address)
    assert event["model"] == "NVIDIA Jetson Nano Developer Kit"
    assert event["jetson"]["mode"] == {"name": "5W", "number": 1}
    assert event["jetson"]["rails"]["POM_5V_IN"] == 4.52
    found = loaded(draft(event, known, board.address), tmp_path)
    assert (found.kind, found.power_mode) == ("jetson", "5W")


def test_this_machine_is_probed_without_a_connection(known: list[DeviceProfile], tmp_path: Path) -> None:
    done = subprocess.run(
        f"{EDGECHECK} devices probe local", shell=True, cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith("# Found by: edgecheck devices probe local\n")
    assert loaded(done.stdout, tmp_path).cpu.count == psutil.cpu_count()


@pytest.mark.ssh
def test_this_machine_over_ssh(board: Board, known: list[DeviceProfile], tmp_path: Path) -> None:
    event = probe(board.address)
    assert event["machine"] == platform.machine()
    assert event["installed"]["psutil"] == psutil.__version__
    found = loaded(draft(event, known, board.address), tmp_path)
    assert found.cpu.count == psutil.cpu_count()
    assert found.ram.total == psutil.virtual_memory().total // 2**20 * 2**20
    assert found.python == ".".join(platform.python_version_tuple()[:2])
    assert board.jobs == []


@pytest.mark.ssh
def test_what_it_writes_may_go_where_profiles_are_looked_for(board: Board, tmp_path: Path) -> None:
    """The shell has made the file, empty, before the command looks at the profiles that it knows."""
    (tmp_path / "device_profiles").mkdir()
    command = f"{EDGECHECK} devices probe {board.address} > device_profiles/my-board.yaml"
    done = subprocess.run(command, shell=True, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    assert Profiles([tmp_path / "device_profiles"]).get("my-board").cpu.count == psutil.cpu_count()
