"""Waiting for QEMU counts what it could have done: with real processes that share a processor, or do nothing.

Covers `emulator/qemu.py`.
"""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from edgecheck.emulator.qemu import Patience

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not Path("/proc/self/schedstat").exists(), reason="this kernel does not say who waited"),
]


@pytest.fixture
def crowd() -> Iterator[list[subprocess.Popen[bytes]]]:
    """Four busy loops on one processor: each has it for a quarter of the time."""
    code = "import os; os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})\nwhile True: pass"
    loops = [subprocess.Popen([sys.executable, "-c", code]) for _ in range(4)]
    yield loops
    for loop in loops:
        loop.kill()
        loop.wait()


def test_time_without_a_processor_does_not_count(crowd: list[subprocess.Popen[bytes]]) -> None:
    began = time.monotonic()
    patience = Patience(1000.0, crowd[0].pid)
    while (wall := time.monotonic() - began) < 3:
        time.sleep(0.2)

    assert patience.remaining() > 1000 - wall * 0.9
    assert "of which QEMU waited" in patience.account()


def test_the_wall_ends_it_however_busy_the_host_is(crowd: list[subprocess.Popen[bytes]]) -> None:
    patience = Patience(0.05, crowd[0].pid)
    while not patience.passed():
        time.sleep(0.05)

    assert patience.remaining() == 0.0


def test_a_process_that_sleeps_spends_its_time() -> None:
    with subprocess.Popen(["sleep", "60"]) as idle:
        patience = Patience(0.3, idle.pid)
        assert not patience.passed()
        time.sleep(0.5)
        idle.kill()

    assert patience.passed()
    assert patience.account().startswith("after ")


def test_a_process_that_is_gone_spends_its_time() -> None:
    with subprocess.Popen(["true"]) as gone:
        gone.wait()
        patience = Patience(0.0, gone.pid)

    assert patience.passed()
    assert Patience(60.0, os.getpid()).remaining() > 50
