"""What is not a model, or not one for this runtime: an outcome with a reason and a sentence, never a traceback."""

from __future__ import annotations

from pathlib import Path

import pytest
from ai_edge_litert import schema_py_generated as schema
from onnx import TensorProto, helper

from examples.real_models import fetch
from tests.agent import small_models
from tests.agent.agent_runs import AgentRun, job, run

LFS = b"version https://git-lfs.github.com/spec/v1\noid sha256:4d7a214614ab2935c943f9e0ff69d22eadbb8f32\nsize 12345\n"
PAGE = b"\n<!DOCTYPE html><html><body>404 not found</body></html>"

FLEX = "the operator Erf needs TensorFlow itself (Flex), which is not on the device: convert without SELECT_TF_OPS"


def tried(path: Path, **fields: object) -> AgentRun:
    heard = run(job(path, memory={"processes": [1, 1]}, **fields))
    assert heard.code == 0
    assert heard.kinds[-1] == "done"
    assert "Traceback" not in heard.end["message"]
    assert "\n" not in heard.end["message"]
    return heard


def refused(path: Path, **fields: object) -> tuple[str, str]:
    heard = tried(path, **fields)
    assert (heard.end["outcome"], heard.end["phase"]) == ("refused", "load")
    return heard.end["reason"], heard.end["message"]


@pytest.mark.parametrize("ending", ["onnx", "tflite"])
@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "model.{} is not a .{} model: it is empty"),
        (PAGE, "model.{} is not a .{} model: it is a web page; the download did not get the model"),
        (LFS, "model.{} is not a .{} model: it is a git-lfs pointer; `git lfs pull` gets the model itself"),
    ],
)
def test_what_is_plainly_no_model(content: bytes, words: str, ending: str, tmp_path: Path) -> None:
    path = tmp_path / f"model.{ending}"
    path.write_bytes(content)
    assert refused(path) == ("not-a-model", words.format(ending, ending))


@pytest.mark.parametrize("name", ["mtcnn_rnet.onnx", "emotion_quantized.tflite"])
@pytest.mark.parametrize("share", [0.1, 0.5, 0.999])
def test_a_file_that_is_cut_short(name: str, share: float, tmp_path: Path) -> None:
    whole = fetch(name).read_bytes()
    path = tmp_path / name
    path.write_bytes(whole[: int(len(whole) * share)])
    reason, message = refused(path)
    assert reason == "not-a-model"
    assert message == "the file is damaged, cut short, or not a model of this format"


def test_the_other_format_under_the_wrong_name(tmp_path: Path) -> None:
    (tmp_path / "a.onnx").write_bytes(fetch("emotion_quantized.tflite").read_bytes())
    (tmp_path / "b.tflite").write_bytes(fetch("mtcnn_rnet.onnx").read_bytes())
    assert refused(tmp_path / "a.onnx") == ("not-a-model", "a.onnx is not a .onnx model: it is a .tflite model")
    reason, message = refused(tmp_path / "b.tflite")
    assert reason == "not-a-model"
    assert message.endswith("the bytes do not start as those of a .tflite file do")


def test_no_file_and_a_folder(tmp_path: Path) -> None:
    (tmp_path / "m.onnx").mkdir()
    assert refused(tmp_path / "m.onnx") == ("not-a-model", "m.onnx cannot be read: Is a directory")
    assert refused(tmp_path / "n.onnx") == ("not-a-model", "n.onnx cannot be read: No such file or directory")


def abs_model(path: Path, **options: object) -> Path:
    rows = small_models.value("x", small_models.FLOAT, [1, 4]), small_models.value("y", small_models.FLOAT, [1, 4])
    operator = options.pop("operator", "Abs")
    assert isinstance(operator, str)
    return small_models.one_node(path, operator, *rows, **options)


@pytest.mark.parametrize(
    ("options", "reason", "words"),
    [
        ({"operator": "Nonsense"}, "unsupported-operator", "opset 17 has no operator Nonsense"),
        (
            {"operator": "Fancy", "domain": "my.ops", "domains": ["my.ops"]},
            "unsupported-operator",
            "the operator Fancy of domain my.ops is not in this runtime",
        ),
        (
            {"operator": "Fancy", "domain": "my.ops"},
            "unsupported-operator",
            "the operators of domain my.ops are not in this runtime",
        ),
        ({"opset": 99}, "model-too-new", "the model's opset 99 is newer than this runtime, which goes up to"),
        ({"ir": 99}, "model-too-new", "the model's IR version 99 is newer than this runtime, which goes up to"),
    ],
)
def test_onnx_models_that_this_runtime_is_not_made_for(
    options: dict[str, object], reason: str, words: str, tmp_path: Path
) -> None:
    found, message = refused(abs_model(tmp_path / "m.onnx", **options))
    assert (found, message[: len(words)]) == (reason, words)


def test_an_operator_without_an_implementation_for_its_type(tmp_path: Path) -> None:
    kind = TensorProto.BFLOAT16
    rows = small_models.value("x", kind, [1, 4]), small_models.value("y", kind, [1, 4])
    assert refused(small_models.one_node(tmp_path / "m.onnx", "Abs", *rows)) == (
        "unsupported-operator",
        "this runtime has no implementation of operator Abs for these types",
    )


def test_a_graph_that_does_not_hang_together_keeps_the_runtimes_words_without_its_noise(tmp_path: Path) -> None:
    node = helper.make_node("Abs", ["z"], ["y"])
    rows = small_models.value("x", small_models.FLOAT, [1, 4]), small_models.value("y", small_models.FLOAT, [1, 4])
    path = small_models.save(tmp_path / "m.onnx", small_models.model([node], [rows[0]], [rows[1]]))
    reason, message = refused(path)
    assert reason == "other"
    assert message == ("Invalid model. Node input 'z' is not a graph input, initializer, or output of a previous node")


def test_weights_in_another_file(tmp_path: Path) -> None:
    weights = small_models.with_external_weights(tmp_path / "m.onnx")
    assert tried(tmp_path / "m.onnx").end["outcome"] == "completed"
    weights.write_bytes(weights.read_bytes()[:10])
    reason, message = refused(tmp_path / "m.onnx")
    assert reason == "missing-external-data"
    assert message == "the file with the model's weights is missing next to it, or shorter than the model says"
    weights.unlink()
    assert refused(tmp_path / "m.onnx") == (
        "missing-external-data",
        "the file m.data with the model's weights is not next to it",
    )


def test_weights_outside_of_the_models_folder(tmp_path: Path) -> None:
    inside = tmp_path / "inside"
    inside.mkdir()
    weights = small_models.with_external_weights(inside / "m.onnx")
    weights.rename(tmp_path / "m.data")
    text = (inside / "m.onnx").read_bytes()
    (inside / "m.onnx").write_bytes(text.replace(b"m.data", b"../m.x"))
    (tmp_path / "m.data").rename(tmp_path / "m.x")
    assert refused(inside / "m.onnx") == (
        "missing-external-data",
        "the model names ../m.x for its weights, which is outside the model's folder",
    )


def test_weights_that_are_not_numbers_run_and_are_doubted(tmp_path: Path) -> None:
    heard = tried(small_models.with_nan_weights(tmp_path / "m.onnx"))
    assert heard.end["outcome"] == "completed"
    (note,) = heard.of("note")
    assert (note["code"], note["message"]) == ("nan-output", "output y holds NaN")


@pytest.mark.parametrize(
    ("code", "custom", "version", "expected"),
    [
        (
            schema.BuiltinOperator.CUSTOM,
            "MaxUnpooling2D",
            1,
            ("unsupported-operator", "the custom operator MaxUnpooling2D is not in this runtime"),
        ),
        (
            schema.BuiltinOperator.CUSTOM,
            "vendor-made.op",
            1,
            ("unsupported-operator", "the custom operator vendor-made.op is not in this runtime"),
        ),
        (
            schema.BuiltinOperator.CUSTOM,
            "edgetpu-custom-op",
            1,
            (
                "unsupported-operator",
                "the operator edgetpu-custom-op was compiled for an Edge TPU: check the .tflite before that",
            ),
        ),
        (
            schema.BuiltinOperator.CUSTOM,
            "FlexErf",
            1,
            ("flex-operator", FLEX),
        ),
        (
            schema.BuiltinOperator.ABS,
            None,
            99,
            ("unsupported-operator", "operator ABS in version 99 is newer than this runtime"),
        ),
        (250, None, 1, ("unsupported-operator", "operator number 250 is newer than this runtime")),
    ],
)
def test_tflite_operators_that_this_runtime_has_not(
    code: int, custom: str | None, version: int, expected: tuple[str, str], tmp_path: Path
) -> None:
    assert refused(small_models.one_operator(tmp_path / "m.tflite", code, custom, version)) == expected


def test_an_unsupported_operator_is_reported_even_where_dimensions_are_open(tmp_path: Path) -> None:
    """The guess is not to blame for it."""
    rows = small_models.value("x", small_models.FLOAT, ["n", 4]), small_models.value("y", small_models.FLOAT, ["n", 4])
    assert refused(small_models.one_node(tmp_path / "m.onnx", "Nonsense", *rows))[0] == "unsupported-operator"


def test_a_missing_runtime_is_reported_with_what_was_tried(tmp_path: Path) -> None:
    (tmp_path / "ai_edge_litert").mkdir()
    (tmp_path / "ai_edge_litert" / "__init__.py").write_text("raise SystemError('built for another numpy')")
    heard = tried(fetch("emotion_quantized.tflite"), python_path=[str(tmp_path)])
    assert heard.ending == ("refused", "runtime", "missing-runtime")
    assert heard.end["message"] == (
        "no runtime for .tflite works here (ai-edge-litert: built for another numpy;"
        " tflite-runtime: No module named 'tflite_runtime')"
    )


def test_a_runtime_is_used_only_when_it_works(tmp_path: Path) -> None:
    """tflite-runtime stands for one that imports and then fails, as it does with numpy 2."""
    (tmp_path / "tflite_runtime").mkdir()
    (tmp_path / "tflite_runtime" / "__init__.py").write_text("")
    (tmp_path / "tflite_runtime" / "interpreter.py").write_text(
        "def Interpreter(**_):\n    raise SystemError('compiled using NumPy 1.x')"
    )
    heard = tried(fetch("emotion_quantized.tflite"), python_path=[str(tmp_path)], runtime="tflite-runtime")
    assert heard.ending == ("refused", "runtime", "missing-runtime")
    assert "compiled using NumPy 1.x" in heard.end["message"]


def test_a_shape_that_was_made_up_is_no_refusal_of_the_model(tmp_path: Path) -> None:
    """The values of a Reshape's shape come in at run time; one random number cannot hold four."""
    ends = small_models.value("x", small_models.FLOAT, [2, 2]), small_models.value("shape", TensorProto.INT64, [1])
    node = helper.make_node("Reshape", ["x", "shape"], ["y"])
    made = small_models.model([node], list(ends), [small_models.value("y", small_models.FLOAT, ["n"])])
    heard = tried(small_models.save(tmp_path / "m.onnx", made))
    assert heard.ending == ("refused", "first-inference", "made-up-input")
    assert heard.end["message"].startswith("the model does not take random inputs (")
    assert heard.end["message"].endswith("): give samples")
