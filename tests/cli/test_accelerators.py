"""Checks on accelerators, as a user does them: the fake NPU, OpenVINO, and one that is not there."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from edgecheck import api
from edgecheck.errors import UsageError
from tests import openvino
from tests.agent.accelerators.npu import ABS, NEG, build, chain, misbehaving
from tests.cli.command import Done, edgecheck

if TYPE_CHECKING:
    from pathlib import Path

QUICK = "measure: {warmup_time: 0 s, min_count: 5, min_time: 10 ms, max_time: 1 s}\n"


@pytest.fixture(scope="module")
def npu(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build(tmp_path_factory.mktemp("npu"))


def checked(folder: Path, budget: str) -> tuple[Done, dict[str, Any]]:
    (folder / "b.yaml").write_text(QUICK + budget)
    done = edgecheck("check", "b.yaml", "--format", "json=r.json", "--format", "terminal", cwd=folder)
    return done, json.loads((folder / "r.json").read_text())["checks"][0]


def verdicts(check: dict[str, Any]) -> dict[str, str]:
    """Without the limit on RAM that the profile of this machine sets."""
    return {verdict["metric"]: verdict["status"] for verdict in check["verdicts"] if verdict["metric"] != "ram_peak"}


def test_an_accelerator_that_is_not_there_fails_also_without_a_limit_on_it(tmp_path: Path) -> None:
    openvino.wholly(tmp_path / "m.onnx")
    budget = "model: m.onnx\naccelerator: cuda\nlimits: {size: 1 MB}\ndevices: [this-machine]\n"
    done, check = checked(tmp_path, budget)
    assert done.code == 1
    assert verdicts(check) == {"size": "pass", "offloaded": "fail"}
    assert "cuda is not in this build: onnxruntime " in done.out
    assert "CPUExecutionProvider" in done.out
    assert "; cuda was asked for, and nothing ran there" in done.out
    assert "--runtime onnxruntime-gpu" in done.out
    assert check["accelerator"] == {"provider": "cuda", "precision": ""}


def test_a_share_of_the_model(npu: Path, tmp_path: Path) -> None:
    chain(tmp_path / "m.tflite", NEG, ABS, NEG, ABS)
    limits = "{offloaded: 50%, agreement: 0.99, latency_p50: 1 s, ram_peak: 2 GiB}"
    budget = f"model: m.tflite\naccelerator: {npu}\nlimits: {limits}\ndevices: [this-machine]\n"
    done, check = checked(tmp_path, budget)
    assert done.code == 0, done.out
    assert set(verdicts(check).values()) == {"pass"}
    assert check["figures"]["offloaded"]["value"] == 0.5
    assert "2 of 4 nodes did not run on" in done.out
    (caveat,) = [each for each in check["caveats"] if each["code"] == "left-behind"]
    assert "NEG (2 nodes: #0, #2)" in caveat["message"]
    assert f"outputs of {npu}" in check["figures"]["agreement"]["basis"]


def test_too_small_a_share_fails_and_python_takes_a_mapping(npu: Path, tmp_path: Path) -> None:
    model = chain(tmp_path / "m.tflite", NEG, ABS)
    report = api.check(model, limits={"offloaded": 0.6}, accelerator={"provider": str(npu)})
    (verdict,) = [each for each in report.results[0].verdicts if each.metric.name == "offloaded"]
    assert (verdict.status.value, verdict.reason) == ("fail", "0.5 is under 0.6")
    assert "replace the operators that the accelerator leaves behind" in api.render(report)
    with pytest.raises(UsageError, match="accelerator has the keys 'name'"):
        api.check(model, limits={"size": "1 MB"}, accelerator={"name": "gpu"})


def test_what_the_npu_returns_is_judged(npu: Path, tmp_path: Path) -> None:
    chain(tmp_path / "m.tflite", NEG, ABS)
    budget = "model: m.tflite\naccelerator: {}\nlimits: {{size: 1 MB}}\ndevices: [this-machine]\n"
    done, check = checked(tmp_path, budget.format(misbehaving(npu, "rubbish")))
    assert done.code == 1
    assert verdicts(check) == {"size": "pass", "offloaded": "pass", "agreement": "fail"}
    assert "of the artifact is zero for every sample" in done.out


def test_a_crash_is_not_a_pass(npu: Path, tmp_path: Path) -> None:
    chain(tmp_path / "m.tflite", ABS)
    library = misbehaving(npu, "crash")
    done, check = checked(
        tmp_path, f"model: m.tflite\naccelerator: {library}\nlimits: {{size: 1 MB}}\ndevices: [this-machine]\n"
    )
    assert done.code == 1
    assert verdicts(check) == {"size": "pass", "offloaded": "fail"}
    assert "died of SIGABRT in the first inference" in done.out


def test_openvino_by_options(tmp_path: Path) -> None:
    openvino.partly(tmp_path / "m.onnx")
    options = ("--accelerator", "openvino", "--runtime", openvino.RUNTIME)
    bounds = ("offloaded=0.01", "agreement=0.999", "load_time=10s", "load_time_cached=10s")
    limits = [f"--limit={bound}" for bound in bounds]
    done = edgecheck("check", "m.onnx", *options, *limits, "--format", "json", cwd=tmp_path)
    assert done.code == 0, done.out + done.err
    (check,) = json.loads(done.out)["checks"]
    basis = check["figures"]["offloaded"]["basis"]
    assert basis.startswith("4 of 6 nodes (66.7 %), ")
    assert "% of the time; by onnxruntime's graph assignment" in basis
    assert check["figures"]["load_time"]["count"] == check["figures"]["load_time_cached"]["count"] == 5
    (caveat,) = [each for each in check["caveats"] if each["code"] == "left-behind"]
    assert "2 of 6 nodes did not run on OpenVINOExecutionProvider: Unique (1 node, " in caveat["message"]
    assert "odd_one_out" in caveat["message"]


def test_an_emulated_device_has_no_accelerator(tmp_path: Path) -> None:
    openvino.wholly(tmp_path / "m.onnx")
    asked = ("check", "m.onnx", "--accelerator", "cuda", "--limit", "ram_peak=1GiB")
    done = edgecheck(*asked, "--device", "raspberry-pi-4-2gb", "--target", "qemu", cwd=tmp_path)
    assert done.code == 3
    assert "cuda was asked for, and an emulated device has no accelerator" in done.out


def test_a_format_that_the_accelerator_does_not_run(tmp_path: Path) -> None:
    chain(tmp_path / "m.tflite", ABS)
    done = edgecheck("check", "m.tflite", "--accelerator", "cuda", "--limit", "ram_peak=1GiB", cwd=tmp_path)
    assert done.code == 3
    assert "cuda runs .onnx models, and this is a .tflite" in done.out


def test_options_that_say_something_else(tmp_path: Path) -> None:
    chain(tmp_path / "m.tflite", ABS)
    for text, message in (
        ("tpu", "there is no accelerator 'tpu'"),
        ("openvino:int8", "openvino has no precision 'int8'"),
    ):
        done = edgecheck("check", "m.tflite", "--accelerator", text, "--limit", "size=1MB", cwd=tmp_path)
        assert done.code == 2
        assert message in done.err
