"""`edgecheck fit` and `variants: auto`, on real models that others trained."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import subprocess
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from jsonschema import Draft202012Validator

from examples.real_models import fetch
from tests.cli.command import EDGECHECK, edgecheck

#: With which files decide, and nothing has to run.
FILES_ONLY = ("--limit", "ram_peak=off")
REPORTS = Path(__file__).parents[2] / "edgecheck" / "reports"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """With a network of 1.56 MB: 783 kB as float16, 400 kB as int8-weights, 416 kB as int8."""
    shutil.copyfile(fetch("mtcnn_onet.onnx"), tmp_path / "net.onnx")
    return tmp_path


def written(file: Path) -> dict[str, Any]:
    """What is in `file`, held to its schema and each check in it to the report's."""
    data: dict[str, Any] = json.loads(file.read_text(encoding="utf-8"))
    whole = json.loads((REPORTS / "fit-1.schema.json").read_text(encoding="utf-8"))
    report = json.loads((REPORTS / "report-1.schema.json").read_text(encoding="utf-8"))
    Draft202012Validator(whole).validate(data)
    check = Draft202012Validator({"$ref": "#/$defs/check", "$defs": report["$defs"]})
    for fit in data["fits"]:
        for trial in fit["trials"]:
            check.validate(trial["check"])
    return data


def test_the_least_lossy_that_holds_every_limit(folder: Path) -> None:
    done = edgecheck(
        *("fit", "net.onnx", "--limit", "size=410kB", "--limit", "latency_p50=1s", "--format", "terminal"),
        *("--format", "json=fit.json", "--format", "markdown=fit.md"),
        cwd=folder,
        COLUMNS="120",
    )
    assert done.code == 0, done.err
    size = next(line for line in done.out.splitlines() if line.startswith("  size"))
    assert re.sub(" +", " ", size) == (" size ≤ 410 kB ✘ 1.56 MB ✘ 783 kB ✔ 400 kB ✘ 416 kB ✘ 667 kB static")
    p50 = next(line for line in done.out.splitlines() if line.startswith("  latency_p50"))
    assert re.search(r"≤ 1.00 s +- +- +✔ [\d.]+ [um]s +- +- +measured", p50.replace("\N{EN DASH}", "-"))
    assert "int8: size 416 kB is 1.5% over 410 kB" in done.out
    assert "int8-weights fits this machine" in done.out
    assert done.out.endswith("Next: edgecheck convert net.onnx --variant int8-weights --format onnx\n")
    assert "recommended" in (folder / "fit.md").read_text(encoding="utf-8")
    (fit,) = written(folder / "fit.json")["fits"]
    assert (fit["outcome"], fit["recommended"], fit["not_tried"]) == ("fits", "int8-weights", [])
    states = {trial["variant"]: trial["state"] for trial in fit["trials"]}
    assert states["int8-weights"] == "holds"
    assert set(states.values()) == {"holds", "fails"}


def test_what_it_says_next_is_what_fits(folder: Path) -> None:
    done = edgecheck("fit", "net.onnx", "--limit", "size=1MB", *FILES_ONLY, cwd=folder)
    command = done.out.splitlines()[-1].removeprefix("Next: edgecheck ").split()
    assert edgecheck(*command, "-o", "build", cwd=folder).code == 0
    (made,) = (folder / "build").iterdir()
    assert made.stat().st_size <= 1_000_000


def test_nothing_fits_and_by_how_much(folder: Path) -> None:
    done = edgecheck("fit", "net.onnx", "--limit", "size=300kB", "--limit", "ram_peak=1GiB", cwd=folder)
    assert done.code == 1
    assert re.search(
        r"Nothing fits this machine.*The nearest is int8-weights:\s+size\s+400\s+kB\s+is\s+33%\s+over\s+300\s+kB\s+"
        r"\(limit\s+set\s+on\s+the\s+command\s+line\)",
        done.out,
        re.DOTALL,
    )
    assert not re.search(r"ram_peak.*MiB ", done.out), "what its file rules out is not run"


def test_all_shows_the_complete_table(folder: Path) -> None:
    variants = ("--variant", "as-is", "--variant", "float16", "--variant", "int8-weights")
    limits = ("--limit", "size=1MB", "--limit", "ram_peak=1GiB")
    done = edgecheck("fit", "net.onnx", *variants, *limits, "--all", cwd=folder)
    assert done.code == 0, done.err
    row = next(line for line in done.out.splitlines() if line.startswith("  ram_peak"))
    assert row.count("✔") == 3
    assert "holds too, and loses more" in done.out


def test_a_limit_that_the_runtime_alone_exceeds_ends_the_search(folder: Path) -> None:
    done = edgecheck("fit", "net.onnx", "--limit", "ram_peak=20MiB", "--format", "json", cwd=folder)
    assert done.code == 1
    (fit,) = json.loads(done.out)["fits"]
    assert fit["not_tried"] == ["float16", "int8-weights", "int8-dynamic", "int8"]
    assert fit["stopped"].startswith("no variant can hold ram_peak ≤ 20.0 MiB: the runtime alone takes ")


def test_another_machine_decides_nothing(folder: Path) -> None:
    """The board's profile, this machine: limits on files are judged, the others are not."""
    done = edgecheck(
        *("fit", "net.onnx", "--device", "pixel-8", "--target", "local", "--limit", "size=1MB"),
        *("--limit", "latency_p50=off", "--format", "json"),
        cwd=folder,
    )
    assert done.code == 3, done.err
    (fit,) = json.loads(done.out)["fits"]
    assert (fit["outcome"], fit["recommended"]) == ("undecided", None)
    assert "not on a" in fit["stopped"]
    states = {trial["variant"]: trial["state"] for trial in fit["trials"]}
    assert states == {
        **dict.fromkeys(("int8-weights", "int8-dynamic", "int8"), "not run"),
        "as-is": "fails",
        "float16": "undecided",
    }


def test_samples_calibrate_and_compare(folder: Path) -> None:
    np.savez(folder / "faces.npz", input_3=np.random.default_rng(0).random((4, 48, 48, 3), dtype=np.float32))
    done = edgecheck("fit", "net.onnx", "--samples", "faces.npz", "--limit", "size=1MB", *FILES_ONLY, cwd=folder)
    assert done.code == 0, done.err
    assert "on 4 samples" in " ".join(done.out.split())
    assert "random" not in done.out
    assert done.out.endswith("--samples faces.npz\n")


def test_a_quantised_file_is_only_what_it_is(tmp_path: Path) -> None:
    shutil.copyfile(fetch("hey_jarvis.tflite"), tmp_path / "wake.tflite")
    done = edgecheck("fit", "wake.tflite", "--limit", "size=20kB", cwd=tmp_path)
    assert done.code == 1
    assert "pass the model that this file was made from" in done.out
    assert "float16" not in done.out


def test_a_budgets_own_variants_are_tried_too(folder: Path) -> None:
    (folder / "net.yaml").write_text(
        "model: net.onnx\nvariants: [as-is, {variant: int8-weights, prune: 0.5}]\n"
        "devices: {this-machine: {download: 300 kB, ram_peak: off, agreement: 0.1}}\n",
        encoding="utf-8",
    )
    done = edgecheck("fit", "net.yaml", cwd=folder, COLUMNS="160")
    assert done.code == 0, done.out
    assert "int8-weights pruned 50% fits" in done.out
    assert done.out.endswith("Next: write `variants: [{variant: int8-weights, prune: 0.5}]` into net.yaml.\n")


def test_shares_of_pruning_are_tried_too(folder: Path) -> None:
    argv = ("--variant", "as-is", "--prune", "0.5", "--limit", "download=1MB", "--limit", "agreement=0.1")
    done = edgecheck("fit", "net.onnx", *argv, *FILES_ONLY, "--format", "json", cwd=folder)
    (fit,) = json.loads(done.out)["fits"]
    assert [(trial["variant"], trial["state"]) for trial in fit["trials"]] == [
        ("as-is", "fails"),
        ("float32 pruned 50%", "holds"),
    ]


def test_only_some_variants(folder: Path) -> None:
    done = edgecheck(
        *("fit", "net.onnx", "--variant", "int8", "--variant", "as-is", "--limit", "size=1MB", *FILES_ONLY),
        *("--format", "json"),
        cwd=folder,
    )
    assert done.code == 0, done.err
    (fit,) = json.loads(done.out)["fits"]
    assert [trial["variant"] for trial in fit["trials"]] == ["as-is", "int8"]


def test_every_device_has_its_answer(folder: Path) -> None:
    (folder / "net.yaml").write_text(
        "model: net.onnx\ndevices:\n"
        "  pixel-8: {size: 1 MB, ram_peak: off, latency_p50: off, footprint: off}\n"
        "  pixel-7: {size: 1 kB, ram_peak: off, latency_p50: off, footprint: off}\n",
        encoding="utf-8",
    )
    done = edgecheck("fit", "net.yaml", cwd=folder)
    assert done.code == 1
    assert done.out.index("float16 fits Google Pixel 8") < done.out.index("Nothing fits Google Pixel 7")
    assert "files only" in done.out


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("nothing.onnx",), "nothing.onnx"),
        ((), "Missing argument"),
        (("net.onnx", "--variant", "auto"), "'auto' is not one of"),
        (("net.yaml", "--samples", "net.onnx"), "--samples goes with a model, not with a budget."),
        (("bare.yaml",), "There is no limit for net.onnx on"),
        (("net.onnx", "--format", "json", "--format", "markdown"), "Two formats cannot both go to stdout."),
        (("net.onnx", "--format", "json=gone/fit.json"), "The folder of gone/fit.json does not exist."),
        (("net.onnx", "--format", "html"), "unknown format 'html'"),
    ],
)
def test_what_cannot_be_is_reported_before_anything_is_converted(
    folder: Path, arguments: tuple[str, ...], said: str
) -> None:
    (folder / "net.yaml").write_text("model: net.onnx\ndevices: {this-machine: {size: 1 MB}}\n", encoding="utf-8")
    (folder / "bare.yaml").write_text(
        "model: net.onnx\ndevices: {this-machine: {size: off, ram_peak: off}}\n", encoding="utf-8"
    )
    done = edgecheck("fit", *arguments, cwd=folder, XDG_CACHE_HOME=str(folder / "cache"))
    assert done.code == 2
    assert said in done.err
    assert not (folder / "cache").exists()


def test_an_interruption_loses_nothing_that_is_converted(folder: Path) -> None:
    environment = os.environ | {"XDG_CACHE_HOME": str(folder / "cache")}
    variants = ("--variant", "int8-weights", "--variant", "int8-dynamic")
    argv = [EDGECHECK, "fit", "net.onnx", *variants, "--limit", "size=410kB", *FILES_ONLY]
    begun = subprocess.Popen(argv, cwd=folder, env=environment, stderr=subprocess.PIPE, stdout=subprocess.PIPE)
    artifacts = folder / "cache" / "edgecheck" / "artifacts"
    deadline = time.monotonic() + 120
    while not list(artifacts.glob("*/entry.json")):
        assert time.monotonic() < deadline
        assert begun.poll() is None, "it was done before anybody could interrupt it"
        time.sleep(0.02)
    begun.send_signal(signal.SIGINT)
    _, err = begun.communicate(timeout=60)
    assert (begun.returncode, err.strip()) == (130, b"edgecheck: interrupted.")
    kept = {file: file.stat().st_mtime_ns for file in artifacts.glob("*/entry.json")}
    assert not list(artifacts.glob(".making-*"))
    assert edgecheck(*argv[1:], cwd=folder, XDG_CACHE_HOME=str(folder / "cache")).code == 0
    assert {file: file.stat().st_mtime_ns for file in kept} == kept


class TestAuto:
    def test_the_first_that_fits_is_what_is_checked(self, folder: Path) -> None:
        (folder / "net.yaml").write_text(
            "model: net.onnx\nvariants: auto\ndevices: {this-machine: {size: 1 MB}}\n", encoding="utf-8"
        )
        done = edgecheck("check", "net.yaml", "--format", "terminal", "--format", "json=report.json", cwd=folder)
        assert done.code == 0, done.out
        assert "net.onnx · float16 · this machine" in done.out
        assert "auto  as-is: size 1.56 MB is 56% over 1.00 MB" in done.out
        assert (
            "auto  int8-weights, int8-dynamic, int8: not tried, since float16 holds and loses next to nothing"
            in done.out
        )
        assert "Every limit holds: 2 limits in 1 check." in done.out
        again = edgecheck("report", "report.json", cwd=folder)
        assert "auto  as-is: size 1.56 MB is 56% over 1.00 MB" in again.out

    def test_where_none_fits_the_nearest_fails(self, folder: Path) -> None:
        done = edgecheck("check", "net.onnx", "--variant", "auto", "--limit", "size=300kB", cwd=folder)
        assert done.code == 1
        assert "net.onnx · int8-weights" in done.out
        assert "it was not run, since its files fail already" in " ".join(done.out.split())

    def test_nothing_is_decided_where_the_target_is_another_machine(self, folder: Path) -> None:
        done = edgecheck(
            *("check", "net.onnx", "--variant", "auto", "--device", "pixel-8", "--target", "local"),
            *("--limit", "latency_p50=off"),
            cwd=folder,
        )
        assert done.code == 3
        assert "net.onnx · as-is" in done.out

    def test_it_goes_alone(self, folder: Path) -> None:
        done = edgecheck("check", "net.onnx", "--variant", "auto", "--variant", "int8", cwd=folder)
        assert done.code == 2
        assert "cannot be combined with others" in done.err
