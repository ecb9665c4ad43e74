"""What is read of a device: here from this machine, and from what boards say."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import psutil
import pytest

from edgecheck_agent import device_state, procfs
from tests.agent.agent_runs import SUPERVISOR, agent_run

PI = """\
processor\t: 0
BogoMIPS\t: 108.00
Features\t: fp asimd evtstrm crc32 cpuid
CPU implementer\t: 0x41
CPU architecture: 8
CPU variant\t: 0x0
CPU part\t: 0xd08
CPU revision\t: 3

processor\t: 1
Features\t: fp asimd evtstrm crc32 cpuid
CPU implementer\t: 0x41
CPU part\t: 0xd08

Hardware\t: BCM2835
Revision\t: b03115
Model\t\t: Raspberry Pi 4 Model B Rev 1.5
"""


def probe() -> dict[str, object]:
    done = subprocess.run([sys.executable, SUPERVISOR, "--probe"], capture_output=True, check=True)
    result = agent_run(done.stdout, done.stderr, done.returncode)
    (event,) = result.events
    assert (event["event"], event["when"]) == ("device", "before")
    return event


def test_a_probe_describes_this_machine_and_nothing_else() -> None:
    event = probe()
    assert event["machine"] == os.uname().machine
    assert event["python"] == "{}.{}.{}".format(*sys.version_info[:3])
    assert event["page_size"] == os.sysconf("SC_PAGE_SIZE")
    memory = event["memory"]
    assert isinstance(memory, dict)
    assert memory["total"] == psutil.virtual_memory().total
    assert memory["available"] == pytest.approx(psutil.virtual_memory().available, rel=0.2)
    processor = event["cpu"]
    assert isinstance(processor, dict)
    assert processor["count"] == os.cpu_count()
    assert processor["kind"] in (None, "x86", "aarch64")
    assert processor["affinity"] == sorted(os.sched_getaffinity(0))
    assert len(processor["clocks"]) == os.cpu_count()


def test_the_affinity_is_that_of_the_agent() -> None:
    core = max(os.sched_getaffinity(0))
    done = subprocess.run(
        ["taskset", "-c", str(core), sys.executable, SUPERVISOR, "--probe"], capture_output=True, check=True
    )
    assert agent_run(done.stdout, done.stderr, 0).events[0]["cpu"]["affinity"] == [core]


def test_what_is_available_is_the_figure_of_its_line() -> None:
    assert procfs.available() == pytest.approx(procfs.sizes("/proc/meminfo")["MemAvailable"], abs=256 * 2**20)


def test_without_proc_psutil_provides_what_it_can() -> None:
    """As on macOS; here both can be asked."""
    found = procfs.without_proc()
    expected = procfs.own_memory()
    assert found["rss"] == pytest.approx(expected["rss"], rel=0.05)
    assert sorted(found) == sorted(expected)
    assert found["hwm"] is found["swap"] is found["major_faults"] is None


@pytest.mark.parametrize(
    ("modalias", "kind"),
    [
        ("cpu:type:x86,ven0002fam0019mod0011:feature:,0000,0001", "x86"),
        ("cpu:type:aarch64:feature:,0000,0001,0002", "aarch64"),
        ("cpu:type:v7l:feature:,0001", "v7l"),
        ("", None),
        ("acpi:PNP0C02:", None),
    ],
)
def test_the_kernel_says_what_it_runs_on(modalias: str, kind: str | None) -> None:
    assert device_state.kind(modalias) == kind


def test_an_arm_board_names_its_parts() -> None:
    assert device_state.described(PI) == {
        "implementers": ["0x41"],
        "parts": ["0xd08"],
        "names": [],
        "features": ["fp", "asimd", "evtstrm", "crc32", "cpuid"],
    }


def test_big_and_little_cores_are_both_named() -> None:
    both = device_state.described(PI + PI.replace("0xd08", "0xd03"))
    assert both["parts"] == ["0xd08", "0xd03"]


@pytest.mark.parametrize(
    ("said", "raw", "flags"),
    [
        ("throttled=0x0", 0, []),
        (
            "throttled=0x50005",
            0x50005,
            ["under-voltage", "throttled", "under-voltage has occurred", "throttling has occurred"],
        ),
        (
            "throttled=0xe0008",
            0xE0008,
            [
                "soft temperature limit",
                "frequency capping has occurred",
                "throttling has occurred",
                "soft temperature limit has occurred",
            ],
        ),
    ],
)
def test_a_raspberry_pi_says_whether_it_is_throttled(
    said: str, raw: int, flags: list[str], tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A program of that name that says what a Raspberry Pi's says."""
    folder = tmp_path_factory.mktemp("bin")
    tool = folder / "vcgencmd"
    tool.write_text(f'#!/bin/sh\n[ "$1" = get_throttled ] && echo {said}\n')
    tool.chmod(0o755)
    monkeypatch.setenv("PATH", f"{folder}:{os.environ['PATH']}")
    assert probe()["throttled"] == {"raw": raw, "flags": flags}


def test_a_jetson_says_its_power_mode(
    tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A program of that name that says what a Jetson Nano's says."""
    folder = tmp_path_factory.mktemp("bin")
    tool = folder / "nvpmodel"
    tool.write_text('#!/bin/sh\n[ "$1" = -q ] && printf "NV Power Mode: 5W\\n1\\n"\n')
    tool.chmod(0o755)
    monkeypatch.setenv("PATH", f"{folder}:{os.environ['PATH']}")
    assert probe()["power_mode"] == "NV Power Mode: 5W\n1"


def test_a_tool_that_fails_or_hangs_is_passed_over(
    tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path_factory.mktemp("bin")
    for name, body in (("vcgencmd", "echo VCHI initialization failed; exit 255"), ("nvpmodel", "exec sleep 600")):
        (folder / name).write_text(f"#!/bin/sh\n{body}\n")
        (folder / name).chmod(0o755)
    monkeypatch.setenv("PATH", f"{folder}:{os.environ['PATH']}")
    event = probe()
    assert event["throttled"] is None
    assert event["power_mode"] is None


@pytest.mark.parametrize(
    ("files", "name"),
    [
        ({"sys_vendor": "AAEON", "product_name": "UP-APL01"}, "AAEON UP-APL01"),
        ({"sys_vendor": "LattePanda", "product_name": "LattePanda 3 Delta"}, "LattePanda 3 Delta"),
        (
            {
                "sys_vendor": "To Be Filled By O.E.M.",
                "product_name": "To be filled by O.E.M.",
                "board_vendor": "Intel Corporation",
                "board_name": "NUC8BEB",
            },
            "Intel Corporation NUC8BEB",
        ),
        ({"sys_vendor": "System manufacturer", "product_name": "System Product Name", "board_name": "PRIME"}, "PRIME"),
        ({"sys_vendor": "Default string", "product_name": "Default string", "board_name": "Default string"}, None),
        ({}, None),
    ],
)
def test_a_pc_is_called_what_its_firmware_calls_it(files: dict[str, str], name: str | None, tmp_path: Path) -> None:
    for file, text in files.items():
        (tmp_path / file).write_text(f"{text}\n", encoding="utf-8")
    assert device_state.firmware_name(str(tmp_path)) == name


@pytest.mark.parametrize(
    ("text", "known"),
    [("0123456789abcdef0123456789abcdef\n", "3b82dc22149c4900"), ("uninitialized\n", None), ("", None), (None, None)],
)
def test_a_computer_is_known_by_a_hash_of_its_number(text: str | None, known: str | None, tmp_path: Path) -> None:
    file = tmp_path / "machine-id"
    if text is not None:
        file.write_text(text)
    assert device_state.machine_id(str(file)) == known
