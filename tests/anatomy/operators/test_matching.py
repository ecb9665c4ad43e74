"""Which operator of the file an executed one is, and which others it does the work of.

Covers `anatomy/operators/naming.py`.
"""

from __future__ import annotations

from edgecheck.anatomy.operators.graph import FileOperator, Value
from edgecheck.anatomy.operators.naming import absorbed, onnx_matches, tflite_matches
from tests.core.operator_profiles import seen


def node(name: str, kind: str, inputs: str, outputs: str, **fields: int) -> FileOperator:
    """A node; inputs in capitals are stored."""
    return FileOperator(
        name=name,
        type=kind,
        graph=fields.get("graph", 0),
        place=fields.get("place", 0),
        inputs=tuple(Value(key=each, name=each, stored=each.isupper()) for each in inputs.split()),
        outputs=tuple(Value(key=each, name=each) for each in outputs.split()),
    )


def test_a_name_of_the_file_with_what_the_runtime_added() -> None:
    file = [
        node("conv1", "Conv", "x W", "a"),
        node("conv10", "Conv", "a V", "convolution_output"),
        node("dense", "MatMul", "c U", "d"),
    ]
    executed = [
        seen("conv1_nchwc", 1),
        seen("convolution_output_nchwc", 1),
        seen("dense/MatMulAddFusion", 1, type="Gemm"),
        seen("ReorderOutput", 1, type="ReorderOutput"),
        seen("fused conv1", 1, type="FusedConv"),
    ]
    # The last one would be conv1 a second time.
    assert onnx_matches(executed, file) == {0: 0, 1: 1, 2: 2}


def test_another_kind_of_work_is_another_operator() -> None:
    file = [node("block", "Conv", "x W", "a"), node("block_relu", "Relu", "a", "b")]
    assert onnx_matches([seen("block_relu", 1, type="Relu"), seen("block/x", 1, type="Transpose")], file) == {0: 1}


def test_several_nodes_of_one_name_by_their_place() -> None:
    file = [node("n", "Add", "x", "a", place=0), node("n", "Add", "a", "b", place=1)]
    executed = [seen("n", 1, type="Add", place=1), seen("n", 1, type="Add", place=0)]
    assert onnx_matches(executed, file) == {0: 1, 1: 0}


def test_what_has_no_execution_belongs_to_its_neighbour() -> None:
    file = [
        node("dq", "DequantizeLinear", "q S", "x"),
        node("conv", "Conv", "x W", "a"),
        node("bn", "BatchNormalization", "a G", "b"),
        node("relu", "Relu", "b", "c"),
        node("left", "Relu", "c", "d"),
        node("right", "Add", "c d", "e"),
        node("folded", "Add", "G S", "F"),
    ]
    executed = [seen("conv", 1, type="FusedConv"), seen("left", 1, type="Relu"), seen("right", 1, type="Add")]
    matches = onnx_matches(executed, file)
    assert matches == {0: 1, 1: 4, 2: 5}
    # `dq` comes before the convolution, and c is taken twice: `left` and `right` are executed themselves.
    assert absorbed(file, matches) == {0: (0, 2, 3)}


def test_xnnpack_executes_the_files_operators_in_their_order() -> None:
    file = [
        node("a", "CONV_2D", "x W", "a", place=0),
        node("b", "DEPTHWISE_CONV_2D", "a V", "b", place=1),
        node("c", "ADD", "b x", "c", place=2),
        node("d", "SPLIT_V", "c", "d", place=3),
        node("e", "RELU", "d", "e", place=4),
        node("f", "DEQUANTIZE", "U", "f", place=5),
    ]
    executed = [
        seen("", 1, type="Convolution (NHWC, F32) IGEMM", provider="XNNPACK", place=0),
        seen("", 1, type="Fully Connected (NC, F32) GEMM", provider="XNNPACK", place=1),
        seen("", 1, type="Add (ND)", provider="XNNPACK", place=2),
        seen("", 1, type="SPLIT_V", provider="built-in", place=3),
        seen("", 1, type="Copy (NC, X32)", provider="XNNPACK", place=0),
    ]
    matches = tflite_matches(executed, file)
    assert matches == {0: 0, 1: 1, 2: 2, 3: 3}
    assert absorbed(file, matches) == {3: (4,)}


def test_of_a_kind_with_more_or_fewer_in_the_file_nothing_is_known() -> None:
    file = [node("a", "ADD", "x y", "a", place=0), node("b", "ADD", "a y", "b", place=1)]
    assert tflite_matches([seen("", 1, type="Add (ND)", provider="XNNPACK")], file) == {}


def test_each_graph_is_matched_by_itself() -> None:
    file = [node("a", "MUL", "x y", "a", graph=0), node("b", "MUL", "x y", "b", graph=1)]
    executed = [seen("", 1, type="Multiply (ND)", provider="XNNPACK", graph=1)]
    assert tflite_matches(executed, file) == {0: 1}
