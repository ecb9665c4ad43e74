"""Both stages of Dockerfile.arm64, used as their users do: a check inside of one, and one in a machine of the other."""

from __future__ import annotations

import json
import os
import re
import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from examples.real_models import fetch
from tests.cli.command import Done, edgecheck
from tests.docker.images import ROOT

if TYPE_CHECKING:
    from tests.docker.images import Builder

pytestmark = [pytest.mark.image, pytest.mark.timeout(1800)]

# The emulation of a process is slow: few inferences, and limits that say that there was something to judge.
BUDGET = """\
model: {model}
measure: {{warmup_count: 1, warmup_time: 0 s, min_count: 5, min_time: 0 s, max_time: 3 s}}
limits: {limits}
devices: {{{device}: }}
"""
HERE = "{size: 2 MB, ram_peak: 1 GiB, ram_model: 500 MiB, latency_p50: 60 s}"


def budget(folder: Path, model: str, device: str = "this-machine", limits: str = HERE) -> str:
    shutil.copy(fetch(model), folder / model)
    (folder / "budget.yaml").write_text(BUDGET.format(model=model, device=device, limits=limits))
    return "budget.yaml"


@pytest.fixture
def work(tmp_path: Path) -> Path:
    """What a user mounts at /work: a folder that is not root's."""
    folder = tmp_path / "work"
    folder.mkdir()
    folder.chmod(0o777)
    return folder


def inside(builder: Builder, image: str, work: Path, *argv: str, user: str | None = None) -> Done:
    """What `docker run --volume WORK:/work [--user USER] IMAGE` does."""
    chosen = ("--user", user) if user else ()
    with builder.container(image) as name:
        return builder.attempt("run", "--isolation", "chroot", *chosen, "--volume", f"{work}:/work", name, "--", *argv)


@pytest.mark.parametrize(
    ("model", "runtime_name"),
    [("face_detection_short_range.tflite", "ai-edge-litert"), ("mtcnn_onet.onnx", "onnxruntime")],
)
def test_a_check_inside(builder: Builder, runtime: str, work: Path, model: str, runtime_name: str) -> None:
    arguments = ("check", budget(work, model), "--target", "local", "--format", "json")
    done = inside(builder, runtime, work, "edgecheck", *arguments)
    found: dict[str, Any] = json.loads(done.out)["checks"][0]
    assert {"ram_peak", "latency_p50"} <= {verdict["metric"] for verdict in found["verdicts"]}
    if os.uname().machine == "aarch64":
        assert done.code == 0, done.out + done.err
        assert {verdict["status"] for verdict in found["verdicts"]} == {"pass"}
    else:  # it finished, and figures that are the translator's are not used
        assert done.code == 3, done.out + done.err
        doubted = [each for each in found["verdicts"] if each["metric"] in ("ram_peak", "latency_p50")]
        assert {each["status"] for each in doubted} == {"unknown"}
        assert all("by a translation of aarch64 programs" in each["reason"] for each in doubted)
    assert runtime_name in json.dumps(found)
    assert "aarch64" in json.dumps(found)
    assert next(work.glob(".edgecheck/results/*")).stat().st_uid == 1000


def test_any_user_has_a_cache(builder: Builder, runtime: str, work: Path) -> None:
    """`--user "$(id -u):$(id -g)"`; the bundle of a device is resolved, which needs pip, certificates and a cache."""
    limits = "{footprint: 100 MB, ram_peak: off, latency_p50: off}"
    file = budget(work, "hey_jarvis.tflite", "raspberry-pi-4-2gb", limits)
    arguments = ("check", file, "--target", "local", "--format", "json")
    done = inside(builder, runtime, work, "edgecheck", *arguments, user="4321:4321")
    assert done.code == 0, done.out + done.err
    footprint = json.loads(done.out)["checks"][0]["figures"]["footprint"]
    assert 40e6 < footprint["value"] < 60e6


def test_what_is_in_it_and_what_is_not(builder: Builder, runtime: str, work: Path) -> None:
    image = builder.described(runtime)
    assert image["architecture"] == "arm64"
    config = image["config"]
    assert (config["User"], config["Entrypoint"], config["WorkingDir"]) == ("1000:1000", ["edgecheck"], "/work")

    listing = "import importlib.metadata as m, json; print(json.dumps({d.name: d.version for d in m.distributions()}))"
    installed = json.loads(inside(builder, runtime, work, "/opt/edgecheck/bin/python", "-c", listing).out)
    del installed["edgecheck"]
    pinned = dict(line.split("==") for line in (ROOT / "constraints.txt").read_text().splitlines())
    normal = {re.sub(r"[-_.]+", "-", name).lower(): version for name, version in pinned.items()}
    assert {
        re.sub(r"[-_.]+", "-", name).lower(): version for name, version in installed.items()
    }.items() <= normal.items()
    assert not {"pip", "setuptools", "hatchling", "pytest", "tensorflow"} & installed.keys()

    tools = "for name in gcc make pip pip3 git; do command -v $name; done; ls -d /var/lib/apt/lists/* /source /tools"
    assert inside(builder, runtime, work, "sh", "-c", tools).out == ""


def test_most_of_its_size_is_the_runtimes(builder: Builder, runtime: str, work: Path) -> None:
    places = "/opt/edgecheck /opt/edgecheck/lib/python3.11/site-packages/edgecheck"
    script = f"for place in {places}; do du -smx $place | cut -f1; done"
    environment, edgecheck_alone = map(int, inside(builder, runtime, work, "sh", "-c", script).out.split())
    assert environment < 300
    assert edgecheck_alone < 15


def test_the_tar_of_the_machine_is_imported_and_checks(builder: Builder, tmp_path: Path) -> None:
    builder.build("machine", "--output", f"type=tar,dest={tmp_path / 'rootfs.tar'}")
    model = shutil.copy(fetch("face_detection_short_range.tflite"), tmp_path)
    cache = {"XDG_CACHE_HOME": str(tmp_path / "cache")}

    done = edgecheck("emulator", "import", "rootfs.tar", cwd=tmp_path, **cache)
    assert done.code == 0, done.err
    assert re.fullmatch(r"Python 3\.11, Linux \S+-cloud-arm64, \d+ MB: ready\.\n", done.out)

    limits = ("--limit", "instructions=200e6", "--limit", "ram_model=64MiB", "--limit", "latency_p50=1s")
    device = ("--device", "raspberry-pi-4-2gb", "--target", "qemu")
    done = edgecheck("check", model, *device, *limits, "--format", "json", cwd=tmp_path, **cache)
    assert done.code == 0, done.out + done.err
    figures = json.loads(done.out)["checks"][0]["figures"]
    assert {figures[name]["provenance"] for name in ("instructions", "ram_peak")} == {"emulated"}

    info = edgecheck("emulator", "info", cwd=tmp_path, **cache).out
    assert re.search(r"^system +Python 3\.11, .*, rootfs\.tar$", info, re.MULTILINE)
