"""What the options say of a model without a budget, and what is wrong with them."""

from __future__ import annotations

from pathlib import Path

import pytest

from edgecheck.checks.from_model import ModelSettings
from edgecheck.config import limits_from_texts, shapes_from_texts
from edgecheck.errors import UsageError
from tests.builders import profile
from tests.cli.command import edgecheck


def test_shapes() -> None:
    assert shapes_from_texts(["x=1,3,8,8", "a=b:0=2,4"]) == {"x": (1, 3, 8, 8), "a=b:0": (2, 4)}


@pytest.mark.parametrize("text", ["x", "x=", "=1,2", "x=1,,2", "x=1,0", "x=1,-2", "x=1.5", "x=1,D1", "x=1x3"])
def test_shapes_that_are_none(text: str) -> None:
    with pytest.raises(UsageError, match="has no shape"):
        shapes_from_texts([text])


def test_what_is_given_twice_is_an_error() -> None:
    with pytest.raises(UsageError, match="ram_peak is given twice"):
        limits_from_texts(["ram_peak=80MiB", "ram_peak=90MiB"])
    with pytest.raises(UsageError, match="x is given twice"):
        shapes_from_texts(["x=1,2", "x=1,3"])


@pytest.mark.parametrize("off", ["off", "OFF", "false", "False"])
def test_a_limit_is_switched_off_as_in_budgets(off: str) -> None:
    assert limits_from_texts([f"latency_p50={off}"]) == {"latency_p50": None}


def test_a_runtime_takes_the_place_of_the_profiles() -> None:
    given = ModelSettings(runtime="AI_Edge_LiteRT==2.3.0")
    assert given.on(profile()).runtimes["tflite"] == ("ai-edge-litert==2.3.0",)
    budget = given.budget(Path("net.tflite"), variants=(), devices=())
    assert (budget.bundle, budget.runtime) == ("profile", "AI_Edge_LiteRT==2.3.0")


def test_a_name_alone_may_be_what_the_device_has() -> None:
    given = ModelSettings(runtime="onnxruntime", bundle="system")
    assert given.budget(Path("net.onnx"), variants=(), devices=()).bundle == "system"
    brought = ModelSettings(runtime="onnxruntime-openvino", accelerator="openvino")
    assert brought.budget(Path("net.onnx"), variants=(), devices=()).bundle == "profile"


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (ModelSettings(runtime="tensorrt"), "edgecheck runs models with onnxruntime, ai-edge-litert, tflite-runtime"),
        (ModelSettings(runtime="onnxruntime==1.2", bundle="system"), "names a version, and --bundle system"),
    ],
)
def test_runtimes_that_cannot_be(given: ModelSettings, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        given.budget(Path("net.onnx"), variants=(), devices=((given.on(profile()), ()),))


@pytest.mark.parametrize(
    ("option", "value", "hint"),
    [
        ("--input", "x=1,2", "Write `inputs:` into the budget file."),
        ("--threads", "4", "Write `threads:` into the budget file."),
        ("--bundle", "system", "Write `bundle:` into the budget file."),
        ("--accelerator", "gpu", "Write `accelerator:` into the budget file."),
        ("--runtime", "onnxruntime", "Write it under `runtimes:` in the device's profile."),
        ("--factory", "a:b", "Write `model: {factory: …, weights: …}` into the budget file."),
    ],
)
def test_options_of_a_model_do_not_go_with_a_budget(option: str, value: str, hint: str, tmp_path: Path) -> None:
    (tmp_path / "net.yaml").write_text("model: net.onnx\ndevices: [this-machine]\n", encoding="utf-8")
    done = edgecheck("check", "net.yaml", option, value, cwd=tmp_path)
    assert done.code == 2
    assert done.err == f"edgecheck: {option} goes with a model, not with a budget.\n  {hint}\n"
