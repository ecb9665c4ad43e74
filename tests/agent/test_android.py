"""What the agent asks a phone, and does there. Shell programs stand for Android's own (`tests/android.py`)."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import pytest

from edgecheck_agent import android, device_state, endings, pinning, watching
from tests import android as phones
from tests.targets.workloads import comes_true

pytestmark = pytest.mark.slow  # Android's programs are processes


class Sent(list[dict[str, Any]]):
    """What would be sent to the host."""

    def emit(self, event: str, **fields: Any) -> None:
        self.append({"event": event, **fields})


@pytest.fixture
def phone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Makes this machine answer as a phone does; the keywords are those of `programs`."""
    tools, shared = tmp_path / "tools", tmp_path / "shared"
    tools.mkdir()
    shared.mkdir()

    def made(**what: Any) -> Path:
        for name, text in phones.programs(str(shared), **what).items():
            (tools / name).write_text(f"#!/bin/sh\n{text}\n")
            (tools / name).chmod(0o755)
        return shared

    monkeypatch.setenv("PATH", f"{tools}:/usr/bin:/bin")
    monkeypatch.setenv("EDGECHECK_LOCK", str(shared / "measuring.lock"))
    return made


def test_elsewhere_nothing_is_asked() -> None:
    assert not android.is_here()
    assert android.state() is None
    assert android.plan() == []


def test_a_phone_says_what_it_is_and_how_it_is(phone: Any) -> None:
    phone(saver=1, wakefulness="Asleep", locked=1)
    state = device_state.state("before")
    assert state["model"] == "Pixel 8"
    assert state["phone"] == {
        "android": "14",
        "model": "Pixel 8",
        "soc": "Tensor G3",
        "low_ram": False,
        "heap": "256m",
        "thermal_status": 0,
        "battery_c": 28.5,
        "battery_level": 85,
        "battery_saver": True,
        "awake": False,
        "locked": True,
        "emulator": False,
    }
    assert state["throttled"] == {"raw": None, "flags": []}


def test_one_that_says_nothing_is_a_phone_all_the_same(phone: Any, tmp_path: Path) -> None:
    phone()
    for name in ("dumpsys", "settings", "logcat"):
        (tmp_path / "tools" / name).write_text("#!/bin/sh\nexit 255\n")
    state = android.state()
    assert state is not None
    assert {name for name, value in state.items() if value is None} == {
        "thermal_status",
        "battery_c",
        "battery_level",
        "battery_saver",
        "awake",
        "locked",
    }


def test_an_unlocked_phone_with_a_locked_work_profile_is_unlocked(phone: Any) -> None:
    phone()
    state = android.state()
    assert state is not None
    assert state["locked"] is False


@pytest.mark.parametrize("name", ["ro.boot.qemu", "ro.kernel.qemu"])
def test_androids_emulator_is_one(phone: Any, name: str) -> None:
    phone(properties={**phones.PROPERTIES, name: "1"})
    state = android.state()
    assert state is not None
    assert state["emulator"] is True


def test_a_status_without_a_driver_for_the_sensors_is_none(phone: Any) -> None:
    """It is 0 then, however hot the phone is; its battery says how hot."""
    phone(has_hal=False, tenths=431)
    assert android.thermal_status() is None
    assert android.heat() == "battery at 43.1 °C"


def test_a_hot_phone_is_throttled(phone: Any) -> None:
    (phone() / "thermal").write_text("2")
    assert device_state.state("before")["throttled"] == {"raw": None, "flags": ["thermal status 2 (moderate)"]}
    assert device_state.passing()["throttled"] == ["thermal status 2 (moderate)"]


def test_a_hot_phone_is_waited_for(phone: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    shared, sent = phone(), Sent()
    (shared / "thermal").write_text("3")
    monkeypatch.setattr(android, "POLL_S", 0.05)
    threading.Timer(0.5, (shared / "thermal").write_text, ["0"]).start()
    android.cooled(watching.Watch(), sent, 60.0)  # type: ignore[arg-type]
    assert sent == [{"event": "waiting", "holder": "the phone to cool down (thermal status 3, severe)"}]


def test_and_not_for_ever(phone: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """One without a thermal status counts as hot by its battery."""
    monkeypatch.setattr(phones, "THERMAL", "")
    phone(tenths=431)
    monkeypatch.setattr(android, "POLL_S", 0.05)
    sent = Sent()
    android.cooled(watching.Watch(), sent, 0.1)  # type: ignore[arg-type]
    assert sent[-1] == {
        "event": "note",
        "code": "hot",
        "message": "the phone was still hot after 0.1 s (battery at 43.1 °C)",
    }


HOLD = """
import sys
from edgecheck_agent import pinning
class Out:
    def emit(self, event, **fields): print(fields["code"], fields["message"], flush=True)
with pinning.pinned(0, Out()):
    print("held", flush=True)
    sys.stdin.read()
"""


@pytest.mark.parametrize("ending", ["normally", signal.SIGTERM, signal.SIGKILL])
def test_the_fixed_performance_mode_ends_however_the_check_ends(phone: Any, ending: Any) -> None:
    shared = phone()
    process = subprocess.Popen([sys.executable, "-c", HOLD], stdin=-1, stdout=-1, text=True, start_new_session=True)
    assert process.stdout is not None
    lines = list(iter(process.stdout.readline, "held\n"))
    assert lines == ["pinned held for this check: Android's fixed-performance mode\n"]
    assert (shared / "fixed").read_text() == "true\n"
    if ending != "normally":
        os.kill(process.pid, ending)
    process.communicate()
    assert comes_true(lambda: (shared / "fixed").read_text() == "true\nfalse\n")


def test_what_a_killed_guard_left_on_ends_with_the_next_check(phone: Any) -> None:
    shared = phone()
    record = shared / (pinning.RECORD % os.getuid())
    record.write_text('[{"command": ["cmd", "power", "set-fixed-performance-mode-enabled", "false"]}]\n')
    with pinning.pinned(0, Sent()):
        assert (shared / "fixed").read_text() == "false\ntrue\n"
    assert not record.exists()


def test_a_phone_without_the_mode_is_a_note(phone: Any) -> None:
    phone(has_fixed=False)
    sent = Sent()
    with pinning.pinned(0, sent):
        pass
    assert [(note["code"], note["message"]) for note in sent] == [
        (
            "not-fixed",
            (
                "Android's fixed-performance mode could not be set: This is likely because Power HAL AIDL is not "
                "implemented on this device"
            ),
        )
    ]


def test_what_the_low_memory_killer_ended_says_so(phone: Any) -> None:
    (phone() / "log").write_text(f"--------- beginning of main\n{phones.LOG.format(pid=4711)}\n")
    found = android.killed(4711)
    assert found == "lowmemorykiller: Kill 'python3' (4711), uid 2000, oom_score_adj 1000 to free 512000kB"
    assert android.killed(471) is None
    evidence = endings.Evidence()
    end = endings.Seen(1).end(-signal.SIGKILL, "", evidence, 4711)
    evidence.close()
    assert end["outcome"] == "killed-for-memory"
    assert end["message"].startswith("Android's low-memory killer ended the process for memory while Python started (")
