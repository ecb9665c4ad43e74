"""The plugin counts what a program in the machine is known to do.

Covers `plugin.py`, `building.py`, `cycles.py` and `edgecheck_agent/marks.py`.
"""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from edgecheck.config import Profiles
from edgecheck.core.address import EMULATED
from edgecheck.emulator import machine, programs, saved
from edgecheck.emulator.cache import Cache
from edgecheck.emulator.counters import building, counting, cycles, plugin, record
from edgecheck.emulator.counters.record import Record
from edgecheck.emulator.hardware import MachineSpec
from edgecheck.errors import EmulatorError
from edgecheck.targets import Workload, qemu
from edgecheck_agent import marks
from tests.emulator.conftest import MIB

pytestmark = pytest.mark.emulator

#: Prints what the clock saw of the marked part. Each pass writes every line of a buffer of a megabyte once.
PASSES = """
import ctypes, sys, time
sys.path.insert(0, "/job")
import marks
mark = marks.Marks(wanted=True).set
buffer = ctypes.create_string_buffer((1 << 20) + 64)
place = (ctypes.addressof(buffer) + 63) // 64 * 64
def write():
    ctypes.memset(place, 1, 1 << 20)
write()
mark(marks.SIMULATE)
write()
mark(marks.ZERO)
start = time.perf_counter_ns()
for _ in range(100):
    write()
spent = time.perf_counter_ns() - start
mark(marks.STOP)
print(spent)
"""
LINES = (1 << 20) // 64

Counts = Callable[..., tuple[list[str], Record | None]]


@pytest.fixture
def counts(plain: MachineSpec, cache: Cache, tmp_path: Path) -> Counts:
    """Run a Python program in a machine with the plugin; its lines, and what was counted."""

    def ran(program: str, cpu: str = "cortex-a72") -> tuple[list[str], Record | None]:
        state = saved.ensure(plain, cache, print)
        folder, out = tmp_path / "job", tmp_path / "counted"
        folder.mkdir()
        (folder / "marks.py").write_bytes(Path(marks.__file__).read_bytes())
        (folder / "program.py").write_text(program)
        words = plugin.ensure(cache, print).arguments(cpu, out)
        job = machine.Job(folder, b"python3 /job/program.py\nexit\n", 120, words)
        with machine.run(plain, state, job) as running:
            return list(running.lines()), record.read(out)

    return ran


def test_instructions_and_misses_are_those_of_the_program(counts: Counts) -> None:
    lines, found = counts(PASSES)
    assert found is not None
    assert found.instructions == pytest.approx(int(lines[0]), rel=0.01)
    assert found.l1_stores == pytest.approx(100 * LINES, rel=0.03)
    for size in (MIB // 4, MIB // 2):
        assert found.l2[size] >= 100 * LINES
    for size in (2 * MIB, 8 * MIB):
        assert found.l2[size] < LINES / 2
    assert sorted(found.l2.values(), reverse=True) == list(found.l2.values())


def test_nothing_is_counted_without_marks(counts: Counts) -> None:
    lines, found = counts(PASSES.replace("wanted=True", "wanted=False"))
    assert int(lines[0]) > 0
    assert found is None


def test_the_last_marked_part_counts(counts: Counts) -> None:
    again = "mark(marks.SIMULATE)\nmark(marks.ZERO)\nwrite()\nmark(marks.STOP)\n"
    _, found = counts(PASSES + again)
    assert found is not None
    assert found.l1_stores == pytest.approx(LINES, rel=0.05)


def test_a_file_name_with_a_comma_is_one_word(cache: Cache) -> None:
    words = plugin.ensure(cache, print).arguments("cortex-a53", Path("/a,b"))
    assert "out=/a,,b" in words[1]
    assert "l1=32:4,l2=256:16" in words[1]


def test_a_host_without_a_compiler_says_what_to_install(
    cache: Cache, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    find = programs.find
    monkeypatch.setattr(programs, "find", lambda name: None if name in {"cc", "gcc", "clang"} else find(name))
    with pytest.raises(EmulatorError, match="no C compiler") as caught:
        plugin.ensure(Cache(tmp_path / "cache"), print)
    assert "gcc" in caught.value.hint
    assert list((tmp_path / "cache" / "plugins").glob("[!.]*")) == []
    assert plugin.ensure(cache, print).path.exists()  # one that was compiled before needs no compiler


def test_a_wheel_has_the_plugin_compiled(
    cache: Cache, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """As tools/package_plugin.py makes it; one that QEMU does not take is compiled instead."""
    package = tmp_path / "counters"
    (package / building.FOLDER).mkdir(parents=True)
    shutil.copy(Path(plugin.__file__).with_name(building.SOURCE), package)
    for target, argv in building.commands(package / building.SOURCE, package / building.FOLDER):
        subprocess.run(argv, check=True)
        assert target.is_file()
    monkeypatch.setattr(plugin, "_package", lambda: package)
    found = plugin.ensure(Cache(tmp_path / "cache"), print)
    assert (found.content, capsys.readouterr().out) == (plugin.ensure(cache, print).content, "")

    (package / building.FOLDER / building.name(plugin.interface())).write_bytes(b"of another system")
    assert plugin.ensure(Cache(tmp_path / "other"), print).content == found.content
    assert "compiling the plugin" in capsys.readouterr().out


def test_a_check_without_a_compiler_says_what_to_install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    find = programs.find
    monkeypatch.setattr(programs, "find", lambda name: None if name in {"cc", "gcc", "clang"} else find(name))
    monkeypatch.setattr(qemu, "default_cache", lambda: Cache(tmp_path / "cache"))
    target = qemu.open_target(EMULATED, Profiles().get("raspberry-pi-4-2gb"))
    found, notes = target._counting(Workload(job={"deterministic": {}}, model=()), print)
    assert found is None
    (note,) = (json.loads(each) for each in notes)
    assert note["code"] == "no-counts"
    assert note["message"].startswith(
        "cache misses are not counted: no C compiler was found on this host; to count them: "
    )
    assert note["message"].endswith(" gcc")
    assert target._counting(Workload(job={"deterministic": None}, model=()), print) == (None, ())


def test_cycles_are_between_the_issue_width_and_one_instruction_at_a_time(
    counts: Counts, tmp_path: Path, cache: Cache
) -> None:
    tools = cycles.tools()
    if tools is None:
        pytest.skip("llvm-mca 19 or later is not installed")
    _, found = counts(PASSES)
    assert found is not None
    kept = tmp_path / "cycles.sqlite"
    spent = cycles.cycles(found.blocks, "cortex-a57", tools, kept)
    assert spent is not None
    assert found.instructions / 3 < spent < found.instructions * 3
    assert kept.exists()
    broken = cycles.Tools("false", "false", tools.version)  # everything is remembered: nothing is run
    assert cycles.cycles(found.blocks, "cortex-a57", broken, kept) == spent


def test_the_counts_follow_the_batches(cache: Cache, tmp_path: Path) -> None:
    found = counting.ensure("cortex-a72", cache, print)
    (tmp_path / "counted").write_text("accesses 1\nl1 4 2\nl2 6 5 4 3 2 1\nlost 0\nblock 10 d503201f\nend\n")
    batches = {"event": "batches", "process": 1, "batches": [{"count": 3, "total_ns": 9}], "agreed": True}
    lines = [b'{"event": "start"}\n', json.dumps(batches).encode() + b"\n", b'{"event": "end"}\n']
    told = [json.loads(line) for line in found.followed(lines, tmp_path / "counted")]
    assert [each["event"] for each in told] == ["start", "batches", "counted", "end"]
    assert {name: told[2][name] for name in ("inferences", "executed", "multiplying", "l1_loads")} == {
        "inferences": 3,
        "executed": 10,
        "multiplying": 0,
        "l1_loads": 4,
    }
    assert told[2]["l2"][:2] == [[MIB // 4, 6], [MIB // 2, 5]]
    assert [json.loads(line)["event"] for line in found.followed(lines, tmp_path / "none")] == [
        "start",
        "batches",
        "end",
    ]


def test_what_counts_is_part_of_what_is_asked(cache: Cache) -> None:
    a72, a53 = (counting.ensure(cpu, cache, print) for cpu in ("cortex-a72", "cortex-a53"))
    assert a72.identity != a53.identity
    assert a72.job({"deterministic": {"batch_s": 0.01}, "seed": 0}) == {
        "deterministic": {"batch_s": 0.01, "marks": True, "first_tolerance": 0.15},
        "seed": 0,
    }
