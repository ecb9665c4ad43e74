"""What is read out of the kernel's lines; test_machine.py covers the rest of running.py."""

from __future__ import annotations

import pytest

from edgecheck.emulator import running

OOM = (
    "Out of memory: Killed process 97 (python3.11) total-vm:143180kB, anon-rss:97776kB, file-rss:4kB,"
    " shmem-rss:0kB, UID:0 pgtables:280kB oom_score_adj:0"
)
PANIC = "Kernel panic - not syncing: Attempted to kill init! exitcode=0x00000100"


def test_the_oom_killers_lines() -> None:
    text = f"hello\n[    3.141592] {OOM}\n[  123.000001] {OOM.replace('97 (', '98 (')}\n[    4.0] reboot: Power down\n"

    assert running.out_of_memory(text) == (OOM, OOM.replace("97 (", "98 ("))


@pytest.mark.parametrize("text", ["", OOM, f"he said: [ 1.0] {OOM}", "[    1.000000] Out of memory"])
def test_what_only_looks_like_one_is_none(text: str) -> None:
    assert running.out_of_memory(text) == ()


def test_a_panic() -> None:
    assert running.panic(f"[    0.5] x\n[    0.822693] {PANIC}\n[    0.822703] CPU: 0 PID: 1\n") == PANIC
    assert running.panic("[    4.000000] reboot: Power down\n") is None
