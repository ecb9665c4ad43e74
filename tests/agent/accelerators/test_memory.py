"""Memory on an accelerator, from what NVML, nvmap, tegrastats and the kernel really print.

NVML itself is stood in for by a library with its documented ABI, which says what the test wants: no GPU is involved.
"""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from edgecheck.core.events import RunReader
from edgecheck.core.finding import Evidence, Measurement
from edgecheck.core.measurement import measure
from edgecheck.core.metrics import METRICS
from edgecheck_agent import procfs
from edgecheck_agent.accelerators import memory
from examples.real_models import fetch
from tests.agent.agent_runs import ONE_PROCESS, QUICK, job, run
from tests.builders import ARTIFACT, profile

MIB = 2**20

#: Lines of `tegrastats`. JetPack 4 on a Jetson Nano (rbonghi/jetson_stats tests/tegrastats @085bbf4), 5 and 6 on an
#: Orin Nano, 7 with its third figure (public logs of these boards).
JETPACK_4 = (
    "RAM 1180/3965MB (lfb 1x2MB) SWAP 149/1024MB (cached 7MB) IRAM 0/252kB(lfb 252kB) "
    "CPU [30%@1036,33%@1036,28%@1036,26%@1036] EMC_FREQ 10%@1600 GR3D_FREQ 0%@76 NVENC 716 NVDEC 716 APE 25 PLL@57C "
    "CPU@60.5C PMIC@100C GPU@59C AO@65C thermal@59.75C POM_5V_IN 4520/4680 POM_5V_GPU 0/0 POM_5V_CPU 1078/1205"
)
JETPACK_5 = (
    "01-24-2024 09:17:09 RAM 3503/7337MB (lfb 7x1MB) SWAP 430/3668MB (cached 1MB) "
    "CPU [11%@729,13%@729,9%@729,18%@729,off,off] EMC_FREQ 0%@2133 GR3D_FREQ 0%@305 GR3D2_FREQ 0%@0 VIC_FREQ 115 "
    "APE 174 CV0@42.718C CPU@44.093C SOC2@42.625C tj@46.968C VDD_IN 4915mW/4915mW VDD_CPU_GPU_CV 449mW/449mW"
)
JETPACK_6 = (
    "01-04-2025 16:02:59 RAM 1273/7620MB (lfb 1x4MB) SWAP 286/3810MB (cached 1MB) "
    "CPU [0%@1036,0%@1036,1%@1036,0%@1036,0%@729,0%@729] GR3D_FREQ 0% cpu@45.875C soc2@45.843C gpu@45.437C "
    "tj@46.312C VDD_IN 4968mW/4968mW VDD_CPU_GPU_CV 436mW/436mW VDD_SOC 1708mW/1708mW"
)
JETPACK_7 = (
    "09-01-2026 09:25:18 RAM 5739/7546MB (lfb 1x2MB) SWAP 2047/2048MB (cached 209MB) CPU [72%@1728,75%@1728] "
    "GR3D_FREQ 33% cpu@50C/50C tj@50C/50C VDD_IN 9761mW/9761mW/9761mW VDD_SOC 1825mW/1825mW/1825mW"
)

#: What nvmap's `clients` prints on an Orin (public logs, L4T 35 and 36); a process's name may have spaces.
CLIENTS = """\
CLIENT                        PROCESS      PID        SIZE
user                         gpu_burn     7979   23525644K
user                    VLLM::EngineCor  1792595   14617792K
user                       GPU Process     2651      17876K
user                       GPU Process     2651         24K
total                                            38161336K
"""


@pytest.mark.parametrize(("line", "mib"), [(JETPACK_4, 1180), (JETPACK_5, 3503), (JETPACK_6, 1273), (JETPACK_7, 5739)])
def test_tegrastats_of_every_jetpack_says_what_is_in_use(line: str, mib: int) -> None:
    assert memory.of_tegrastats(line) == {"tegrastats": mib * MIB}


@pytest.mark.parametrize("line", ["", "IRAM 0/252kB(lfb 252kB)", "tegrastats: cannot open /dev/nvhost", "RAM 12/MB"])
def test_a_line_without_ram_says_nothing(line: str) -> None:
    assert memory.of_tegrastats(line) == {}


@pytest.mark.parametrize(("pid", "held"), [(7979, 23525644 * 1024), (1792595, 14617792 * 1024), (2651, 17900 * 1024)])
def test_nvmap_lists_what_each_process_holds(pid: int, held: int) -> None:
    assert memory.of_nvmap(pid, CLIENTS) == {"nvmap": held}


@pytest.mark.parametrize(("pid", "clients"), [(797, CLIENTS), (265, CLIENTS), (1, ""), (1, "Permission denied")])
def test_a_process_that_is_not_listed_is_not_known(pid: int, clients: str) -> None:
    assert memory.of_nvmap(pid, clients) == {}


def test_without_nvidias_library_nvml_says_nothing() -> None:
    assert memory.of_nvml(os.getpid(), "libnvidia-ml-that-is-not-there.so.1") == {}


def test_where_nothing_else_tells_it_is_the_ram_that_is_left() -> None:
    """The real /proc/meminfo and /proc/PID/status of this machine; no other provider's library is asked."""
    found = memory.readings(os.getpid(), "openvino")
    info = procfs.sizes("/proc/meminfo")
    assert sorted(found) == ["available", "own"]
    assert found["available"] == pytest.approx(info["MemTotal"] - info["MemAvailable"], abs=256 * MIB)
    assert 0 < found["own"] <= procfs.sizes("/proc/self/status")["VmHWM"]


@pytest.mark.slow
def test_a_jetson_counts_its_buffers_in_meminfo(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The lines of a Jetson TX2's /proc/meminfo that are read (a public listing); other kernels lack the last."""
    (tmp_path / "proc").mkdir()
    lines = ("MemTotal:        8038768 kB", "MemAvailable:    5120000 kB", "NvMapMemUsed:     805068 kB")
    (tmp_path / "proc" / "meminfo").write_text("\n".join(lines) + "\n")
    (tmp_path / "sys/kernel/debug/nvmap/iovmm").mkdir(parents=True)
    clients = tmp_path / "sys/kernel/debug/nvmap/iovmm/clients"
    clients.write_text(CLIENTS.replace(" 7979 ", f" {os.getpid()} "))
    monkeypatch.setattr(procfs, "SYSTEM_ROOT", str(tmp_path))
    found = memory.readings(os.getpid(), "tensorrt")
    assert found["nvmap-total"] == 805068 * 1024
    assert found["nvmap"] == 23525644 * 1024
    assert found["available"] == (8038768 - 5120000) * 1024
    assert not {"nvmap", "nvmap-total"} & memory.readings(os.getpid(), "edgetpu").keys()


@pytest.fixture(scope="module", params=["", "-DOLD"], ids=["driver", "old driver"])
def nvml(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The stand-in for NVML, compiled here."""
    library = tmp_path_factory.mktemp("nvml") / "libnvidia-ml.so.1"
    source = Path(__file__).with_name("nvml_stand_in.cc")
    options = [option for option in ("-shared", "-fPIC", "-std=c++17", request.param) if option]
    done = subprocess.run(["g++", *options, "-o", library, source], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return library


def said(folder: Path, text: str, monkeypatch: pytest.MonkeyPatch) -> Path:
    """What NVML is to say: see nvml_stand_in.cc."""
    file = folder / "said"
    file.write_text(text)
    monkeypatch.setenv("NVML_STAND_IN", str(file))
    return file


def test_nvml_adds_up_what_a_process_holds_on_all_gpus(
    nvml: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    said(tmp_path, f"{700 * MIB}\n1 {100 * MIB}\n7 {300 * MIB}\n\n{50 * MIB}\n7 {20 * MIB}\n\n{9 * MIB}\n", monkeypatch)
    assert memory.of_nvml(7, str(nvml)) == {"nvml": 320 * MIB, "nvml-device": 759 * MIB}
    assert memory.of_nvml(8, str(nvml)) == {"nvml-device": 759 * MIB}


def test_a_figure_that_nvml_does_not_have_is_none(nvml: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Per process NVML_VALUE_NOT_AVAILABLE; of the device NVML_ERROR_NOT_SUPPORTED, as on a Jetson before Thor."""
    said(tmp_path, f"{700 * MIB}\n7 {2**64 - 1}\n", monkeypatch)
    assert memory.of_nvml(7, str(nvml)) == {"nvml-device": 700 * MIB}
    said(tmp_path, "0\n", monkeypatch)
    assert memory.of_nvml(7, str(nvml)) == {}


def test_a_driver_that_is_not_loaded_is_none(nvml: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NVML_STAND_IN", str(tmp_path / "missing"))
    assert memory.of_nvml(7, str(nvml)) == {}


def test_a_meter_takes_what_the_process_holds_before_what_everybody_does(
    nvml: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LD_LIBRARY_PATH", str(nvml.parent))
    file = said(tmp_path, f"{100 * MIB}\n", monkeypatch)
    meter = memory.Meter(os.getpid(), "cuda")
    file.write_text(f"{500 * MIB}\n{os.getpid()} {350 * MIB}\n")
    assert meter.grown() == {"bytes": 350 * MIB, "source": "nvml", "words": "what the process holds by NVML"}
    file.write_text(f"{500 * MIB}\n1 {350 * MIB}\n")  # in a container, by a number that the process does not know
    grown = meter.grown()
    assert grown is not None
    assert (grown["source"], grown["bytes"]) == ("nvml-device", 400 * MIB)


@pytest.mark.slow
def test_a_meter_reads_tegrastats_where_it_is_a_jetsons(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A program of that name, which prints a Jetson's lines without end."""
    tool = tmp_path / "tegrastats"
    used = tmp_path / "used"
    used.write_text("1273")
    line = JETPACK_6.replace("RAM 1273/", f"RAM $(cat '{used}')/")
    tool.write_text(f'#!/bin/sh\n[ "$*" = "--interval 100" ] && while :; do echo "{line}"; sleep 0.1; done\n')
    tool.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    meter = memory.Meter(os.getpid(), "tensorrt")
    used.write_text("1400")
    grown = meter.grown()
    assert grown is not None
    assert (grown["source"], grown["bytes"]) == ("tegrastats", 127 * MIB)
    assert grown["words"].startswith("the growth of RAM in use by tegrastats, other processes included; ")


@pytest.mark.slow
def test_the_fall_of_what_is_available_names_the_process_s_own_share() -> None:
    """Others take and release memory here meanwhile: only the share of this process is exact."""
    before = memory.readings(os.getpid(), "openvino")
    meter = memory.Meter(os.getpid(), "openvino")
    held = bytearray(b"x" * (64 * MIB))
    grown = meter.grown()
    after = memory.readings(os.getpid(), "openvino")
    assert grown is not None
    assert grown["source"] == "available"
    own = float(grown["words"].rpartition("; ")[2].partition(" MiB of it the process's own")[0])
    assert 0 <= own <= grown["bytes"] / MIB + 0.1
    assert 0.9 * len(held) < after["own"] - before["own"] < 1.5 * len(held)


def test_the_memory_pass_reports_it_and_the_metric_reads_it() -> None:
    """A real model on XNNPACK, through the agent's supervisor."""
    done = run(job(fetch("hey_jarvis.tflite"), memory=ONE_PROCESS, accelerator={"provider": "xnnpack"}))
    kinds = [event["phase"] if event["event"] == "phase" else event["event"] for event in done.events]
    assert kinds[kinds.index("first-inference") + 1] == "accelerator-memory"
    reader = RunReader("local")
    for event in done.events:
        reader.feed(event)
    found = measure(METRICS["ram_accelerator"], Evidence(artifact=ARTIFACT, run=reader.run(), profile=profile()))
    assert isinstance(found, Measurement), found
    assert found.basis.startswith("of one process: the fall of MemAvailable, other processes included; ")


def test_no_other_pass_reads_it() -> None:
    """Neither those that take times, nor a job without an accelerator."""
    timed = run(job(fetch("hey_jarvis.tflite"), latency=QUICK, accelerator={"provider": "xnnpack"}))
    plain = run(job(fetch("hey_jarvis.tflite"), memory=ONE_PROCESS))
    assert (timed.end["outcome"], plain.end["outcome"]) == ("completed", "completed")
    assert timed.of("accelerator-memory") == plain.of("accelerator-memory") == []
