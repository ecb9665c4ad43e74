"""The variants that a model could be shipped as depend on its weights; the least lossy comes first."""

from __future__ import annotations

from pathlib import Path

import pytest

from edgecheck.anatomy.formats import identify
from edgecheck.converters.interface import VARIANTS
from edgecheck.converters.routes import candidate_variants
from examples.real_models import fetch

COARSER = ("float16", "int8-weights", "int8-dynamic", "int8")


@pytest.mark.parametrize(
    ("name", "target", "expected"),
    [
        ("mtcnn_onet.onnx", "onnx", ("as-is", *COARSER)),
        ("nmp.tflite", "tflite", ("as-is", *COARSER)),
        ("face_detection_short_range.tflite", "tflite", ("as-is", *COARSER[1:])),
        ("hey_jarvis.tflite", "tflite", ("as-is",)),
        ("voicefilter.int8.onnx", "onnx", ("as-is",)),
        ("emotion.hdf5", "tflite", VARIANTS),
        ("emotion.hdf5", "onnx", VARIANTS),
        ("nmp_saved_model", "tflite", VARIANTS),
        ("facenet_pnet.pt", "onnx", VARIANTS),
        ("profanity.joblib", "onnx", VARIANTS),
        ("profanity.joblib", "tflite", ()),
        ("mtcnn_onet.onnx", "tflite", ()),
    ],
)
def test_what_a_model_can_be_shipped_as(name: str, target: str, expected: tuple[str, ...]) -> None:
    model = fetch(name)
    assert candidate_variants(model, identify(model).value, target) == expected


def test_a_file_without_weights_is_only_offered_unchanged(tmp_path: Path) -> None:
    onnx = pytest.importorskip("onnx")
    tensor = onnx.helper.make_tensor_value_info
    graph = onnx.helper.make_graph(
        [onnx.helper.make_node("Relu", ["x"], ["y"])],
        "g",
        [tensor("x", onnx.TensorProto.FLOAT, [1, 4])],
        [tensor("y", onnx.TensorProto.FLOAT, [1, 4])],
    )
    onnx.save(onnx.helper.make_model(graph), tmp_path / "relu.onnx")
    assert candidate_variants(tmp_path / "relu.onnx", "onnx", "onnx") == ("as-is",)
