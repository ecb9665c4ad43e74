"""The story on a phone that is not this machine: the very bytes that go to a phone, on an arm64 kernel, through adb.

Nothing in its root could run a program for Linux but what edgecheck brings there. It is emulated: its times are QEMU's.
"""

from __future__ import annotations

import json
import shutil
import threading
from importlib import import_module
from typing import TYPE_CHECKING

import pytest

from edgecheck.core.address import parse
from edgecheck.targets import open_target
from edgecheck.targets.adb.opener import Adb
from edgecheck.targets.shell.cache import device_cache
from examples.real_models import fetch
from tests.board import phone as machine
from tests.builders import profile
from tests.cli.command import edgecheck
from tests.targets.phone import LEFT, SHARED, SHELL
from tests.targets.workloads import LONG, comes_true, rest_of, silent, until, workload

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.board.phone import EmulatedPhone

pytestmark = [pytest.mark.emulator, pytest.mark.adb, pytest.mark.timeout(600)]


@pytest.fixture(scope="module")
def phone_machine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EmulatedPhone]:
    """The machine, which runs as long as the tests of this file do."""
    if problem := machine.missing():
        pytest.skip(problem)
    with machine.started(tmp_path_factory.mktemp("phone")) as phone:
        yield phone


@pytest.fixture
def phone(phone_machine: EmulatedPhone, monkeypatch: pytest.MonkeyPatch) -> EmulatedPhone:
    """The machine, and edgecheck's adb set up to reach it."""
    monkeypatch.setenv("ADB_SERVER_SOCKET", phone_machine.variables["ADB_SERVER_SOCKET"])
    assert comes_true(phone_machine.is_connected, 120)
    return phone_machine


def test_nothing_for_linux_is_in_its_root(phone: EmulatedPhone) -> None:
    assert phone.run("ls /").split() == ["apex", "bin", "data", "dev", "etc", "lost+found", "proc", "sys", "system"]
    assert phone.run("id -u; uname -m; getprop ro.product.model").split("\n")[:3] == [str(SHELL), "aarch64", "Pixel 8"]


def test_what_goes_to_a_phone_runs_there_and_the_check_passes(phone: EmulatedPhone, tmp_path: Path) -> None:
    """A first check brought it, when the disk was made; this one sends the agent at most, where that has changed."""
    shutil.copy(fetch("hey_jarvis.tflite"), tmp_path)
    (tmp_path / "phone.yaml").write_text(machine.BUDGET)
    done = edgecheck("check", "phone.yaml", "--target", phone.address, "--format", "json", cwd=tmp_path)
    assert done.code == 0, done.err + done.out
    assert "sending Python" not in done.err
    (check,) = json.loads(done.out)["checks"]
    assert {each["metric"]: each["status"] for each in check["verdicts"]} == dict.fromkeys(
        ("download", "footprint", "ram_peak", "latency_p50"), "pass"
    )
    before = check["run"]["before"]
    assert (before["machine"], before["libc"], before["python"][:5]) == ("aarch64", "glibc 2.36", "3.11.")
    assert check["run"]["runtime"]["name"] == "ai-edge-litert"
    assert phone.run(f"cat {SHARED}/fixed") == "true\nfalse\n"
    assert set(phone.run("ls /data/local/tmp").split()) == LEFT
    assert {"the agent", "a runtime: Python 3.11.2"} < {one.label for one in device_cache(phone.address).kept}


def test_a_phone_that_restarts_in_the_middle_says_so(phone: EmulatedPhone, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its kernel starts again without a word, as after a crash, and somebody connects it again."""
    monkeypatch.setattr(import_module(Adb.__module__), "RETURN", 120.0)
    target = open_target(parse(phone.address), profile())
    job = workload(fetch("hey_jarvis.tflite"), format="tflite", requirements=("ai-edge-litert==2.3.0",), latency=LONG)
    with target.launch(job, silent) as lines:
        until(lines, "start")
        phone.reset()
        somebody = threading.Thread(target=comes_true, args=(phone.is_connected, 120))
        somebody.start()
        _, why = rest_of(lines)
        somebody.join()
    assert why.startswith(f"the connection to {phone.serial} was lost: {phone.serial} restarted in the middle; unlock")
