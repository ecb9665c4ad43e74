"""`edgecheck profile` on real models: here, in the emulated machine and over SSH; and in checks and comparisons.

Also covers `checks/profiling.py`.
"""

from __future__ import annotations

import itertools
import json
import math
import re
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from onnx import TensorProto, helper, numpy_helper

from examples.real_models import fetch
from tests.agent.small_models import model, save, value
from tests.cli.command import Done, edgecheck
from tests.targets import sshd

FLOAT = TensorProto.FLOAT

pytestmark = pytest.mark.slow


def profiled(folder: Path, *arguments: str | Path) -> dict[str, Any]:
    """The profile as JSON."""
    done = edgecheck("profile", *arguments, "--format", "json", cwd=folder)
    assert done.code == 0, done.err
    found: dict[str, Any] = json.loads(done.out)
    total = math.fsum(each["value"] for each in found["operators"]) + found["remainder"]
    assert math.isclose(total, found["whole"], rel_tol=1e-6, abs_tol=1.0 if found["unit"] == "instructions" else 1e-9)
    return found


def dense(path: Path, *widths: int) -> Path:
    """A network of dense layers: x[1, widths[0]] to [1, widths[-1]]."""
    weights = {
        f"dense_{at}.weight": np.full(pair, 0.01, dtype=np.float32)
        for at, pair in enumerate(itertools.pairwise(widths))
    }
    ends = ["x", *(f"h{at}" for at in range(len(weights)))]
    nodes = [
        helper.make_node("MatMul", [ends[at], name], [ends[at + 1]], name=f"/dense_{at}/MatMul")
        for at, name in enumerate(weights)
    ]
    whole = model(nodes, [value("x", FLOAT, [1, widths[0]])], [value(ends[-1], FLOAT, [1, widths[-1]])])
    whole.graph.initializer.extend(numpy_helper.from_array(array, name) for name, array in weights.items())
    return save(path, whole)


def test_this_machine_with_every_format(tmp_path: Path) -> None:
    files = [f"{name}={tmp_path / name}" for name in ("json", "markdown", "html", "trace")]
    formats = [part for file in files for part in ("--format", file)]
    done = edgecheck("profile", fetch("mtcnn_onet.onnx"), "--top", "5", *formats, "--format", "terminal", cwd=tmp_path)
    assert done.code == 0, done.err
    assert "█" in done.out
    assert "(between the operators)" in done.out
    found = json.loads((tmp_path / "json").read_text())
    convolutions = [each for each in found["operators"] if each["type"] == "Conv"]
    assert {each["layer"] for each in convolutions} == {"conv2d_8", "conv2d_9", "conv2d_10", "conv2d_11"}
    # 48 x 48 to 46 x 46 x 32 with 3 x 3 x 3: by hand
    assert sorted(each["macs"] for each in convolutions)[-2:] == [2_359_296, 8_128_512]
    assert {event["name"] for event in json.loads((tmp_path / "trace").read_text())["traceEvents"]} > {"one inference"}
    assert "<svg" in (tmp_path / "html").read_text()
    assert "| conv2d\\_9 | Conv |" in (tmp_path / "markdown").read_text()


def test_a_tflite_models_operators_lead_back_to_its_layers(tmp_path: Path) -> None:
    found = profiled(tmp_path, fetch("face_detection_short_range.tflite"), "--by", "layer")
    assert found["provenance"] == "measured"
    working = [each for each in found["operators"] if each["macs"]]
    assert len(working) == 37
    assert all(each["layer"] for each in working)
    size = edgecheck("size", fetch("face_detection_short_range.tflite"), "--quick", "--format", "json", cwd=tmp_path)
    rows = {tensor["layer"] for tensor in json.loads(size.out)["tensors"]}
    assert {each["layer"] for each in working} <= rows


def test_what_grew_by_name(tmp_path: Path) -> None:
    new, old = dense(tmp_path / "new.onnx", 1024, 1024, 2048, 8), dense(tmp_path / "old.onnx", 1024, 1024, 64, 8)
    found = profiled(tmp_path, new, "--against", old)
    assert found["processes"] == 3
    changes = {each["name"]: each for each in found["against"]["changes"]}
    assert changes["/dense_1/MatMul"]["change"] == "grew"
    assert changes["/dense_1/MatMul"]["detail"].endswith("32 times the multiply-accumulates")
    assert found["against"]["changes"][0]["name"] == "/dense_1/MatMul"


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (["missing.onnx"], 2, "missing.onnx"),
        (["budget.yaml"], 2, "profile takes a model, but budget.yaml is a budget"),
        (["net.onnx", "--variant", "int8", "--variant", "float16"], 2, "--variant is given twice"),
        (["net.onnx", "--device", "no-such-board"], 2, "no-such-board"),
        (["cut.onnx"], 3, "refused by the runtime"),
        (["net.onnx", "--against", "net.tflite"], 3, "cannot be compared"),
        (["net.onnx", "--format", "trace=no/such/folder"], 2, "does not exist"),
        (["net.onnx", "--against", "missing.yaml"], 2, "profile takes a model, but missing.yaml is a budget"),
        (["budgets"], 2, "profile takes a model, but budgets is a folder of budgets"),
        (["net.onnx", "--against", "bare"], 2, "profile takes a model, but bare is an empty folder"),
        (
            ["net.onnx", "--input", "q=1,2"],
            3,
            "profiled: inputs name q, but the model's inputs are: x.\n  Give --in",
        ),
        (["twice.onnx"], 3, "two nodes with same node name (n).\n  Use a model that this runtime accepts"),
        (["net.onnx", "--runtime", "ai-edge-litert"], 3, "not run .onnx models.\n  Leave out --runtime, or name one"),
    ],
)
def test_what_cannot_be_profiled_is_said(tmp_path: Path, arguments: list[str], code: int, words: str) -> None:
    dense(tmp_path / "net.onnx", 16, 16)
    shutil.copyfile(fetch("okay_nabu.tflite"), tmp_path / "net.tflite")
    # The runtime refuses an operator that it does not have.
    node = helper.make_node("Unheard", ["x"], ["y"], domain="com.example")
    whole = model([node], [value("x", FLOAT, [1])], [value("y", FLOAT, [1])], domains=["com.example"])
    save(tmp_path / "cut.onnx", whole)
    (tmp_path / "budget.yaml").write_text("model: net.onnx\n")
    (tmp_path / "bare").mkdir()
    (tmp_path / "budgets").mkdir()
    (tmp_path / "budgets/net.yaml").write_text("model: ../net.onnx\ndevices: {this-machine: {latency_p50: 1 s}}\n")
    names = [helper.make_node("Relu", [before], [after], name="n") for before, after in (("x", "a"), ("a", "y"))]
    save(tmp_path / "twice.onnx", model(names, [value("x", FLOAT, [1])], [value("y", FLOAT, [1])]))
    done = edgecheck("profile", *arguments, cwd=tmp_path)
    assert (done.code, words in done.err) == (code, True), done


def checked(folder: Path, net: Path, limits: str, *arguments: str) -> tuple[Done, dict[str, Any]]:
    report = folder / "report.json"
    budget = f"model: {net.name}\nmeasure: {{min_count: 10, min_time: 50 ms, warmup_time: 10 ms}}\n"
    (folder / "net.yaml").write_text(f"{budget}devices: {{this-machine: {{{limits}}}}}\n", encoding="utf-8")
    done = edgecheck("check", "net.yaml", *arguments, "--format", f"json={report}", "--format", "terminal", cwd=folder)
    (check,) = json.loads(report.read_text())["checks"]
    return done, check


def test_a_failing_latency_shows_the_five_operators_that_take_most(tmp_path: Path) -> None:
    net = dense(tmp_path / "net.onnx", 512, 512, 1024, 512, 256, 128, 64)
    done, check = checked(tmp_path, net, "latency_p50: 1 us, size: 100 MB")
    assert done.code == 1
    assert "which operators take most of latency_p50" in done.out
    (way_out,) = check["ways_out"]
    assert way_out["metrics"] == ["latency_p50"]
    names = [part["name"] for part in way_out["parts"]]
    assert set(names[:3]) == {"/dense_0/MatMul", "/dense_1/MatMul", "/dense_2/MatMul"}
    assert len(names) == 5
    assert len(check["operators"]["operators"]) == 6
    # The figures of the limit are those of the pass without the profiler.
    assert {worker["purpose"] for worker in check["run"]["workers"]} == {"latency", "memory"}
    again = edgecheck("report", tmp_path / "report.json", "--format", "html", cwd=tmp_path)
    assert "/dense_1/MatMul takes" in again.out


def test_a_check_whose_limits_hold_profiles_nothing_unless_asked(tmp_path: Path) -> None:
    net = dense(tmp_path / "net.onnx", 64, 64)
    done, check = checked(tmp_path, net, "latency_p50: 1 s")
    assert (done.code, check["operators"], check["ways_out"]) == (0, None, [])
    done, check = checked(tmp_path, net, "latency_p50: 1 s", "--operators")
    assert done.code == 0
    assert [each["name"] for each in check["operators"]["operators"]] == ["/dense_0/MatMul"]
    assert check["ways_out"] == []


PI = ("--device", "raspberry-pi-4-2gb")

#: The same with the runtime that boards had before.
OLD_PI = """\
name: Old Pi
class: single-board-computer
soc: Broadcom BCM2711
cpu: {core: cortex-a72, count: 4, clock: 1.8 GHz, features: [asimd, crc32]}
ram: {total: 2 GiB, reserved: 180 MiB}
storage: {total: 16 GB, reserved: 4 GB}
limits: {ram_peak: 512 MiB}
python: "3.11"
runtimes: {tflite: [tflite-runtime==2.14.0, "numpy<2"], onnx: [onnxruntime==1.32.0]}
emulation: {cpu: "cortex-a72"}
sources: ["nobody's"]
"""


def convolutions(path: Path) -> Path:
    """Three convolutions of 9.4 M multiply-accumulates each."""
    weights = {f"conv_{at}.weight": np.full((32, 32, 3, 3), 0.01, dtype=np.float32) for at in range(3)}
    ends = ["x", "a", "b", "y"]
    nodes = [
        helper.make_node("Conv", [ends[at], name], [ends[at + 1]], name=f"/conv_{at}/Conv", pads=[1, 1, 1, 1])
        for at, name in enumerate(weights)
    ]
    whole = model(nodes, [value("x", FLOAT, [1, 32, 32, 32])], [value("y", FLOAT, [1, 32, 32, 32])])
    whole.graph.initializer.extend(numpy_helper.from_array(array, name) for name, array in weights.items())
    return save(path, whole)


@pytest.mark.emulator
def test_emulated_figures_repeat_and_sum_to_the_instructions_of_the_whole(tmp_path: Path) -> None:
    (tmp_path / "device_profiles").mkdir()
    (tmp_path / "device_profiles/old-pi.yaml").write_text(OLD_PI, encoding="utf-8")
    net = fetch("face_detection_short_range.tflite")
    first = profiled(tmp_path, net, "--device", "old-pi", "--fresh")
    second = profiled(tmp_path, net, *PI, "--fresh")
    _sums_to_an_inference(first)
    # its profile names a runtime without a profiler
    assert any("tflite-runtime, which has no profiler" in note for note in first["notes"])
    assert second["notes"] == []
    for one, other in zip(first["operators"], second["operators"], strict=True):
        assert one["name"] == other["name"]
        # Within 0.1 %, or within an interrupt of the system's timer.
        assert abs(one["value"] - other["value"]) <= max(0.001 * one["value"], 6000), (one, other)


@pytest.mark.emulator
def test_emulated_figures_of_onnx(tmp_path: Path) -> None:
    found = profiled(tmp_path, convolutions(tmp_path / "net.onnx"), *PI, "--fresh")
    _sums_to_an_inference(found)
    assert [each["macs"] for each in found["operators"] if each["macs"]] == [32 * 32 * 32 * 32 * 9] * 3
    assert not [note for note in found["notes"] if note.startswith("Measured on")]
    again = profiled(tmp_path, tmp_path / "net.onnx", *PI)
    assert again["operators"] == found["operators"]
    assert [note for note in again["notes"] if re.fullmatch(r"Measured on .* UTC; nothing .* with --fresh\.", note)]


def _sums_to_an_inference(found: dict[str, Any]) -> None:
    """The operators and what is between them are an inference that the profiler saw, as long as one without it."""
    assert (found["unit"], found["provenance"]) == ("instructions", "emulated")
    assert abs(found["whole"] / found["without_profiler"] - 1) < 0.02


@pytest.mark.emulator
def test_growth_of_instructions_is_explained_by_three_operators(tmp_path: Path) -> None:
    (tmp_path / "budgets").mkdir()
    (tmp_path / "budgets" / "net.yaml").write_text(
        "model: ../net.onnx\nregression: {instructions: 1%}\ndevices: {raspberry-pi-4-2gb: {instructions: 1e12}}\n"
    )
    reports = []
    for name, widths in (("main", (256, 256, 256, 8)), ("head", (256, 512, 512, 8))):
        dense(tmp_path / "net.onnx", *widths)
        done = edgecheck("check", "--target", "qemu", "--operators", "--format", f"json={name}.json", cwd=tmp_path)
        assert done.code in (0, 1), done
        reports.append(f"{name}.json")
    done = edgecheck("compare", *reports, "--growth", "instructions=1%", "--format", "markdown", cwd=tmp_path)
    assert done.code == 1, done
    assert "most of it: /dense" in done.out.replace("\\", "")


@pytest.mark.ssh
def test_over_ssh(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    net = dense(tmp_path / "net.onnx", 512, 512, 64)
    with sshd.started(tmp_path / "board") as board:
        monkeypatch.setenv("EDGECHECK_SSH", board.ssh)
        found = profiled(tmp_path, net, *PI, "--target", board.address, "--bundle", "system")
        assert board.jobs == []
        assert list((board.folder / "tmp").glob("edgecheck-profile-*")) == []
    assert found["target"] == board.address
    assert [each["name"] for each in found["operators"]] == ["/dense_0/MatMul", "/dense_1/MatMul"]
    assert found["provenance"] == "measured"
    assert any("ran on" in note for note in found["notes"])
