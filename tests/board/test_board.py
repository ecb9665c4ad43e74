"""The story on a board that is not this machine: Arm, Python and nothing else, no internet, reached by SSH alone."""

from __future__ import annotations

import json
import shutil
import socket
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from edgecheck.calibrating import Place, calibrate
from edgecheck.config import Profiles
from edgecheck.config.calibrated import calibrated
from edgecheck.core.budget import Effort
from edgecheck.core.device import Capacity
from edgecheck.errors import TargetError
from examples.real_models import fetch
from tests.cli.command import Done, edgecheck
from tests.targets.tcp_relay import relayed
from tests.targets.workloads import silent

if TYPE_CHECKING:
    from tests.board.machine import EmulatedBoard

pytestmark = [pytest.mark.emulator, pytest.mark.ssh, pytest.mark.timeout(600)]

BUDGET = """\
model: hey_jarvis.tflite
measure: {{warmup_count: 1, warmup_time: 0 s, min_count: 5, min_time: 0 s, max_time: 3 s}}
limits: {{ram_peak: 500 MiB, latency_p50: 60 s, footprint: off}}
devices: {{{device}: }}
"""

QUICK = Effort(warmup_count=1, warmup_time=0, min_count=5, min_time=0, max_time=5)


def budget(folder: Path, device: str) -> str:
    shutil.copy(fetch("hey_jarvis.tflite"), folder / "hey_jarvis.tflite")
    (folder / f"{device}.yaml").write_text(BUDGET.format(device=device))
    return f"{device}.yaml"


def test_it_reaches_nothing_and_has_no_packages(board: EmulatedBoard) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        reach = f"import socket; print(socket.socket().connect_ex(('10.0.2.2', {port})))"
        assert int(board.run(f'python3 -c "{reach}"')) != 0
        server.settimeout(0)
        with pytest.raises(BlockingIOError):
            server.accept()  # nobody has come
    assert board.run("ls -d /usr/lib/python3/dist-packages/*/ 2>/dev/null; which pip gcc wget || true") == ""


@pytest.fixture(scope="module")
def first_check(board_machine: EmulatedBoard, tmp_path_factory: pytest.TempPathFactory) -> Done:
    """What came of the first check that the board has ever seen."""
    folder = tmp_path_factory.mktemp("first")
    file = budget(folder, "raspberry-pi-4-2gb")
    arguments = ("check", file, "--target", board_machine.address, "--format", "json")
    return edgecheck(*arguments, cwd=folder, EDGECHECK_SSH=board_machine.ssh)


def test_a_first_check_brings_the_runtime_and_does_not_judge_a_stranger(
    board: EmulatedBoard, first_check: Done
) -> None:
    assert first_check.code == 3, first_check.err + first_check.out
    (check,) = json.loads(first_check.out)["checks"]
    assert check["run"]["runtime"]["name"] == "tflite-runtime"
    assert check["run"]["before"]["machine"] == "aarch64"
    verdicts = {each["metric"]: each for each in check["verdicts"]}
    for name in ("ram_peak", "latency_p50"):
        assert verdicts[name]["status"] == "unknown"
        assert verdicts[name]["found"]["value"] > 0
        assert "measured on linux,dummy-virt, not on a Raspberry Pi 4" in verdicts[name]["reason"]
    assert board.run("ls /root/.cache/edgecheck/device/jobs") == ""


def test_its_own_profile_is_judged_and_a_second_check_sends_next_to_nothing(
    board: EmulatedBoard, first_check: Done, tmp_path: Path
) -> None:
    assert first_check.code == 3
    probed = edgecheck("devices", "probe", board.address, cwd=tmp_path)
    assert probed.code == 0, probed.err
    (tmp_path / "device_profiles").mkdir()
    (tmp_path / "device_profiles" / "my-board.yaml").write_text(probed.out)
    profile = Profiles([tmp_path / "device_profiles"]).get("my-board")
    assert (profile.identity.model, profile.cpu.core, profile.cpu.count) == ("linux,dummy-virt", "cortex-a72", 4)
    assert (profile.python, profile.emulation_cpu) == ("3.11", "cortex-a72")

    with relayed(board.port) as relay:
        address = board.address_at(relay.port)
        done = edgecheck("check", budget(tmp_path, "my-board"), "--target", address, "--format", "json", cwd=tmp_path)
        assert done.code == 0, done.err + done.out
        assert relay.sent < 100_000
    (check,) = json.loads(done.out)["checks"]
    assert {each["status"] for each in check["verdicts"]} == {"pass"}


def test_it_is_calibrated_and_then_projected(board: EmulatedBoard, first_check: Done, tmp_path: Path) -> None:
    """Its latencies are those of QEMU on this host: what holds here is the way, not the constant."""
    assert first_check.code == 3
    folder = tmp_path / "device_profiles"
    folder.mkdir()
    text = edgecheck("devices", "probe", board.address, cwd=tmp_path).out
    (folder / "my-board.yaml").write_text(text)
    # Round figures: what is free differs from day to day, and with it the machine that is saved for the next time.
    profile = replace(Profiles([folder]).get("my-board"), ram=Capacity(2 << 30, 180 << 20))
    done = calibrate(Place(profile, board.address, QUICK), silent, networks=("dense", "stem"))
    assert {kind: [pair.network for pair in pairs] for kind, pairs in done.pairs.items()} == {
        "float": ["dense-float", "stem-float"],
        "int8": ["dense-int8", "stem-int8"],
    }
    assert all(pair.instructions > 1e6 for pairs in done.pairs.values() for pair in pairs)
    after = calibrated(folder / "my-board.yaml", done.constants, derived=False).after
    assert after.startswith(text)
    (folder / "my-board.yaml").write_text(after)
    projection = Profiles([folder]).get("my-board").projection
    for kind, constant in (("float", projection.float), ("int8", projection.int8)):
        assert constant is not None
        assert constant.ns_per_instruction == pytest.approx(done.constants[kind].ns_per_instruction, rel=0.01)
        assert constant.runtime == "tflite-runtime"


def test_a_board_is_not_calibrated_as_another_device(board: EmulatedBoard, first_check: Done) -> None:
    assert first_check.code == 3
    place = Place(Profiles().get("raspberry-pi-4-2gb"), board.address, QUICK)
    with pytest.raises(TargetError, match="not on a Raspberry Pi 4 Model B"):
        calibrate(place, silent, networks=("dense",))
