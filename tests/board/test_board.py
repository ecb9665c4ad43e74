"""The story on a board that is not this machine: Arm, Python and nothing else, no internet, reached by SSH alone."""

from __future__ import annotations

import json
import re
import shutil
import socket
import subprocess
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from edgecheck.checks.calibrate import Board, Choice, calibrate
from edgecheck.checks.session import Needs, run_on
from edgecheck.config import Profiles
from edgecheck.core.address import parse
from edgecheck.core.budget import Effort
from edgecheck.core.device import Costs
from edgecheck.core.device_match import DeviceMatch
from edgecheck.core.finding import Evidence, Measurement
from edgecheck.core.measurement import measure
from edgecheck.core.metrics import METRICS
from edgecheck.core.run import Outcome, Purpose
from edgecheck.core.verdict import Status, judge
from edgecheck.errors import TargetError
from edgecheck.targets import Target, open_target
from edgecheck.targets.adb.portable import PROCESSORS, portable
from edgecheck.targets.shell.cache import device_cache
from examples.real_models import fetch
from tests import builders
from tests.builders import limit
from tests.cli.command import Done, edgecheck
from tests.targets.sshd import new_key
from tests.targets.tcp_relay import relayed
from tests.targets.workloads import LONG, comes_true, events, silent, until, workload

if TYPE_CHECKING:
    from tests.board.machine import EmulatedBoard

pytestmark = [pytest.mark.emulator, pytest.mark.ssh, pytest.mark.timeout(600)]

BUDGET = """\
model: hey_jarvis.tflite
measure: {{warmup_count: 1, warmup_time: 0 s, min_count: 5, min_time: 0 s, max_time: 3 s}}
limits: {{ram_peak: 500 MiB, latency_p50: 60 s, footprint: off}}
devices: {{{device}: }}
"""

MODEL = fetch("hey_jarvis.tflite")
ARTIFACT = replace(builders.ARTIFACT, format="tflite", path=MODEL, files=(MODEL,))
RUNTIME = Profiles().get("raspberry-pi-4-2gb").runtimes["tflite"]

#: The latency pass of a job that only has to run.
ONCE = {"warmup_count": 1, "warmup_s": 0, "min_count": 1, "min_s": 0, "max_s": 1}

QUICK = Effort(warmup_count=1, warmup_time=0, min_count=5, min_time=0, max_time=5)


def needs(metric: str) -> Needs:
    """What a check of that one limit needs."""
    limits = (limit(metric, 1e9),)
    return Needs(
        budget=replace(builders.budget((builders.profile(), limits)), effort=QUICK), limits=limits, requirements=RUNTIME
    )


MEMORY, TIMED = needs("ram_peak"), needs("latency_p50")


def target(address: str) -> Target:
    return open_target(parse(address), builders.profile())


def budget(folder: Path, device: str) -> str:
    shutil.copy(MODEL, folder / "hey_jarvis.tflite")
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
    assert check["run"]["runtime"]["name"] == "ai-edge-litert"
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
    file = tmp_path / "device_profiles" / "my-board.yaml"
    file.parent.mkdir()
    # Round figures: what is free differs from day to day, and with it the machine that is saved for the next time.
    text = re.sub(
        r"(?m)^ram: .*",
        "ram: {total: 2 GiB, reserved: 180 MiB}  # on paper",
        edgecheck("devices", "probe", board.address, cwd=tmp_path).out,
    )
    file.write_text(text)
    command = (
        "devices",
        "calibrate",
        board.address,
        "--profile",
        "my-board",
        "--network",
        "dense",
        "--network",
        "stem",
    )
    done = edgecheck(*command, cwd=tmp_path)
    assert done.code == 0, done.err
    assert done.out == ""
    lines = done.err.splitlines()
    told = [line.split()[0] for line in lines if " instructions, " in line]
    assert told == ["dense-float", "stem-float", "dense-int8", "stem-int8"]
    assert lines[-1] == "Wrote device_profiles/my-board.yaml."
    after = file.read_text()
    assert after.startswith(text)  # comments and all; what is new comes last
    projection = Profiles([file.parent]).get("my-board").projection
    costs_are_there(projection.costs, lines)
    for kind, constant in (("float", projection.float), ("int8", projection.int8)):
        assert constant is not None
        (line,) = (line for line in lines if line.startswith(f"{kind}: "))
        said = re.fullmatch(rf"{kind}: (\S+) ns per instruction, spread (\d+)% over 2 networks on ai-edge-litert", line)
        assert said is not None, line
        assert float(said[1]) == pytest.approx(constant.ns_per_instruction, rel=0.01)
        assert int(said[2]) == pytest.approx(100 * constant.spread, abs=1), "the file has a digit more"


def costs_are_there(costs: Costs | None, lines: list[str]) -> None:
    assert costs is not None
    assert (costs.networks, costs.runtime, costs.spread, costs.l2_size) == (4, "ai-edge-litert", 0.0, 1 << 20)
    (line,) = (line for line in lines if line.startswith("costs: "))
    assert re.fullmatch(
        r"costs: (one factor|all costs).* from 4 networks on ai-edge-litert, \d+% off in the median with .*", line
    )


def test_a_board_is_not_calibrated_as_another_device(board: EmulatedBoard, first_check: Done) -> None:
    assert first_check.code == 3
    place = Board(Profiles().get("raspberry-pi-4-2gb"), parse(board.address), QUICK)
    with pytest.raises(TargetError, match="not on a Raspberry Pi 4 Model B"):
        calibrate(place, silent, choice=Choice(("dense", "stem")))


def test_memory_is_read_with_the_psutil_that_was_brought_along(board: EmulatedBoard, first_check: Done) -> None:
    assert board.run('python3 -c "import psutil" 2>&1 || true').endswith("No module named 'psutil'\n")
    (check,) = json.loads(first_check.out)["checks"]
    samplers = [each["sampler"] for each in check["run"]["workers"] if each["purpose"] == "memory"]
    assert all(re.fullmatch(r"psutil \d+\.\d+\.\d+", sampler) for sampler in samplers), samplers


def test_without_a_psutil_that_works_it_is_read_by_hand_and_the_report_says_so(
    board: EmulatedBoard, first_check: Done, tmp_path: Path
) -> None:
    assert first_check.code == 3
    runtime = board.run("dirname /root/.cache/edgecheck/device/trees/*/psutil").strip()
    board.run(f"mv {runtime}/psutil /root/psutil")
    run = run_on(target(board.address), ARTIFACT, MEMORY, progress=silent)
    board.run(f"mv /root/psutil {runtime}/psutil")
    (worker, *_) = run.of(Purpose.MEMORY)
    assert worker.sampler == "/proc"
    assert len(worker.samples) > 5
    found = measure(METRICS["ram_peak"], Evidence(artifact=ARTIFACT, run=run))
    assert isinstance(found, Measurement)
    assert found.basis.endswith(" processes, sampled from /proc")
    assert worker.peak is not None
    assert max(rss for _, rss in worker.samples) == pytest.approx(worker.peak, rel=0.05)


def test_a_disk_without_room_is_reported_and_nothing_is_sent(
    board: EmulatedBoard, first_check: Done, tmp_path: Path
) -> None:
    """The card of a board that is in use: the runtime would not fit."""
    assert first_check.code == 3
    board.run("busybox mount -t tmpfs -o size=30m tmpfs /root/.cache/edgecheck")
    with relayed(board.port) as relay:
        address = board.address_at(relay.port)
        done = edgecheck("check", budget(tmp_path, "raspberry-pi-4-2gb"), "--target", address, cwd=tmp_path)
        assert relay.sent < 50_000
    board.run("busybox umount /root/.cache/edgecheck")
    assert done.code == 3
    words = " ".join(done.out.split())
    assert re.search(
        r"root@127\.0\.0\.1 has no room: [\d.]+ MB are needed in /root/\.cache/edgecheck, [\d.]+ MB are", words
    )
    assert f"`edgecheck cache --target {address}` shows what is edgecheck's" in words


def test_a_board_that_was_swapped_for_another_is_not_talked_to(
    board: EmulatedBoard, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    known = tmp_path / "known"
    known.write_text(f"[127.0.0.1]:{board.port} {new_key(tmp_path / 'other')}\n")
    monkeypatch.setenv("EDGECHECK_SSH", f"{board.ssh} -o UserKnownHostsFile={known}")
    done = edgecheck("check", budget(tmp_path, "raspberry-pi-4-2gb"), "--target", board.address, cwd=tmp_path)
    assert done.code == 3
    words = " ".join(done.out.split())
    assert "root@127.0.0.1 shows another host key than it had before" in words
    assert f"UserKnownHostsFile={known} -p {board.port} root@127.0.0.1 true" in words


def test_a_connection_that_is_cut_leaves_what_was_complete_and_nothing_on_the_board(
    board: EmulatedBoard, first_check: Done
) -> None:
    assert first_check.code == 3
    with relayed(board.port) as relay:

        def cut(words: str) -> None:
            if words == "memory pass" and relay.connections == 1:
                relay.cut()

        run = run_on(target(board.address_at(relay.port)), ARTIFACT, TIMED, progress=cut)
        assert relay.connections == 2  # it has come back once, for what was done
    assert run.broken.startswith("the connection to root@127.0.0.1 was lost")
    assert len(run.of(Purpose.LATENCY)[0].latencies) >= 5
    assert run.workers[-1].ending.reason == "lost"
    verdicts = {
        name: judge(
            limit(name, 1e9), measure(METRICS[name], Evidence(artifact=ARTIFACT, run=run)), DeviceMatch()
        ).status
        for name in ("latency_mean", "ram_peak")
    }
    assert verdicts == {"latency_mean": Status.PASS, "ram_peak": Status.UNKNOWN}
    assert comes_true(lambda: "supervisor.py" not in board.run("busybox ps w"))
    assert comes_true(lambda: board.run("ls /root/.cache/edgecheck/device/jobs") == "")


def test_a_second_account_waits_for_the_first_and_does_without_a_home(board: EmulatedBoard, first_check: Done) -> None:
    """The guest's home is read-only, root's cache out of reach, and the lock is root's file in a sticky folder."""
    assert first_check.code == 3
    words: list[str] = []
    with ExitStack() as first:
        long = workload(MODEL, requirements=RUNTIME, latency=LONG, format="tflite", holder="anna@desk")
        until(first.enter_context(target(board.address).launch(long, silent)), "start")

        def progress(each: str) -> None:
            words.append(each)
            if each.startswith("waiting for"):
                first.close()

        run = run_on(target(board.address_of("guest")), ARTIFACT, MEMORY, progress=progress)
    assert run.broken == ""
    assert [each for each in words if each.startswith("waiting for anna@desk pid ")], words
    assert run.notes == ()
    assert run.of(Purpose.MEMORY)[0].ending.outcome is Outcome.COMPLETED
    lock = board.run("busybox stat -c '%a %U %s' /tmp/edgecheck-measuring.lock /var/tmp/edgecheck-1000")
    assert lock.splitlines() == ["666 root 0", "700 guest 4096"]
    assert device_cache(board.address_of("guest")).folder == "/var/tmp/edgecheck-1000/device"
    assert board.run("ls -A /home/guest") == ""


def test_what_is_brought_to_a_phone_runs_where_no_c_library_is(board: EmulatedBoard, first_check: Done) -> None:
    """The very bytes that adb would copy, in a root with nothing but a static shell, on an arm64 kernel; over SSH.

    The runtime is the one that the first check brought.
    """
    assert first_check.code == 3
    made = portable(PROCESSORS["arm64-v8a"], print)
    place = f"/data/local/tmp/edgecheck-2000/device/trees/{made.digest}"
    unpack = f"import sys, tarfile; tarfile.open(fileobj=sys.stdin.buffer, mode='r|gz').extractall('/phone{place}')"
    board.run(
        "b=/bin/busybox && $b mkdir -p /phone/system/bin /phone/proc /phone/dev && "
        "$b mkdir -p /phone/data/local/tmp/edgecheck-2000 && $b cp $b /phone/system/bin/sh && "
        "$b ln -s system/bin /phone/bin && $b mount -t proc proc /phone/proc && $b mount --bind /dev /phone/dev && "
        "$b cp -a /root/.cache/edgecheck/device /phone/data/local/tmp/edgecheck-2000/device"
    )
    argv = [*board.ssh.split(" "), "-p", str(board.port), "root@127.0.0.1", f'python3 -c "{unpack}"']
    with made.archive.open("rb") as archive:
        subprocess.run(argv, check=True, stdin=archive)
    board.run(
        f"printf '#!/bin/sh\\nexec /bin/busybox chroot /phone {place}/bin/python3 \"$@\"\\n' >/phone-python && "
        f"/bin/busybox chmod 755 /phone-python && echo {made.size} >/phone{place}.whole"
    )
    address = f"{board.address}?python=/phone-python"
    words: list[str] = []
    job = workload(MODEL, requirements=RUNTIME, format="tflite", latency=ONCE)
    with target(address).launch(job, words.append) as lines:
        seen = events(lines)
    before = seen[0]
    assert (before["machine"], before["libc"], before["python"]) == ("aarch64", "glibc 2.36", made.version)
    assert [event["outcome"] for event in seen if event["event"] == "end"] == ["completed"]
    assert not [each for each in words if "sending" in each]
    assert board.run("/bin/busybox ls /phone") == "bin\ndata\ndev\nproc\nsystem\n"
    assert any(one.label == f"a runtime: Python {made.version}" for one in device_cache(address).kept)
