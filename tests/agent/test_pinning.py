"""The clock is held for a check and put back, however the check ends: real processes, on a folder like the kernel's."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from edgecheck_agent import pinning
from tests.targets.workloads import comes_true

HOLD = """
import sys, time
from edgecheck_agent import pinning
class Out:
    def emit(self, event, **fields): print(fields["code"], fields["message"], flush=True)
with pinning.pinned(1, Out(), *sys.argv[1:3]):
    print("held", flush=True)
    sys.stdin.read()
"""


class Notes(list[tuple[str, str]]):
    """What would be sent to the host."""

    def emit(self, _event: str, *, code: str, message: str) -> None:
        self.append((code, message))


@pytest.fixture
def cpufreq(tmp_path: Path) -> Path:
    """Two groups of cores, one of which is steady already."""
    for name, governor in (("policy0", "ondemand"), ("policy4", "performance")):
        folder = tmp_path / "cpufreq" / name
        folder.mkdir(parents=True)
        (folder / "scaling_governor").write_text(f"{governor}\n", encoding="ascii")
    return tmp_path / "cpufreq"


def governors(cpufreq: Path) -> list[str]:
    return [path.read_text(encoding="ascii").strip() for path in sorted(cpufreq.glob("*/scaling_governor"))]


def holding(cpufreq: Path, record: Path) -> subprocess.Popen[str]:
    """A process that holds the clock until its stdin closes."""
    process = subprocess.Popen(
        [sys.executable, "-c", HOLD, str(cpufreq), str(record)], stdin=-1, stdout=-1, text=True, start_new_session=True
    )
    assert process.stdout is not None
    lines = iter(process.stdout.readline, "held\n")
    assert "pinned held for this check: governor performance (was ondemand)\n" in list(lines)
    return process


@pytest.mark.parametrize("ending", ["normally", signal.SIGTERM, signal.SIGKILL])
def test_the_governor_is_put_back_however_the_check_ends(cpufreq: Path, tmp_path: Path, ending: object) -> None:
    record = tmp_path / "record"
    process = holding(cpufreq, record)
    assert governors(cpufreq) == ["performance", "performance"]
    assert record.stat().st_mode & 0o777 == 0o600
    if isinstance(ending, signal.Signals):
        os.killpg(process.pid, ending)
    process.communicate()
    assert comes_true(lambda: not record.exists())
    assert governors(cpufreq) == ["ondemand", "performance"]


def test_what_a_killed_guard_left_is_put_back_by_the_next_check(cpufreq: Path, tmp_path: Path) -> None:
    record, place = tmp_path / "record", cpufreq / "policy0" / "scaling_governor"
    place.write_text("performance", encoding="ascii")
    record.write_text(json.dumps([{"path": str(place), "value": "schedutil"}]), encoding="utf-8")
    with pinning.pinned(0, Notes(), str(cpufreq), str(record)):
        assert governors(cpufreq) == ["schedutil", "performance"]
    assert not record.exists()


@pytest.mark.parametrize(
    "step",
    [
        {"path": "OUTSIDE", "value": "ondemand"},
        {"path": "PLACE", "value": "two words"},
        {"command": ["touch", "OUTSIDE"]},
        {"command": ["jetson_clocks", "--restore", "/etc/passwd"]},
        "text",
        [],
    ],
)
def test_a_record_can_do_nothing_else(cpufreq: Path, tmp_path: Path, step: object) -> None:
    record, outside = tmp_path / "record", tmp_path / "outside"
    text = json.dumps([step]).replace("OUTSIDE", str(outside))
    record.write_text(text.replace("PLACE", str(cpufreq / "policy0" / "scaling_governor")), encoding="utf-8")
    with pinning.pinned(0, Notes(), str(cpufreq), str(record)):
        assert governors(cpufreq) == ["ondemand", "performance"]
    assert not outside.exists()


def test_a_record_that_is_a_link_is_not_followed(cpufreq: Path, tmp_path: Path) -> None:
    record, target = tmp_path / "record", tmp_path / "target"
    place = cpufreq / "policy0" / "scaling_governor"
    target.write_text(json.dumps([{"path": str(place), "value": "powersave"}]), encoding="utf-8")
    record.symlink_to(target)
    with pinning.pinned(0, Notes(), str(cpufreq), str(record)):
        assert governors(cpufreq) == ["ondemand", "performance"]
    assert target.exists()


def test_a_machine_without_clocks_is_left_alone(tmp_path: Path) -> None:
    notes = Notes()
    with pinning.pinned(10_000, notes, str(tmp_path / "none"), str(tmp_path / "record")):
        pass
    assert notes == [("no-clock-control", "the kernel gives no control of the clock here")]
    assert not (tmp_path / "record").exists()
