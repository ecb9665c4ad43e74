"""`this-machine`: made on the spot, true on the machine that the tests run on, and inside a container.

Covers `core/device.py`.
"""

from __future__ import annotations

import os
import platform
from typing import TYPE_CHECKING

import psutil
import pytest

from edgecheck.config import Profiles
from edgecheck.config.this_machine import container_memory, cpu_facts, this_machine
from edgecheck.core.device import THIS_MACHINE, Capacity

if TYPE_CHECKING:
    from pathlib import Path

HOST = Capacity(8_000, 3_000)
RASPBERRY = """\
processor\t: 0
BogoMIPS\t: 108.00
Features\t: fp asimd evtstrm crc32 cpuid
CPU part\t: 0xd08

processor\t: 1
Features\t: other

Model\t\t: Raspberry Pi 4 Model B Rev 1.4
"""


def test_it_describes_the_machine_that_the_tests_run_on() -> None:
    profile = Profiles().get(THIS_MACHINE)
    assert profile.is_this_machine
    assert (profile.id, profile.kind, profile.path) == (THIS_MACHINE, "computer", "")
    assert profile.python == ".".join(platform.python_version_tuple()[:2])
    assert (profile.cpu.core, profile.cpu.count) == (platform.machine(), os.cpu_count())
    assert 0 < profile.ram.available < profile.ram.total <= psutil.virtual_memory().total
    assert profile.storage.total == psutil.disk_usage(".").total


def test_its_limits_are_the_ram_and_storage_that_are_free() -> None:
    profile = this_machine()
    assert [(limit.metric.name, limit.error, limit.source.kind) for limit in profile.limits] == [
        ("size", profile.storage.available, "profile"),
        ("ram_peak", profile.ram.available, "profile"),
    ]


def test_it_is_made_once_and_is_listed_first() -> None:
    profiles = Profiles()
    assert profiles.get(THIS_MACHINE) is profiles.get(THIS_MACHINE)
    assert profiles.ids()[0] == THIS_MACHINE
    assert profiles.trouble(THIS_MACHINE) == ""


def test_a_board_is_named_by_its_own_lines(here: Path) -> None:
    cpuinfo = here / "cpuinfo"
    cpuinfo.write_text(RASPBERRY)
    profile = this_machine(cpuinfo=cpuinfo)
    assert profile.name == "this machine (Raspberry Pi 4 Model B Rev 1.4)"
    assert profile.cpu.features == ("fp", "asimd", "evtstrm", "crc32", "cpuid")
    assert cpu_facts(cpuinfo)["CPU part"] == "0xd08"


@pytest.mark.slow  # platform.processor() starts uname
def test_without_proc_cpuinfo_the_platform_names_it(here: Path) -> None:
    profile = this_machine(cpuinfo=here / "none")
    assert profile.soc in (platform.processor(), platform.machine())
    assert profile.cpu.features == ()


def test_without_a_known_clock_it_has_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(psutil, "cpu_freq", lambda: None)
    assert this_machine().cpu.clock == 0


@pytest.mark.parametrize(
    ("files", "expected"),
    [
        ({}, HOST),
        ({"memory.max": "max\n", "memory.current": "10\n"}, HOST),
        ({"memory.max": "9000\n", "memory.current": "10\n"}, HOST),
        ({"memory.max": "4000\n", "memory.current": "1000\n"}, Capacity(4_000, 1_000)),
        ({"memory.max": "7000\n", "memory.current": "1000\n"}, Capacity(7_000, 2_000)),  # the host has 5,000 free
        ({"memory.max": "4000\n", "memory.current": "5000\n"}, Capacity(4_000, 4_000)),
        ({"memory.max": "4000\n"}, HOST),
        (
            {"memory/memory.limit_in_bytes": "4000\n", "memory/memory.usage_in_bytes": "1000\n"},
            Capacity(4_000, 1_000),
        ),
    ],
)
def test_a_container_has_what_its_cgroup_gives_it(here: Path, files: dict[str, str], expected: Capacity) -> None:
    for name, text in files.items():
        (here / name).parent.mkdir(exist_ok=True)
        (here / name).write_text(text)
    assert container_memory(here, HOST) == expected
