"""What runtimes say about models becomes the same sentence in a check, a conversion and a fit."""

from __future__ import annotations

import pytest

from edgecheck.core.sayings import known, next_step, plain

ORT = "[ONNXRuntimeError] : 1 : FAIL : Load model from m.onnx failed:/o/graph/model.cc:256 onnx::Model::Model(int) "


@pytest.mark.parametrize(
    ("said", "sentence"),
    [
        (
            ORT + "Unsupported model IR version: 15, max supported IR version: 13",
            "the model's IR version 15 is newer than this runtime, which goes up to 13",
        ),
        (
            ORT
            + "ONNX Runtime only *guarantees* support for models stamped with official released onnx opset versions. "
            "Opset 40 is under development and support for this is limited. Current official support is till opset 26.",
            "the model's opset 40 is newer than this runtime, which goes up to 26",
        ),
        (
            "Encountered unresolved custom op: edgetpu-custom-op.",
            "the operator edgetpu-custom-op was compiled for an Edge TPU: check the .tflite before that",
        ),
        (
            "Encountered unresolved custom op: my.ops/Blur-v2.\nSee instructions",
            "the custom operator my.ops/Blur-v2 is not in this runtime",
        ),
        (
            "Fatal error: com.microsoft:Solve(-1) is not a registered function/op",
            "the operator Solve of domain com.microsoft is not in this runtime",
        ),
        (
            "Load model failed:Fatal error: my.ops:Blur-v2(-1) is not a registered function/op",
            "the operator Blur-v2 of domain my.ops is not in this runtime",
        ),
        (
            "<unknown>:0: error: 'tf.StringLower' op is neither a custom op nor a flex op",
            "LiteRT has no operator for TensorFlow's StringLower on these types",
        ),
    ],
)
def test_a_model_that_a_runtime_refuses(said: str, sentence: str) -> None:
    saying = known(said)
    assert saying is not None
    assert saying.sentence == plain(said) == sentence
    assert saying.next_step.endswith(".")


@pytest.mark.parametrize("said", ["ValueError: 3 is not 4", "std::bad_alloc", "Protobuf parsing failed."])
def test_what_is_not_about_the_model_is_not_known(said: str) -> None:
    assert known(said) is None


def test_a_reason_has_its_next_step_unless_only_the_message_knows() -> None:
    assert next_step("other") == ""
    assert next_step("wrong-sample").startswith("Give --input and --samples the names")


def test_what_is_not_known_is_shown_without_its_noise() -> None:
    said = "Exception encountered when calling Lambda.call().\n\n\x1b[1m[Errno 13] Permission denied: '/etc/x'\x1b[0m\n"
    assert plain(said) == "Exception encountered when calling Lambda.call(). [Errno 13] Permission denied: '/etc/x'"
