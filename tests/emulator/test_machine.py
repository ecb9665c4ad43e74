"""Real machines: what a job finds in one, and how jobs and machines end.

Covers `disks.py`, `qemu.py`, `saved.py`.
"""

from __future__ import annotations

import dataclasses
import os
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path

import psutil
import pytest

from edgecheck.emulator import disks, machine, saved
from edgecheck.emulator.cache import Cache
from edgecheck.emulator.hardware import MachineSpec
from edgecheck.emulator.running import Ending, How, Running
from edgecheck.errors import EmulatorError

pytestmark = pytest.mark.emulator

Start = Callable[..., AbstractContextManager[Running]]
Script = Callable[..., tuple[list[str], Ending]]
MIB = 1 << 20

# sdot v0.4s, v1.16b, v2.16b; ret: an instruction of Arm v8.2, which a Cortex-A72 does not have.
DOT_PRODUCT = """
python3 -c '
import ctypes, mmap
code = mmap.mmap(-1, 4096, prot=7)
code.write(bytes.fromhex("2094824ec0035fd6"))
ctypes.CFUNCTYPE(None)(ctypes.addressof(ctypes.c_char.from_buffer(code)))()
print("ran")'
echo status $?
"""
EAT = "python3 -c 'blocks = []\nwhile True: blocks.append(b\"x\" * (1 << 20))'"


def _machines() -> list[psutil.Process]:
    """Every QEMU below this process."""
    return [child for child in psutil.Process().children(recursive=True) if child.name().startswith("qemu")]


@pytest.fixture(autouse=True)
def _nothing_left(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> object:
    place = tmp_path / "temporary"
    place.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(place))
    yield
    assert not _machines()
    assert not list(place.iterdir())


def test_a_job_finds_its_files_and_its_input(plain: MachineSpec, script: Script, tmp_path: Path) -> None:
    (tmp_path / "job").mkdir()
    (tmp_path / "job" / "ünder the sea.txt").write_text("a crab", encoding="utf-8")

    lines, ending = script(plain, "cat /job/ünder*; echo; uname -m; echo sorry >&2; exit 3")

    assert lines == ["a crab", "aarch64"]
    assert ending == Ending(
        how=How.FINISHED, status=3, reason="", out_of_memory=(), errors="sorry\n", console=ending.console
    )
    assert ending.console.endswith("reboot: Power down\n")


def test_lines_come_while_the_command_runs(plain: MachineSpec, start: Start) -> None:
    with start(plain, "echo first; read answer; echo $answer") as running:
        lines = running.lines()
        assert next(lines) == "first"
        running.feed(b"second\n")
        assert list(lines) == ["second"]


def test_the_memory_that_was_ordered_is_available(plain: MachineSpec, cache: Cache, script: Script) -> None:
    state = saved.ensure(plain, cache, print)

    lines, _ = script(plain, "awk '/MemAvailable/ {print $2 * 1024}' /proc/meminfo")

    assert state.available_bytes == pytest.approx(192 * MIB, abs=MIB // 2)
    assert int(lines[0]) == pytest.approx(192 * MIB, abs=3 * MIB)  # less the job's own shell and mount


def test_there_is_no_network_and_no_disk_to_write_to_but_the_jobs(plain: MachineSpec, script: Script) -> None:
    lines, _ = script(plain, "ls /sys/class/net; touch /x 2>&1; touch /job/x && echo written")

    assert lines == ["lo", "touch: /x: Read-only file system", "written"]


def test_the_core_is_the_one_that_was_ordered(plain: MachineSpec, script: Script) -> None:
    older, _ = script(plain, DOT_PRODUCT)
    newer, _ = script(dataclasses.replace(plain, cpu="cortex-a76"), DOT_PRODUCT)

    assert older == ["status 132"]
    assert newer == ["ran", "status 0"]


def test_the_oom_killers_line_is_kept(plain: MachineSpec, script: Script) -> None:
    lines, ending = script(plain, f"{EAT}; echo status $?")

    assert lines[-1] == "status 137"
    assert ending.how is How.FINISHED
    assert len(ending.out_of_memory) == 1
    assert ending.out_of_memory[0].startswith("Out of memory: Killed process ")
    assert "(python3)" in ending.out_of_memory[0]


def test_mapped_files_larger_than_the_ram_are_read_again(plain: MachineSpec, script: Script) -> None:
    program = """
import mmap
file = open("/job/weights", "r+b")
weights = mmap.mmap(file.fileno(), 0, prot=mmap.PROT_READ)
def faults():
    total = sum(weights[place] for place in range(0, len(weights), 4096))
    return int(open("/proc/self/stat").read().rpartition(")")[2].split()[9])
first, second = faults(), faults()
print(first > 0, second > 1.5 * first)
"""
    text = f"head -c 250000000 /dev/zero > /job/weights; python3 -c '{program}'; echo $?"
    lines, ending = script(plain, text, seconds=240)

    assert lines == ["True True", "0"]
    assert ending.out_of_memory == ()


def test_a_kernel_panic_is_not_taken_for_a_power_off(plain: MachineSpec, script: Script) -> None:
    _, ending = script(plain, "echo c > /proc/sysrq-trigger")

    assert ending.how is How.PANIC
    assert ending.reason == "its kernel stopped: Kernel panic - not syncing: sysrq triggered crash."
    assert ending.status is None


def test_the_deadline_ends_what_does_not_end(plain: MachineSpec, start: Start) -> None:
    with start(plain, "echo on; while :; do :; done", 4) as running:
        assert list(running.lines()) == ["on"]
        assert running.ending().how is How.DEADLINE


def test_qemu_killed_from_outside_is_an_ending(plain: MachineSpec, start: Start) -> None:
    with start(plain, "echo on; while :; do :; done") as running:
        lines = running.lines()
        assert next(lines) == "on"
        _machines()[0].kill()
        assert list(lines) == []
        ending = running.ending()

    assert ending.how is How.DIED
    assert ending.reason == "QEMU was killed by signal 9."


def test_leaving_early_leaves_nothing_behind(plain: MachineSpec, start: Start) -> None:
    with pytest.raises(KeyboardInterrupt), start(plain, "while :; do :; done"):
        raise KeyboardInterrupt


def test_a_core_that_qemu_cannot_emulate(plain: MachineSpec, cache: Cache) -> None:
    unknown = dataclasses.replace(plain, cpu="cortex-a1000")

    with pytest.raises(EmulatorError, match="unable to find CPU model 'cortex-a1000'"):
        saved.ensure(unknown, cache, print)

    assert cache.states.get(unknown.key()) is None


def test_a_cache_that_is_cleared_in_the_meantime(plain: MachineSpec, tmp_path: Path) -> None:
    (tmp_path / "job").mkdir()
    gone = saved.Saved(
        ram=tmp_path / "gone" / "ram",
        devices=tmp_path / "gone" / "devices",
        ram_bytes=256 * MIB,
        available_bytes=192 * MIB,
    )
    job = machine.Job(tmp_path / "job", b"", 60)

    with (
        pytest.raises(EmulatorError, match="was removed from the cache"),
        machine.run(plain, gone, job),
    ):
        pass


def test_a_disk_without_space_for_the_state(
    plain: MachineSpec, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    usage = shutil.disk_usage(tmp_path)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage._replace(free=100 * MIB))

    with pytest.raises(EmulatorError, match=r"takes up to 390 MiB, and .* has 100 MiB left"):
        saved.ensure(plain, Cache(tmp_path), print)


def test_a_disk_that_was_made_again_is_another_machine(plain: MachineSpec, cache: Cache, tmp_path: Path) -> None:
    def disk(content: str) -> Path:
        (tmp_path / "agent.py").write_text(content)
        return disks.agent(tmp_path, Cache(tmp_path / content), print)

    keys = {dataclasses.replace(plain, disks={"agent": disk(content)}).key() for content in ("one", "two", "one")}

    assert len(keys) == 2


def test_two_machines_share_one_saved_state(plain: MachineSpec, start: Start) -> None:
    with (
        start(plain, "echo 1 > /tmp/x; echo on; read go; cat /tmp/x") as one,
        start(plain, "cat /tmp/x; echo on") as two,
    ):
        lines = one.lines()
        assert next(lines) == "on"
        assert list(two.lines()) == ["on"]
        one.feed(b"go\n")
        assert list(lines) == ["1"]


def test_qemu_dies_with_an_edgecheck_that_is_killed_outright(plain: MachineSpec, cache: Cache, tmp_path: Path) -> None:
    saved.ensure(plain, cache, print)
    program = """
import sys
from pathlib import Path
from edgecheck.emulator import build, machine, saved
from edgecheck.emulator.cache import default_cache
from edgecheck.emulator.hardware import MachineSpec

image = build.ensure(print)
spec = MachineSpec(
    image=image, cpu="cortex-a72", available_bytes=192 << 20, disks={}, command=("busybox", "sh")
)
state = saved.ensure(spec, default_cache(), print)
with machine.run(spec, state, machine.Job(Path(sys.argv[1]), b"echo on; while :; do :; done\\n", 60)) as running:
    for line in running.lines():
        print(line, flush=True)
"""
    (tmp_path / "job").mkdir()
    environment = {**os.environ, "TMPDIR": str(tmp_path)}
    argv = [sys.executable, "-c", program, str(tmp_path / "job")]
    with subprocess.Popen(argv, stdout=subprocess.PIPE, text=True, env=environment) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "on\n"
        (qemu,) = _machines()
        process.kill()
    qemu.wait(10)
    assert not qemu.is_running()


def test_ctrl_c_ends_qemu_and_removes_the_jobs_disk(plain: MachineSpec, start: Start) -> None:
    def interrupted() -> None:
        with start(plain, "echo on; while :; do :; done") as running:
            for _ in running.lines():
                signal.raise_signal(signal.SIGINT)

    with pytest.raises(KeyboardInterrupt):
        interrupted()
