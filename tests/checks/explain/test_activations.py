from __future__ import annotations

from pathlib import Path

import onnx
import pytest
from ai_edge_litert.interpreter import Interpreter
from onnx import TensorProto, helper

from edgecheck.checks.explain.activations import Activations, Flow, Step, activations, peak_of
from examples.real_models import fetch

VIEWS = ("RESHAPE", "EXPAND_DIMS", "SQUEEZE")


def flow(*steps: Step, sizes: dict[str, int], results: tuple[str, ...] = ()) -> Flow:
    return Flow(
        steps=steps,
        sizes=sizes,
        stored=frozenset({"w"}),
        given=("x",),
        results=results,
        has_open=False,
        names={"b": "the second"},
    )


def test_the_peak_is_where_most_is_alive() -> None:
    steps = (Step("A", ("x", "w"), ("a",)), Step("B", ("a",), ("b",)), Step("C", ("b",), ("c",)))
    found = peak_of(flow(*steps, sizes={"x": 10, "a": 30, "b": 50, "c": 5, "w": 999}, results=("c",)))
    assert found == Activations(peak=80, operator="B", output="the second", has_open=False)


def test_what_a_later_operator_takes_stays_alive() -> None:
    steps = (Step("A", ("x",), ("a",)), Step("B", ("a",), ("b",)), Step("Add", ("x", "b"), ("c",)))
    found = peak_of(flow(*steps, sizes={"x": 10, "a": 30, "b": 50, "c": 5}))
    assert found is not None
    assert (found.peak, found.operator) == (90, "B")


def test_what_depends_on_weights_alone_is_not_an_activation() -> None:
    steps = (Step("DequantizeLinear", ("w",), ("big",)), Step("MatMul", ("x", "big"), ("a",)))
    found = peak_of(flow(*steps, sizes={"x": 10, "a": 30}, results=("a",)))
    assert found == Activations(peak=40, operator="MatMul", output="a", has_open=False)


def test_without_a_shape_nothing_is_said() -> None:
    assert peak_of(flow(Step("A", ("x",), ("a",)), sizes={"x": 10})) is None
    assert activations(fetch("mtcnn_onet.onnx")) is None
    assert activations(fetch("facenet_onet.pt")) is None


@pytest.mark.parametrize("model", ["face_landmark.tflite", "face_detection_back.tflite", "iris_landmark.tflite"])
def test_tflite_as_its_own_interpreter_lists_it(model: str) -> None:
    """Counted anew, the long way, from what the runtime says of tensors and operators."""
    interpreter = Interpreter(model_path=str(fetch(model)))
    interpreter.allocate_tensors()
    sizes = {
        each["index"]: int(each["shape"].prod()) * each["dtype"]().itemsize for each in interpreter.get_tensor_details()
    }
    operators = [each for each in interpreter._get_ops_details() if each["op_name"] != "DELEGATE"]
    assert not any(each["op_name"] in VIEWS[1:] for each in operators)
    made = {int(index) for each in operators for index in each["outputs"]}
    given = {int(each["index"]) for each in interpreter.get_input_details()}
    results = {int(each["index"]) for each in interpreter.get_output_details()}
    peak = 0
    for at, operator in enumerate(operators):
        before = given | {int(index) for each in operators[: at + 1] for index in each["outputs"]}
        wanted = results | {int(index) for each in operators[at:] for index in each["inputs"]}
        unpacked = {int(i) for each in operators if each["op_name"] == "DEQUANTIZE" for i in each["outputs"]}
        alive = ((before & wanted & (made | given)) | set(map(int, operator["outputs"]))) - unpacked
        peak = max(peak, sum(sizes[index] for index in alive))
    found = activations(fetch(model))
    assert found is not None
    assert found.peak == peak


def test_onnx_with_shapes(tmp_path: Path) -> None:
    graph = helper.make_graph(
        [helper.make_node("Relu", ["x"], ["a"]), helper.make_node("Relu", ["a"], ["b"])],
        "graph",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["batch", 8])],
        [helper.make_tensor_value_info("b", TensorProto.FLOAT, ["batch", 8])],
        value_info=[helper.make_tensor_value_info("a", TensorProto.FLOAT16, ["batch", 8])],
    )
    path = tmp_path / "net.onnx"
    onnx.save(helper.make_model(graph), path)
    assert activations(path) == Activations(peak=8 * 4 + 8 * 2, operator="Relu", output="a", has_open=True)


def test_onnx_after_shape_inference(tmp_path: Path) -> None:
    model = onnx.load(fetch("mtcnn_pnet.onnx"))
    for dimension, size in zip(model.graph.input[0].type.tensor_type.shape.dim, (1, 12, 12, 3), strict=True):
        dimension.dim_value = size
    path = tmp_path / "net.onnx"
    onnx.save(onnx.shape_inference.infer_shapes(model, strict_mode=True), path)
    found = activations(path)
    assert found is not None
    assert found.operator in {"Conv", "PRelu"}
    assert found.peak == 4 * (10 * 10 * 10) * 2, "a channel of 10 x 10 for each of 10 filters, before and after PRelu"
