"""`edgecheck check --target qemu` as its users call it."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import subprocess
import sys
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from onnx import TensorProto, helper, numpy_helper

from edgecheck.bundles import bundle_for, host_platform, unpacked
from edgecheck.bundles.obtain import cache_folder
from edgecheck.config import Profiles
from edgecheck.core.address import EMULATED
from edgecheck.emulator import saved
from edgecheck.emulator.cache import default_cache
from edgecheck.targets.qemu import command_for, open_target
from examples.real_models import fetch
from tests.agent import small_models
from tests.cli.command import EDGECHECK, edgecheck

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = pytest.mark.emulator

LIMITS = ("--limit", "instructions=200e6", "--limit", "ram_model=64MiB", "--limit", "latency_p50=1s")


def figures(folder: Path, *arguments: str | Path) -> dict[str, Any]:
    done = edgecheck("check", *arguments, "--fresh", "--format", "json", cwd=folder)
    assert done.code in (0, 1, 3), done.err
    found: dict[str, Any] = json.loads(done.out)["checks"][0]
    return found


@contextmanager
def busy() -> Iterator[None]:
    """A loop on every core."""
    spinners = [subprocess.Popen([sys.executable, "-c", "while True: pass"]) for _ in range(os.cpu_count() or 1)]
    try:
        yield
    finally:
        for spinner in spinners:
            spinner.kill()
            spinner.wait()


@pytest.fixture(scope="module")
def first(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    folder = tmp_path_factory.mktemp("first")
    return figures(folder, fetch("face_detection_short_range.tflite"), "--device", "raspberry-pi-4-2gb", *LIMITS)


def test_an_emulated_check_judges_what_it_can(first: dict[str, Any]) -> None:
    status = {verdict["metric"]: verdict["status"] for verdict in first["verdicts"]}
    assert status == dict.fromkeys(("footprint", "ram_peak", "latency_p50", "instructions", "ram_model"), "pass")
    origins = {name: figure["provenance"] for name, figure in first["figures"].items()}
    assert origins == {
        "size": "static",
        "download": "static",
        "params": "static",
        "footprint": "static",
        "ram_peak": "emulated",
        "ram_model": "emulated",
        "latency_p50": "projected",
        "instructions": "emulated",
    }
    projected = first["figures"]["latency_p50"]
    assert projected["low"] < projected["value"] < projected["high"]


def test_a_figure_is_measured_once(first: dict[str, Any], tmp_path: Path) -> None:
    """The second time the report is about the first run, to its last sample, and has its date."""
    model = shutil.copy(fetch("face_detection_short_range.tflite"), tmp_path / "renamed.tflite")
    arguments = ("check", model, "--device", "raspberry-pi-4-2gb", *LIMITS, "--format", "json")
    kept = edgecheck(*arguments, cwd=tmp_path)
    assert kept.code == 0, kept.err
    (check,) = json.loads(kept.out)["checks"]
    assert check["figures"] == first["figures"]
    assert {**check["run"], "notes": []} == first["run"]
    (caveat,) = (each for each in check["caveats"] if each["code"] == "measured-earlier")
    assert re.match(r"Measured on \d{4}-\d\d-\d\d \d\d:\d\d UTC; nothing that decides the result", caveat["message"])


@pytest.mark.usefixtures("first")
def test_fit_takes_a_kept_result_unless_it_is_asked_for_a_fresh_one(tmp_path: Path) -> None:
    model = fetch("face_detection_short_range.tflite")
    arguments = ("fit", model, "--device", "raspberry-pi-4-2gb", "--variant", "as-is", *LIMITS, "--format", "json")
    for more, expected in (((), True), (("--fresh",), False)):
        done = edgecheck(*arguments, *more, cwd=tmp_path)
        assert done.code == 0, done.err
        (trial,) = json.loads(done.out)["fits"][0]["trials"]
        assert ("measured-earlier" in {each["code"] for each in trial["check"]["caveats"]}) is expected


def test_the_same_check_has_the_same_figures_however_busy_the_host_is(first: dict[str, Any], tmp_path: Path) -> None:
    model = fetch("face_detection_short_range.tflite")
    with busy():
        loaded = figures(tmp_path, model, "--device", "raspberry-pi-4-2gb", *LIMITS)
    for metric, margin in (("instructions", 0.001), ("ram_peak", 0.005)):
        assert loaded["figures"][metric]["value"] == pytest.approx(first["figures"][metric]["value"], rel=margin)


def test_devices_with_the_same_core_share_a_run(tmp_path: Path) -> None:
    """Measured in this invocation, so without a date; each is judged with its own constants."""
    model = fetch("face_detection_short_range.tflite")
    devices = ("--device", "raspberry-pi-4-2gb", "--device", "raspberry-pi-4-4gb")
    done = edgecheck("check", model, *devices, *LIMITS, "--fresh", "-j", "2", "--format", "json", cwd=tmp_path)
    assert done.code == 0, done.err
    checks = json.loads(done.out)["checks"]
    assert [check["device"] for check in checks] == ["raspberry-pi-4-2gb", "raspberry-pi-4-4gb"]
    assert checks[0]["run"] == checks[1]["run"]  # to the last sample and load average
    assert not [each for check in checks for each in check["caveats"] if each["code"] == "measured-earlier"]


#: What the pages of the runtime's libraries add on this host, at most: 0.8 MB were seen while other tests ran.
LARGE_PIECES = 1 << 20


def read_anew(*places: Path) -> None:
    """Have the kernel forget these files, and those in these folders.

    What was written a moment ago, as a fresh set-up is, lies in large pieces of the page cache, and a process that
    touches a page of one counts all of it. What any process has mapped is not forgotten.
    """
    os.sync()
    for file in (path for place in places for path in (place, *place.rglob("*")) if path.is_file()):
        with file.open("rb") as stream:
            os.posix_fadvise(stream.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)


def test_what_models_cost_is_what_they_cost_on_this_host(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The same runtime on both sides: what is left is the page tables' and the allocator's.

    Of a larger model that is a smaller share. Here the runtime is unpacked once more, since other tests may have mapped
    the usual one.
    """
    names = ("face_landmark.tflite", "face_detection_back.tflite")
    models = [fetch(name) for name in names]
    pi = Profiles().get("raspberry-pi-5-4gb")
    (tmp_path / "budget.yaml").write_text(
        f"model: {json.dumps([str(model) for model in models])}\nbundle: profile\n"
        f"limits: {{ram_model: 64 MiB}}\ndevices: {{{pi.id}: }}\n"
        "measure: {min_time: 50 ms, warmup_time: 10 ms}\n"
    )
    emulated = costs(tmp_path, "--target", "qemu", "-j", "2")
    bundles = tmp_path / "cache" / "edgecheck" / "bundles"
    bundles.mkdir(parents=True)
    for kept in cache_folder().iterdir():
        if kept.name != "unpacked":
            (bundles / kept.name).symlink_to(kept)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    read_anew(*models, unpacked(bundle_for(pi.runtimes["tflite"], host_platform())))
    here = costs(tmp_path, "--target", "local")
    assert [Path(model).name for model in here] == list(names)
    assert emulated == pytest.approx(here, rel=0.0, abs=LARGE_PIECES)  # of 11 and 17 MB


def costs(folder: Path, *arguments: str) -> dict[str, float]:
    """`ram_model` by model."""
    done = edgecheck("check", "budget.yaml", *arguments, "--fresh", "--format", "json", cwd=folder)
    assert done.code in (0, 1, 3), done.err  # the profile limits latency, too, which a busy host leaves undecided
    return {check["model"]: check["figures"]["ram_model"]["value"] for check in json.loads(done.out)["checks"]}


def hungry(path: Path) -> Path:
    """A small file that takes some 350 MB while it is loaded: in pieces, each of which the kernel promises."""
    pieces = [f"piece{number}" for number in range(4)]
    fills = [numpy_helper.from_array(np.array([number], dtype=np.float32)) for number in range(4)]
    nodes = [
        helper.make_node("ConstantOfShape", ["shape"], [name], value=fill)
        for name, fill in zip(pieces, fills, strict=True)
    ]
    nodes += [
        helper.make_node("Sum", pieces, ["sum"]),
        helper.make_node("ReduceMax", ["sum"], ["most"], keepdims=0),
        helper.make_node("Add", ["x", "most"], ["y"]),
    ]
    rows = [small_models.value(name, TensorProto.FLOAT, [1, 4]) for name in ("x", "y")]
    shape = {"shape": np.array([9_000_000], dtype=np.int64)}
    return small_models.save(path, small_models.model(nodes, [rows[0]], [rows[1]], weights=shape))


def test_a_model_that_does_not_fit_meets_the_real_oom_killer(tmp_path: Path) -> None:
    done = edgecheck(
        "check", hungry(tmp_path / "hungry.onnx"), "--device", "raspberry-pi-zero-2-w", "--limit", "ram_peak=2GiB",
        "--fresh", cwd=tmp_path,
    )  # fmt: skip
    assert done.code == 1, done.out + done.err
    text = re.sub(r"\s+", " ", done.out)
    assert re.search(r"ram_peak: in a machine with the device's RAM the kernel killed the process for memory", text)
    assert "Killed process" in text


@contextmanager
def a_check_in_the_machine(folder: Path) -> Iterator[tuple[subprocess.Popen[str], list[int]]]:
    """A check that runs, and the processes of its machine."""
    process = subprocess.Popen(
        [EDGECHECK, "check", fetch("face_landmark.tflite"), "--device", "raspberry-pi-4-2gb", "--fresh"],
        cwd=folder,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=os.environ | {"TMPDIR": str(folder)},
    )
    try:
        while not (machines := _machines(process.pid)):
            assert process.poll() is None, process.communicate()
        yield process, machines
    finally:
        process.kill()
        process.communicate()


@pytest.mark.usefixtures("first")  # its state is saved by then
def test_an_interruption_leaves_no_machine(tmp_path: Path) -> None:
    with a_check_in_the_machine(tmp_path) as (process, machines):
        process.send_signal(signal.SIGINT)
        _, errors = process.communicate(timeout=60)
    assert process.returncode == 130
    assert "Traceback" not in errors
    assert not [pid for pid in machines if Path(f"/proc/{pid}").exists()]
    assert not list(tmp_path.glob("edgecheck-*"))


@pytest.mark.usefixtures("first")
def test_qemu_killed_in_the_middle_is_no_verdict_and_the_next_check_works(tmp_path: Path) -> None:
    with a_check_in_the_machine(tmp_path) as (process, machines):
        os.kill(machines[0], signal.SIGKILL)
        out, errors = process.communicate(timeout=60)
    assert process.returncode == 3, out + errors
    assert "QEMU was killed by signal 9" in re.sub(r"\s+", " ", out)
    assert not list(tmp_path.glob("edgecheck-*"))
    done = edgecheck("check", fetch("hey_jarvis.tflite"), "--device", "raspberry-pi-4-2gb", "--fresh", cwd=tmp_path)
    assert done.code == 0, done.out + done.err


@pytest.mark.usefixtures("first")
def test_a_damaged_state_is_made_again(tmp_path: Path) -> None:
    """One block of the saved RAM is lost, as on a worn SD card."""
    model, pi = fetch("hey_jarvis.tflite"), Profiles().get("raspberry-pi-4-2gb")
    command = command_for({"format": "tflite", "runtime": None, "threads": 1})
    spec = open_target(EMULATED, pi).spec(pi.runtimes["tflite"], model.stat().st_size, print, command)
    ram = saved.ensure(spec, default_cache(), print).ram
    before = ram.stat().st_ino
    with ram.open("r+b") as file:
        file.seek(ram.stat().st_size // 2)
        file.write(b"\0damage\0" * 512)
    done = edgecheck("check", model, "--device", pi.id, "--fresh", cwd=tmp_path)
    assert done.code == 0, done.out + done.err
    assert ram.stat().st_ino != before


def _machines(parent: int) -> list[int]:
    listing = subprocess.run(["ps", "-eo", "pid=,ppid=,comm="], check=True, capture_output=True, text=True).stdout
    rows = [line.split(None, 2) for line in listing.splitlines()]
    return [int(pid) for pid, above, name in rows if int(above) == parent and name.startswith("qemu")]
