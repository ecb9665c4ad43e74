"""What the readers say of real models, against what the frameworks' own libraries say."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from math import prod

import numpy as np
import onnx
import pytest
from ai_edge_litert import schema_py_generated as schema
from onnx import numpy_helper

from edgecheck.anatomy.contents import Contents
from edgecheck.anatomy.values import Role
from examples.real_models import fetch
from tests.anatomy.real_anatomies import anatomy, names


def protos(graph: onnx.GraphProto) -> Iterator[onnx.TensorProto]:
    """Initialisers and constant nodes, in branches too."""
    yield from graph.initializer
    for node in graph.node:
        for attribute in node.attribute:
            if attribute.type == onnx.AttributeProto.GRAPH:
                yield from protos(attribute.g)
            elif attribute.type == onnx.AttributeProto.TENSOR and node.op_type == "Constant":
                named = onnx.TensorProto()
                named.CopyFrom(attribute.t)
                named.name = node.output[0]
                yield named


@pytest.mark.parametrize("name", names(".onnx"))
def test_onnx_tensors_are_those_of_onnx(name: str) -> None:
    expected = {
        proto.name: (onnx.helper.tensor_dtype_to_np_dtype(proto.data_type).name, tuple(proto.dims))
        for proto in protos(onnx.load(fetch(name)).graph)
    }
    found = {
        tensor.name: (tensor.dtype, tensor.shape) for tensor in anatomy(name).tensors if tensor.encoding != "filled"
    }
    assert found == expected


@pytest.mark.parametrize("name", names(".onnx"))
def test_onnx_contents_are_those_of_onnx(name: str) -> None:
    expected = {proto.name: proto for proto in protos(onnx.load(fetch(name)).graph)}
    found = anatomy(name)
    compared = 0
    with Contents(found) as contents:
        for tensor in found.tensors:
            if tensor.encoding == "":
                content = b"".join(contents.pieces(tensor))
                assert content == numpy_helper.to_array(expected[tensor.name]).tobytes()
                compared += 1
    assert compared > 0


@pytest.mark.parametrize("name", names(".onnx"))
def test_onnx_operators_are_those_of_onnx(name: str) -> None:
    expected = Counter(
        node.op_type if node.domain in ("", "ai.onnx") else f"{node.domain}.{node.op_type}"
        for node in onnx.load(fetch(name)).graph.node
    )
    assert anatomy(name).operators == expected


def model_of(name: str) -> schema.ModelT:
    return schema.ModelT.InitFromObj(schema.Model.GetRootAs(fetch(name).read_bytes(), 0))


@pytest.mark.parametrize("name", names(".tflite"))
def test_tflite_constants_are_those_of_the_schema(name: str) -> None:
    model = model_of(name)
    expected = [
        (
            tensor.name.decode(),
            tuple(tensor.shape) if tensor.shape is not None else (),
            bytes(model.buffers[tensor.buffer].data),
        )
        for graph in model.subgraphs
        for tensor in graph.tensors
        if model.buffers[tensor.buffer].data is not None and len(model.buffers[tensor.buffer].data)
    ]
    found = anatomy(name)
    with Contents(found) as contents:
        read = [
            (tensor.name, tensor.shape, contents.read(tensor.places[0], tensor.places[0].start, tensor.places[0].size))
            for tensor in found.tensors
        ]
    assert read == expected


@pytest.mark.parametrize("name", names(".tflite"))
def test_tflite_operators_are_those_of_the_schema(name: str) -> None:
    model = model_of(name)
    by_number = {value: key for key, value in vars(schema.BuiltinOperator).items() if isinstance(value, int)}
    codes = [by_number[max(code.builtinCode, code.deprecatedBuiltinCode)] for code in model.operatorCodes]
    expected = Counter(codes[operator.opcodeIndex] for graph in model.subgraphs for operator in graph.operators)
    assert anatomy(name).operators == expected


@pytest.mark.parametrize(
    ("torch", "exported"), [(f"facenet_{net}.pt", f"mtcnn_{net}.onnx") for net in ("pnet", "rnet", "onet")]
)
def test_the_same_network_has_as_many_weights_in_both_formats(torch: str, exported: str) -> None:
    assert anatomy(torch).totals.params == anatomy(exported).totals.params


def test_the_same_network_has_nearly_as_many_weights_in_four_formats() -> None:
    """Converters fold and add scalars: 35,739 in TFLite, of which none is off by more than a percent."""
    counts = [anatomy(name).totals.params for name in ("nmp.tflite", "nmp.onnx", "nmp_saved_model", "nmp.mlpackage")]
    assert max(counts) - min(counts) < 0.01 * min(counts)


def test_legacy_torch_storages_hold_the_numbers_that_numpy_reads() -> None:
    found = anatomy("facenet_pnet.pt")
    weights = [tensor for tensor in found.tensors if tensor.role is Role.WEIGHT]
    assert [tensor.name for tensor in weights][:3] == ["conv1.weight", "conv1.bias", "prelu1.weight"]
    with Contents(found) as contents:
        for tensor in weights:
            values = np.frombuffer(b"".join(contents.pieces(tensor)), "<f4")
            assert values.size == prod(tensor.shape)
            assert np.isfinite(values).all()
            assert 0 < np.abs(values).max() < 100
