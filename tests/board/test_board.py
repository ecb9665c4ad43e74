"""The story on a board that is not this machine: Arm, Python and nothing else, no internet, reached by SSH alone.

What a first check brings is there already: `tests/board/used.py`.
"""

from __future__ import annotations

import json
import re
import shutil
import socket
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from edgecheck.checks.calibrate import Board, Choice, calibrate
from edgecheck.checks.session import MEMORY_INFERENCES, MEMORY_SPREAD, SAMPLING, Needs, run_on
from edgecheck.config import Profiles
from edgecheck.core.address import parse
from edgecheck.core.budget import Effort
from edgecheck.core.device_match import DeviceMatch
from edgecheck.core.events import RunReader
from edgecheck.core.finding import Evidence, Measurement
from edgecheck.core.measurement import measure
from edgecheck.core.metrics import METRICS
from edgecheck.core.run import Outcome, Purpose, Run
from edgecheck.core.verdict import Status, judge
from edgecheck.errors import TargetError
from edgecheck.targets import Target, open_target
from edgecheck.targets.shell.cache import device_cache
from tests import builders
from tests.board.used import MODEL, RUNTIME
from tests.builders import limit
from tests.cli.command import edgecheck
from tests.targets.sshd import new_key
from tests.targets.tcp_relay import relayed
from tests.targets.workloads import LONG, comes_true, silent, until, workload

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from tests.board.machine import EmulatedBoard

pytestmark = [pytest.mark.emulator, pytest.mark.ssh, pytest.mark.timeout(600)]

BUDGET = """\
model: hey_jarvis.tflite
measure: {{warmup_count: 1, warmup_time: 0 s, min_count: 5, min_time: 0 s, max_time: 3 s}}
limits: {{ram_peak: 500 MiB, latency_p50: 60 s, footprint: off}}
devices: {{{device}: }}
"""

ARTIFACT = replace(builders.ARTIFACT, format="tflite", path=MODEL, files=(MODEL,))

QUICK = Effort(warmup_count=1, warmup_time=0, min_count=5, min_time=0, max_time=5)


#: What a check needs whose only limit is on the latency.
TIMED = Needs(
    budget=replace(builders.budget((builders.profile(), (limit("latency_p50", 1e9),))), effort=QUICK),
    limits=(limit("latency_p50", 1e9),),
    requirements=RUNTIME,
)


def target(address: str) -> Target:
    return open_target(parse(address), builders.profile())


def measured(
    address: str, told: Callable[[str], None] = silent, heard: Callable[[Mapping[str, Any]], None] = lambda _: None
) -> Run:
    """A run of one process whose memory is sampled as a check does; `heard` is called with each event."""
    reader = RunReader(address, emulated=False)
    memory = {"processes": [1, 1], "spread": MEMORY_SPREAD, "interval_s": SAMPLING, "inferences": MEMORY_INFERENCES}
    with target(address).launch(workload(MODEL, requirements=RUNTIME, format="tflite", memory=memory), told) as lines:
        for line in lines:
            heard(reader.hear(line))
    assert reader.done
    return reader.run("")


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
def stranger(board_machine: EmulatedBoard, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """The report of a check with the profile of another board."""
    folder = tmp_path_factory.mktemp("stranger")
    file = budget(folder, "raspberry-pi-4-2gb")
    arguments = ("check", file, "--target", board_machine.address, "--format", "json")
    done = edgecheck(*arguments, cwd=folder, EDGECHECK_SSH=board_machine.ssh)
    assert done.code == 3, done.err + done.out
    (check,) = json.loads(done.out)["checks"]
    found: dict[str, Any] = check
    return found


def test_a_stranger_is_measured_and_not_judged(board: EmulatedBoard, stranger: dict[str, Any]) -> None:
    assert stranger["run"]["runtime"]["name"] == "ai-edge-litert"
    assert stranger["run"]["before"]["machine"] == "aarch64"
    verdicts = {each["metric"]: each for each in stranger["verdicts"]}
    for name in ("ram_peak", "latency_p50"):
        assert verdicts[name]["status"] == "unknown"
        assert verdicts[name]["found"]["value"] > 0
        assert "measured on linux,dummy-virt, not on a Raspberry Pi 4" in verdicts[name]["reason"]
    assert board.run("ls /root/.cache/edgecheck/device/jobs") == ""


def test_its_own_profile_is_judged_and_a_second_check_sends_next_to_nothing(
    board: EmulatedBoard, tmp_path: Path
) -> None:
    probed = edgecheck("devices", "probe", board.address, cwd=tmp_path)
    assert probed.code == 0, probed.err
    (tmp_path / "device_profiles").mkdir()
    (tmp_path / "device_profiles" / "my-board.yaml").write_text(probed.out)
    profile = Profiles([tmp_path / "device_profiles"]).get("my-board")
    assert (profile.identity.model, profile.cpu.core, profile.cpu.count) == ("linux,dummy-virt", "cortex-a72", 2)
    assert (profile.python, profile.emulation_cpu) == ("3.11", "cortex-a72")

    with relayed(board.port) as relay:
        address = board.address_at(relay.port)
        done = edgecheck("check", budget(tmp_path, "my-board"), "--target", address, "--format", "json", cwd=tmp_path)
        assert done.code == 0, done.err + done.out
        assert relay.sent < 100_000
    (check,) = json.loads(done.out)["checks"]
    assert {each["status"] for each in check["verdicts"]} == {"pass"}


def test_a_board_is_not_calibrated_as_another_device(board: EmulatedBoard) -> None:
    place = Board(Profiles().get("raspberry-pi-4-2gb"), parse(board.address), QUICK)
    with pytest.raises(TargetError, match="not on a Raspberry Pi 4 Model B"):
        calibrate(place, silent, choice=Choice(("dense", "stem")))


def test_memory_is_read_with_the_psutil_that_was_brought_along(board: EmulatedBoard, stranger: dict[str, Any]) -> None:
    assert board.run('python3 -c "import psutil" 2>&1 || true').endswith("No module named 'psutil'\n")
    samplers = [each["sampler"] for each in stranger["run"]["workers"] if each["purpose"] == "memory"]
    assert samplers
    assert all(re.fullmatch(r"psutil \d+\.\d+\.\d+", sampler) for sampler in samplers), samplers


def test_without_a_psutil_that_works_it_is_read_by_hand_and_the_report_says_so(board: EmulatedBoard) -> None:
    runtime = board.run("dirname /root/.cache/edgecheck/device/trees/*/psutil").strip()
    board.run(f"mv {runtime}/psutil /root/psutil")
    run = measured(board.address)
    board.run(f"mv /root/psutil {runtime}/psutil")
    (worker,) = run.of(Purpose.MEMORY)
    assert worker.sampler == "/proc"
    assert len(worker.samples) > 5
    found = measure(METRICS["ram_peak"], Evidence(artifact=ARTIFACT, run=run))
    assert isinstance(found, Measurement)
    assert found.basis.endswith(", sampled from /proc")
    assert worker.peak is not None
    assert max(rss for _, rss in worker.samples) == pytest.approx(worker.peak, rel=0.05)


def test_a_disk_without_room_is_reported_and_nothing_is_sent(board: EmulatedBoard, tmp_path: Path) -> None:
    """The card of a board that is in use: the runtime would not fit."""
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


def test_a_connection_that_is_cut_leaves_what_was_complete_and_nothing_on_the_board(board: EmulatedBoard) -> None:
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


def test_a_second_account_waits_for_the_first_and_does_without_a_home(board: EmulatedBoard) -> None:
    """The guest's home is read-only, root's cache out of reach, and the lock is root's file in a sticky folder.

    The first is stopped, so as not to slow the second; and what the guest would unpack is copied to where it would be.
    """
    told: list[str] = []
    holders: list[str] = []
    assert device_cache(board.address_of("guest")).folder == "/var/tmp/edgecheck-1000/device"
    board.run(
        "cp -a /root/.cache/edgecheck/device/trees/. /var/tmp/edgecheck-1000/device/trees/ && "
        "busybox chown -R guest /var/tmp/edgecheck-1000/device/trees"
    )
    with ExitStack() as first:
        long = workload(MODEL, requirements=RUNTIME, latency=LONG, format="tflite", holder="anna@desk")
        pid = until(first.enter_context(target(board.address).launch(long, silent)), "start")["pid"]
        board.run(f"busybox kill -STOP {pid}")

        def heard(event: Mapping[str, Any]) -> None:
            if event.get("event") == "waiting":
                holders.append(event["holder"])
                first.close()

        run = measured(board.address_of("guest"), told.append, heard)
    assert [each for each in holders if each.startswith("anna@desk pid ")], holders
    assert not [each for each in told if each.startswith("sending the runtime")]
    assert run.notes == ()
    assert run.of(Purpose.MEMORY)[0].ending.outcome is Outcome.COMPLETED
    lock = board.run("busybox stat -c '%a %U %s' /tmp/edgecheck-measuring.lock /var/tmp/edgecheck-1000")
    assert lock.splitlines() == ["666 root 0", "700 guest 4096"]
    assert board.run("ls -A /home/guest") == ""
