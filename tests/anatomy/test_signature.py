"""Inputs, outputs and arithmetic, against what the runtimes say."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest
from ai_edge_litert.interpreter import Interpreter
from onnx import TensorProto, helper, numpy_helper

from edgecheck.anatomy.signature import Arithmetic, Port, Variant, signature
from edgecheck.errors import ModelError
from examples.real_models import fetch
from tests.anatomy.real_anatomies import names
from tests.anatomy.small_files import onnx_model, save

ORT_TYPES = {"tensor(float)": "float32", "tensor(int64)": "int64", "tensor(int8)": "int8"}
VARIANTS = {
    "hey_jarvis.tflite": Variant.INT8,
    "okay_nabu.tflite": Variant.INT8,
    "emotion_quantized.tflite": Variant.INT8_DYNAMIC,
    "nmp.tflite": Variant.FLOAT32,
    "face_detection_back.tflite": Variant.FLOAT16,
    "face_detection_full_range_sparse.tflite": Variant.FLOAT16,
    "nmp.onnx": Variant.FLOAT32,
    "ocr_detect.onnx": Variant.FLOAT32,
    "voicefilter.int8.onnx": Variant.INT8_DYNAMIC,
    "voice_embedder.int8.onnx": Variant.INT8_DYNAMIC,
    "light_resnet50.onnx": Variant.FLOAT32,
}


@pytest.mark.parametrize("name", names(".onnx"))
def test_onnx_ports_are_those_of_onnx_runtime(name: str) -> None:
    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    options.log_severity_level = 3
    session = onnxruntime.InferenceSession(fetch(name), options, providers=["CPUExecutionProvider"])
    found = signature(fetch(name))
    for ports, expected in ((found.inputs, session.get_inputs()), (found.outputs, session.get_outputs())):
        assert [port.name for port in ports] == [each.name for each in expected]
        assert [port.dtype for port in ports] == [ORT_TYPES[each.type] for each in expected]
    assert [len(port.shape) for port in found.inputs] == [len(each.shape) for each in session.get_inputs()]
    for port, each in zip(found.inputs, session.get_inputs(), strict=True):
        sizes = [size if isinstance(size, int) and size >= 0 else None for size in each.shape]
        assert list(port.shape) == sizes


@pytest.mark.parametrize("name", names(".tflite"))
def test_tflite_ports_are_those_of_litert(name: str) -> None:
    interpreter = Interpreter(str(fetch(name)))
    found = signature(fetch(name))
    for ports, expected in (
        (found.inputs, interpreter.get_input_details()),
        (found.outputs, interpreter.get_output_details()),
    ):
        assert [(port.name, port.dtype) for port in ports] == [
            (each["name"], np.dtype(each["dtype"]).name) for each in expected
        ]
        shapes = [tuple(None if size < 0 else size for size in each["shape_signature"].tolist()) for each in expected]
        assert [port.shape for port in ports] == shapes


@pytest.mark.parametrize("name", VARIANTS)
def test_variants_of_real_models(name: str) -> None:
    assert signature(fetch(name)).variant is VARIANTS[name]


def test_open_dimensions_are_named() -> None:
    found = signature(fetch("mtcnn_pnet.onnx"))
    assert found.open_inputs == (Port("input_1", "float32", (None, None, None, 3), ("N", "M1", "M2", "")),)
    assert signature(fetch("face_detection_back.tflite")).open_inputs == ()


def test_stateful_models_are_recognised() -> None:
    assert signature(fetch("hey_jarvis.tflite")).stateful
    assert not signature(fetch("nmp.tflite")).stateful


def test_operators_are_counted_in_every_subgraph() -> None:
    operators = signature(fetch("hey_jarvis.tflite")).operators
    assert operators["CALL_ONCE"] == 1
    assert operators["VAR_HANDLE"] == 12


def quantised(tmp_path: Path, *, activations: bool) -> Variant:
    """A Gemm whose weights are int8 behind a DequantizeLinear, and whose input may be, too."""
    weights = numpy_helper.from_array(np.zeros((4, 8), np.int8), "q")
    scale = numpy_helper.from_array(np.float32(1), "s")
    nodes = [helper.make_node("DequantizeLinear", ["q", "s"], ["w"])]
    if activations:
        nodes += [
            helper.make_node("QuantizeLinear", ["x", "s"], ["xq"]),
            helper.make_node("DequantizeLinear", ["xq", "s"], ["xd"]),
        ]
    nodes.append(helper.make_node("Gemm", ["xd" if activations else "x", "w"], ["y"]))
    return signature(save(tmp_path / "m.onnx", onnx_model(nodes, [weights, scale]))).variant


def test_quantised_weights_alone_are_multiplied_as_floats(tmp_path: Path) -> None:
    assert quantised(tmp_path, activations=False) is Variant.INT8_WEIGHTS
    assert Variant.INT8_WEIGHTS.arithmetic is Arithmetic.FLOAT


def test_quantised_weights_and_activations_are_multiplied_as_integers(tmp_path: Path) -> None:
    assert quantised(tmp_path, activations=True) is Variant.INT8
    assert Variant.INT8.arithmetic is Arithmetic.INT8


def test_half_floats(tmp_path: Path) -> None:
    weights = helper.make_tensor("w", TensorProto.FLOAT16, [4, 8], bytes(64), raw=True)
    model = onnx_model([helper.make_node("MatMul", ["x", "w"], ["y"])], [weights])
    assert signature(save(tmp_path / "m.onnx", model)).variant is Variant.FLOAT16


def test_a_model_without_weights_counts_as_float(tmp_path: Path) -> None:
    model = onnx_model([helper.make_node("Relu", ["x"], ["y"])], [])
    found = signature(save(tmp_path / "m.onnx", model))
    assert (found.variant, found.arithmetic) == (Variant.FLOAT32, Arithmetic.FLOAT)


def test_initialisers_among_the_inputs_are_left_out(tmp_path: Path) -> None:
    weights = numpy_helper.from_array(np.zeros((4, 8), np.float32), "w")
    model = onnx_model([helper.make_node("MatMul", ["x", "w"], ["y"])], [weights])
    model.graph.input.append(helper.make_tensor_value_info("w", TensorProto.FLOAT, [4, 8]))
    assert [port.name for port in signature(save(tmp_path / "m.onnx", model)).inputs] == ["x"]


@pytest.mark.parametrize("name", ["facenet_pnet.pt", "emotion.hdf5", "profanity.joblib"])
def test_other_formats_do_not_say(name: str) -> None:
    with pytest.raises(ModelError, match="whose inputs edgecheck does not read"):
        signature(fetch(name))


def test_a_port_that_is_not_a_tensor_has_no_shape(tmp_path: Path) -> None:
    model = onnx_model([], [])
    sequence = onnx.helper.make_tensor_sequence_value_info("s", TensorProto.FLOAT, [2])
    model.graph.output.append(sequence)
    assert signature(save(tmp_path / "m.onnx", model)).outputs[1] == Port("s", "", ())
