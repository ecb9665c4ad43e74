"""The machine's clock counts instructions: the same on every run, however busy the host is."""

from __future__ import annotations

import dataclasses
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from edgecheck.emulator.hardware import MachineSpec
from edgecheck.emulator.running import Ending

pytestmark = pytest.mark.emulator

Script = Callable[..., tuple[list[str], Ending]]

WORK = """
import hashlib, time
def work():
    start = time.perf_counter_ns()
    hashlib.pbkdf2_hmac("sha256", b"word", b"salt", 20000)
    return time.perf_counter_ns() - start
work()
print(work(), work(), work())
"""


@pytest.fixture
def _busy() -> Iterator[None]:
    """A busy loop on every core of the host."""
    loops = [subprocess.Popen([sys.executable, "-c", "while True: pass"]) for _ in range(os.cpu_count() or 1)]
    yield
    for loop in loops:
        loop.kill()
        loop.wait()


@pytest.fixture
def count(plain: MachineSpec, script: Script, tmp_path: Path) -> Callable[[], list[int]]:
    """Nanoseconds, which are instructions, of the same work three times in one machine."""
    (tmp_path / "job").mkdir()
    (tmp_path / "job" / "work.py").write_text(WORK)

    def counted(spec: MachineSpec = plain) -> list[int]:
        lines, _ = script(spec, "python3 /job/work.py")
        return [int(word) for word in lines[0].split()]

    return counted


def test_one_run_is_like_another(count: Callable[[], list[int]]) -> None:
    figures = [*count(), *count()]

    assert min(figures) > 10_000_000
    assert max(figures) <= min(figures) * 1.001


def test_a_busy_host_is_not_seen(count: Callable[[], list[int]], request: pytest.FixtureRequest) -> None:
    idle = count()
    request.getfixturevalue("_busy")
    busy = count()

    assert max(*idle, *busy) <= min(*idle, *busy) * 1.001


def test_another_size_of_ram_is_not_seen(count: Callable[..., list[int]], plain: MachineSpec) -> None:
    small, large = count(), count(dataclasses.replace(plain, available_bytes=640 << 20))

    assert max(*small, *large) <= min(*small, *large) * 1.001


def test_other_work_is_seen(count: Callable[[], list[int]], tmp_path: Path) -> None:
    first = count()
    (tmp_path / "job" / "work.py").write_text(WORK.replace("20000", "20100"))

    assert min(count()) > max(first) * 1.003
