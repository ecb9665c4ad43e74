"""A phone over adb, from the first connection to the last byte that is left there: the real adb and the real adbd.

Shell programs stand for Android's own (`tests/android.py`): `Phone.android` says so where a test needs them. Covers
`adb/server.py`, `adb/bringing.py`, `adb/opener.py`, `adb/portable.py`.
"""

from __future__ import annotations

import json
import os
import re
import signal
import socket
import subprocess
import threading
from dataclasses import replace
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from edgecheck.cli import doctor
from edgecheck.config import Profiles
from edgecheck.core.address import parse
from edgecheck.core.device import AppShare, Costs
from edgecheck.errors import TargetError
from edgecheck.targets import open_target
from edgecheck.targets.adb import bringing, portable, server
from edgecheck.targets.adb.opener import Adb
from edgecheck.targets.shell.cache import clear_device_cache, device_cache, probe
from edgecheck.targets.shell.opener import Lost
from tests.android import LOG, PROPERTIES, programs
from tests.builders import profile
from tests.cli.command import edgecheck
from tests.targets.phone import SERIAL, SHARED
from tests.targets.workloads import LONG, RUNTIME, comes_true, events, identity, rest_of, silent, until, workload

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.targets.phone import Phone

pytestmark = pytest.mark.adb


def refused(address: str, model: Path) -> TargetError:
    """Why a check on the phone cannot begin."""
    target = open_target(parse(address), profile())
    with pytest.raises(TargetError) as caught, target.launch(workload(model, requirements=RUNTIME), silent) as lines:
        events(lines)
    return caught.value


def test_what_runs_there_is_brought_once_shown_and_cleared(phones: Callable[..., Phone], model: Path) -> None:
    phone = phones(has_all=False)
    assert device_cache(phone.address).kept == ()  # which brings nothing
    assert not phone.cache.exists()
    said: list[str] = []
    target = open_target(parse("adb://"), profile())
    for _ in range(2):
        with target.launch(workload(model, requirements=RUNTIME), said.append) as lines:
            assert events(lines)[-1]["event"] == "done"
        said.append("again")
    first, second = " / ".join(said).split(" / again")[:2]
    assert re.search(r"sending Python 3\.11\.\d+, 23\.\d MB, which stays there for the next check", first)
    assert "sending" not in second
    labels = {one.label for one in device_cache(phone.address).kept}
    assert {"the agent", "a runtime: Python 3.11.2"} < labels
    assert any("onnxruntime==1.32.0" in label for label in labels)
    assert clear_device_cache(phone.address) > 30e6
    assert device_cache(phone.address).kept == ()
    assert {path.name for path in (phone.cache / "device/trees").iterdir()} == set()


def test_a_phone_says_what_it_is(phones: Callable[..., Phone]) -> None:
    phone = phones()
    phone.android(programs(str(SHARED)))
    event = probe("adb://")
    assert (event["model"], event["machine"], event["libc"]) == ("Pixel 8", os.uname().machine, "glibc 2.36")
    assert event["phone"] == {
        "android": "14",
        "soc": "Tensor G3",
        "heap": "256m",
        "low_ram": False,
        "thermal_status": 0,
        "battery_c": 28.5,
        "battery_level": 85,
        "battery_saver": False,
        "awake": True,
        "locked": False,
        "emulator": False,
    }


def test_a_check_from_the_command_line(phones: Callable[..., Phone], tmp_path: Path) -> None:
    """Its profile is recognised, the mode is asked for and ended, and battery saver and a dark screen are caveats."""
    phone = phones()
    phone.android(programs(str(SHARED), saver=1, wakefulness="Dozing"))
    model = identity(tmp_path / "small.onnx")
    done = edgecheck(
        *("check", str(model), "--device", "pixel-8", "--target", "adb://", "--limit", "latency_p50=1s"),
        *("--limit", "footprint=off", "--format", "json"),
        cwd=tmp_path,
    )
    (check,) = json.loads(done.out)["checks"]
    assert (done.code, check["status"]) == (0, "pass"), done.err
    assert {one["metric"] for one in check["verdicts"]} == {"download", "latency_p50", "ram_peak"}
    before = check["run"]["before"]
    assert (before["model"], before["phone"]["battery"], before["phone"]["soc"]) == ("Pixel 8", 28.5, "Tensor G3")
    codes = {caveat["code"]: caveat["message"] for caveat in check["caveats"]}
    assert codes["pinned"] == "Held for this check: Android's fixed-performance mode."
    assert {"battery-saver", "screen-off"} <= set(codes)
    assert (phone.shared / "fixed").read_text() == "true\nfalse\n"


def test_what_the_low_memory_killer_ended_is_an_outcome(phones: Callable[..., Phone], model: Path) -> None:
    """Somebody kills it and writes what Android's killer writes."""
    phone = phones()
    phone.android(programs(str(SHARED)))
    target = open_target(parse("adb://"), profile())
    with target.launch(workload(model, requirements=RUNTIME, latency=LONG), silent) as lines:
        pid = until(lines, "start")["pid"]
        until(lines, "phase", phase="first-inference")
        (phone.shared / "log").write_text(f"{LOG.format(pid=pid)}\n")
        phone.adb("-s", SERIAL, "shell", "-T", f"kill -9 {pid}")
        end = until(lines, "end")
    assert end["outcome"] == "killed-for-memory"
    assert end["message"].startswith("Android's low-memory killer ended the process for memory in a later inference (")


def checked(folder: Path, seconds: str) -> tuple[int, dict[str, Any], str]:
    """Exit code, the one check of the report, and progress of a check that waits so long for a hot phone."""
    identity(folder / "small.onnx")
    measure = "{warmup_count: 1, warmup_time: 0 s, min_count: 5, min_time: 0 s, max_time: 3 s, cooling_time: SECONDS}"
    (folder / "phone.yaml").write_text(
        f"model: small.onnx\nmeasure: {measure.replace('SECONDS', seconds)}\n"
        "limits: {latency_p50: 1 s, footprint: off, download: off}\ndevices: [pixel-8]\n"
    )
    done = edgecheck("check", "phone.yaml", "--target", "adb://", "--format", "json", cwd=folder)
    (check,) = json.loads(done.out)["checks"]
    return done.code, check, done.err


def test_a_hot_phone_is_waited_for_up_to_a_limit_and_then_its_times_are_unknown(
    phones: Callable[..., Phone], tmp_path: Path
) -> None:
    """And measured once: it has been waited for. Its memory does not depend on its clocks."""
    phone = phones()
    phone.android(programs(str(SHARED)))
    (phone.shared / "thermal").write_text("3")
    code, check, progress = checked(tmp_path, "1 s")
    assert (code, check["status"]) == (3, "unknown")
    verdicts = {one["metric"]: one for one in check["verdicts"]}
    assert verdicts["latency_p50"]["reason"] == "the phone was still hot after 1 s (thermal status 3, severe)"
    assert {name: one["status"] for name, one in verdicts.items()} == {"latency_p50": "unknown", "ram_peak": "pass"}
    assert "waiting for the phone to cool down (thermal status 3, severe)" in progress
    assert (phone.shared / "fixed").read_text() == "true\nfalse\n"
    (caveat,) = (one for one in check["caveats"] if one["code"] == "hot")
    assert caveat["advice"] == "Let it cool down: off the charger, out of its case, its screen dark; and run again."

    (phone.shared / "thermal").write_text("3 0")
    code, check, progress = checked(tmp_path, "10 s")
    assert (code, check["status"]) == (0, "pass")
    assert "waiting for the phone to cool down (thermal status 3, severe)" in progress
    assert check["run"]["before"]["phone"]["thermal_status"] == 0


def test_androids_emulator_is_named_and_is_no_phone(phones: Callable[..., Phone], tmp_path: Path) -> None:
    phone = phones()
    emulator = {**PROPERTIES, "ro.product.model": "sdk_gphone64_x86_64", "ro.boot.qemu": "1"}
    phone.android(programs(str(SHARED), properties=emulator))
    code, check, _ = checked(tmp_path, "1 s")
    assert (code, check["status"]) == (3, "unknown")
    assert {one["reason"] for one in check["verdicts"]} == {"measured on sdk_gphone64_x86_64, not on a Google Pixel 8"}
    messages = {caveat["code"]: caveat["message"] for caveat in check["caveats"]}
    assert messages["android-emulator"] == (
        "This is Android's emulator: its times are those of the computer on which it runs."
    )


@pytest.mark.emulator
@pytest.mark.timeout(600)
def test_a_phone_is_calibrated(phones: Callable[..., Phone], tmp_path: Path) -> None:
    """Its times are this machine's: what holds here is the way, not the constant."""
    phone = phones()
    phone.android(programs(str(SHARED)))
    file = tmp_path / "device_profiles" / "my-pixel.yaml"
    file.parent.mkdir()
    written = "extends: pixel-8\nname: My Pixel  # the blue one\n"
    file.write_text(written)
    command = ("devices", "calibrate", "adb://", "--profile", "my-pixel", "--format", "onnx")
    done = edgecheck(*command, "--network", "dense", "--network", "stem", cwd=tmp_path)
    assert done.code == 0, done.err
    told = [line.split()[0] for line in done.err.splitlines() if " instructions, " in line]
    assert told == ["dense-float", "stem-float", "dense-int8", "stem-int8"]
    assert done.out == ""
    lines = done.err.splitlines()
    assert lines[-1] == "Wrote device_profiles/my-pixel.yaml."
    assert file.read_text().startswith(written)
    projection = Profiles([file.parent]).get("my-pixel").projection
    for kind, constant in (("float", projection.float), ("int8", projection.int8)):
        assert constant is not None
        (line,) = (line for line in lines if line.startswith(f"{kind}: "))
        said = re.fullmatch(rf"{kind}: (\S+) ns per instruction, spread (\d+)% over 2 networks on onnxruntime", line)
        assert said is not None, line
        assert float(said[1]) == pytest.approx(constant.ns_per_instruction, rel=0.01)
        assert int(said[2]) == pytest.approx(100 * constant.spread, abs=1), "the file has a digit more"
    costs_are_there(projection.costs, lines)
    assert (phone.shared / "fixed").read_text() == "true\nfalse\n" * 4


def costs_are_there(costs: Costs | None, lines: list[str]) -> None:
    assert costs is not None
    assert (costs.networks, costs.runtime, costs.spread, costs.l2_size) == (4, "onnxruntime", 0.0, 1 << 20)
    (line,) = (line for line in lines if line.startswith("costs: "))
    assert re.fullmatch(
        r"costs: (one factor|all costs).* from 4 networks on onnxruntime, \d+% off in the median .*", line
    )


def test_a_profile_that_was_probed_is_checked_with(phones: Callable[..., Phone], tmp_path: Path) -> None:
    """What a user types: probe, read the profile, check with it."""
    phone = phones()
    phone.android(programs(str(SHARED), properties={**PROPERTIES, "ro.config.low_ram": "true"}))
    probed = edgecheck("devices", "probe", "adb://", "--save", "my-phone", cwd=tmp_path)
    assert (probed.code, probed.out) == (0, ""), probed.err
    assert probed.err.splitlines()[-1] == (
        "Wrote device_profiles/my-phone.yaml. Review its limits, then: edgecheck check MODEL --device my-phone "
        "--target adb://"
    )
    drafted = Profiles([tmp_path / "device_profiles"]).get("my-phone")
    assert (drafted.kind, drafted.identity.model, drafted.soc) == ("phone", "Pixel 8", "Google Tensor G3")
    assert drafted.app == AppShare(heap=256 * 2**20, download=200_000_000, low_ram=True)
    assert {limit.metric.name for limit in drafted.limits} == {"ram_peak", "download", "footprint", "latency_p50"}
    model = identity(tmp_path / "small.onnx")
    limits = ("--limit", "latency_p50=1s", "--limit", "footprint=off")
    done = edgecheck(
        *("check", str(model), "--device", "my-phone", "--target", "adb://", *limits, "--format", "json"), cwd=tmp_path
    )
    (check,) = json.loads(done.out)["checks"]
    assert (done.code, check["status"]) == (0, "pass"), done.err
    assert "low-ram-class" not in {caveat["code"] for caveat in check["caveats"]}


def test_the_fixed_performance_mode_ends_when_the_cable_is_pulled(
    phones: Callable[..., Phone], model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    phone = phones()
    monkeypatch.setattr(import_module(Adb.__module__), "RETURN", 0.0)
    phone.android(programs(str(SHARED)))
    target = open_target(parse("adb://"), profile())
    with target.launch(workload(model, requirements=RUNTIME, latency=LONG), silent) as lines:
        until(lines, "phase", phase="first-inference")
        assert (phone.shared / "fixed").read_text() == "true\n"
        phone.adb("disconnect", SERIAL)  # what the server sees of a cable that is pulled out
        seen, why = rest_of(lines)
    assert "done" not in {event["event"] for event in seen}
    assert why == (
        f"the connection to the phone was lost: {SERIAL} is no longer connected; plug it in again, or wait until it "
        "has restarted, and unlock it"
    )
    assert comes_true(lambda: (phone.shared / "fixed").read_text() == "true\nfalse\n")
    assert comes_true(lambda: not phone.processes())


def test_what_to_do_about_a_cable_that_is_pulled(
    phones: Callable[..., Phone], model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    phone = phones()
    monkeypatch.setattr(import_module(Adb.__module__), "RETURN", 0.0)
    opener = Adb(parse("adb://"))
    assert opener.argv(["true"])[-4:] == [SERIAL, "shell", "-T", "true"]
    assert opener.when_lost() == Lost("", "Run it again: what has arrived there is not sent again.")
    phone.adb("disconnect", SERIAL)
    assert opener.when_lost().why == (
        f"{SERIAL} is no longer connected; plug it in again, or wait until it has restarted, and unlock it"
    )
    assert refused(phone.address, model).message == f"Phone {SERIAL} is not connected here, and neither is any other."
    assert refused("adb://", model).message == "No phone is connected."


def lost_in_the_middle(phone: Phone, model: Path, what: Callable[[], object]) -> str:
    """Why a run ended in the middle of which the connection was lost, and then something happened."""
    target = open_target(parse("adb://"), profile())
    with target.launch(workload(model, requirements=RUNTIME, latency=LONG), silent) as lines:
        until(lines, "phase", phase="first-inference")
        phone.adb("disconnect", SERIAL)
        happening = threading.Thread(target=what)
        happening.start()
        seen, why = rest_of(lines)
        happening.join()
    assert "done" not in {event["event"] for event in seen}
    return why


def test_a_phone_that_restarts_in_the_middle_says_so(phones: Callable[..., Phone], model: Path) -> None:
    """What restarting changes is what the kernel calls its start; one that really does is in tests/board."""
    phone = phones()

    def restarted() -> None:
        another = phone.shared.parent / "boot_id"
        another.write_text("6e1f0f5e-0b6f-4d0a-9f55-2f6f2f9b1c11\n")
        enter = ["nsenter", "-t", str(phone.adbd.pid), "-m"]
        place = f"{phone.root}/proc/sys/kernel/random/boot_id"
        subprocess.run([*enter, "mount", "--bind", f"{phone.root}/data/boot_id", place], check=True)
        phone.is_connected()

    assert lost_in_the_middle(phone, model, restarted) == (
        f"the connection to the phone was lost: {SERIAL} restarted in the middle; unlock it and wait until it is at "
        "rest (one that restarts again may be too hot, or have an empty battery)"
    )


def test_a_cable_that_is_plugged_in_again_is_not_a_restart(phones: Callable[..., Phone], model: Path) -> None:
    phone = phones()
    why = lost_in_the_middle(phone, model, phone.is_connected)
    assert why.startswith("the connection to the phone was lost")
    assert "restarted" not in why
    assert "no longer connected" not in why


def test_a_phone_that_hangs_is_offline(phones: Callable[..., Phone], model: Path) -> None:
    phone = phones()
    phone.adbd.send_signal(signal.SIGSTOP)
    phone.adb("disconnect", SERIAL)
    with subprocess.Popen(["adb", "connect", SERIAL], stdout=subprocess.DEVNULL) as connecting:  # for ten seconds
        assert comes_true(lambda: "offline" in phone.adb("devices"))
        assert refused("adb://", model).message.startswith(f"{SERIAL} is connected and does not answer (offline)")
        phone.adbd.send_signal(signal.SIGCONT)
        connecting.kill()


def test_several_phones_are_named_and_none_is_taken(phones: Callable[..., Phone], model: Path) -> None:
    """One adbd under two addresses is two phones to adb."""
    phone = phones()
    phone.adb("connect", "127.0.0.2:5599")
    error = refused("adb://", model)
    assert error.message.startswith("2 phones are connected: 127.0.0.")
    assert error.hint.startswith("Name the one that is meant: adb://127.0.0.")
    target = open_target(parse("adb://127.0.0.2:5599"), profile())
    with target.launch(workload(model, requirements=RUNTIME), silent) as lines:
        assert events(lines)[-1]["event"] == "done"


def test_a_full_phone(phones: Callable[..., Phone], model: Path) -> None:
    phones(size="20m", has_all=False)
    error = refused("adb://", model)
    assert error.message.startswith(f"The phone {SERIAL} has no room in /data/local/tmp/edgecheck-2000: 37.")
    assert error.hint.endswith(f"`edgecheck cache --target adb://{SERIAL}` shows what is edgecheck's.")


def test_one_that_becomes_full_while_something_is_sent(phones: Callable[..., Phone], model: Path) -> None:
    phone = phones(size="60m", has_all=False)

    def fill(words: str) -> None:
        if words.startswith("sending Python"):
            (phone.data / "another").write_bytes(bytes(50 * 2**20))

    target = open_target(parse("adb://"), profile())
    full = "it became full while Python was sent"
    with pytest.raises(TargetError, match=full), target.launch(workload(model), fill):
        pass
    (phone.data / "another").unlink()
    assert list((phone.cache / "device/files").iterdir()) == []


def test_one_on_which_no_program_may_be_started(phones: Callable[..., Phone], model: Path) -> None:
    phones(options="noexec", has_all=False)
    error = refused("adb://", model)
    assert error.message.startswith(f"The phone {SERIAL} lets no program be started from /data/local/tmp (")
    assert "Permission denied" in error.message


@pytest.mark.parametrize("abis", ["armeabi-v7a,armeabi", "riscv64"])
def test_one_with_another_processor(phones: Callable[..., Phone], model: Path, abis: str) -> None:
    phone = phones(has_all=False)
    phone.android({"getprop": f'[ "$1" = ro.product.cpu.abilist ] && echo {abis}'})
    error = refused("adb://", model)
    assert error.message.startswith(f"The phone {SERIAL} runs programs for {abis.replace(',', ', ')}: edgecheck needs")
    assert error.hint == "Judge its class by an emulated device instead: --device android-go"


def test_a_python_that_was_damaged_on_the_way_is_not_kept(
    phones: Callable[..., Phone], model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    phone = phones(has_all=False)
    monkeypatch.setattr(bringing, "portable", lambda *given: replace(portable.portable(*given), digest="0" * 64))
    assert refused("adb://", model).message.startswith(f"What was sent to {SERIAL} was damaged on the way (damaged: ")
    assert list((phone.cache / "device/trees").iterdir()) == []


def test_an_interruption_leaves_nothing_there(phones: Callable[..., Phone], model: Path) -> None:
    phone = phones(has_all=False)

    def interrupt(words: str) -> None:
        if words.startswith("checking"):
            raise KeyboardInterrupt

    target = open_target(parse("adb://"), profile())
    with pytest.raises(KeyboardInterrupt), target.launch(workload(model), interrupt):
        pass
    assert list((phone.cache / "device/files").iterdir()) == []
    assert list((phone.cache / "device/trees").iterdir()) == []


def test_no_server_is_started_where_one_runs_and_a_new_one_stays(phones: Callable[..., Phone], model: Path) -> None:
    phone = phones()
    assert phone.server is not None
    with open_target(parse("adb://"), profile()).launch(workload(model), silent) as lines:
        next(lines)
    assert phone.server.poll() is None
    os.killpg(phone.server.pid, signal.SIGKILL)
    phone.server.wait()
    assert server.running() is None
    assert server.listing() is None
    with pytest.raises(TargetError, match="No phone is connected"):
        Adb(parse("adb://")).argv(["true"])  # it starts one, in this network
    assert server.running() == server.version()
    subprocess.run(["adb", "kill-server"], check=True, capture_output=True)


def test_a_server_of_another_version_is_left_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, model: Path
) -> None:
    """A socket stands for it: no second adb is at hand. All that it is asked for is its version."""
    place, asked = tmp_path / "adb.socket", []
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(str(place))
        listening.listen()

        def answer() -> None:
            connection, _ = listening.accept()
            with connection:
                asked.append(connection.recv(100))
                connection.sendall(b"OKAY00040029"[:-2] + b"28")

        thread = threading.Thread(target=answer)
        thread.start()
        monkeypatch.setenv("ADB_SERVER_SOCKET", f"localfilesystem:{place}")
        error = refused("adb://", model)
        thread.join()
    assert error.message.startswith("The adb server that runs here has version 40, and your adb has version 41")
    assert "EDGECHECK_ADB=/path/to/adb" in error.hint
    assert asked == [b"000chost:version"]


def test_adb_is_missing(monkeypatch: pytest.MonkeyPatch, model: Path) -> None:
    monkeypatch.setenv("EDGECHECK_ADB", "/nowhere/adb")
    error = refused("adb://", model)
    assert error.message == "/nowhere/adb cannot be started: No such file or directory."
    assert error.hint.startswith("Install it (sudo apt install adb")


def test_doctor_names_the_phones_with_their_states(
    phones: Callable[..., Phone], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    phone = phones(has_all=False)
    lines = edgecheck("doctor", cwd=tmp_path).out.partition("Phones\n")[2].partition("\n\n")[0].splitlines()
    assert re.match(r"  ✔ adb +/.*adb, version 41", lines[0])
    assert re.match(rf"  ✔ {SERIAL} +ready: --target adb://{SERIAL}", lines[1])
    phone.adb("disconnect", SERIAL)
    assert [(line.works, line.what, line.found) for line in doctor._phones()][1:] == [
        (False, "phone", "none is connected")
    ]
    monkeypatch.setenv("ADB_SERVER_SOCKET", f"localfilesystem:{tmp_path}/none")
    assert [(line.works, line.what, line.found) for line in doctor._phones()][1:] == [
        (False, "server", "none runs: to look for phones, adb devices -l")
    ]
    assert not (tmp_path / "none").exists()
