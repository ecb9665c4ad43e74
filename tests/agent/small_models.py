"""Small models, one for each thing that a model can ask of a runtime or of what feeds it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import flatbuffers  # type: ignore[import-untyped] # it has no stubs
import numpy as np
import onnx
from ai_edge_litert import schema_py_generated as schema
from onnx import TensorProto, helper, numpy_helper

if TYPE_CHECKING:
    from collections.abc import Sequence

FLOAT, FLOAT16, DOUBLE = TensorProto.FLOAT, TensorProto.FLOAT16, TensorProto.DOUBLE


def model(nodes: list[Any], inputs: list[Any], outputs: list[Any], **options: Any) -> Any:
    """Options: opset, ir, domains, weights (arrays by name)."""
    opsets = [helper.make_opsetid("", options.get("opset", 17))]
    opsets += [helper.make_opsetid(domain, 1) for domain in options.get("domains", ())]
    weights = [numpy_helper.from_array(array, name) for name, array in options.get("weights", {}).items()]
    graph = helper.make_graph(nodes, "small", inputs, outputs, weights)
    return helper.make_model(graph, opset_imports=opsets, ir_version=options.get("ir", 8))


def value(name: str, kind: int, shape: Sequence[int | str | None] | None) -> Any:
    return helper.make_tensor_value_info(name, kind, shape)


def identity(path: Path, kind: int, shape: Sequence[int | str | None]) -> Path:
    """y = x, for any type of tensor."""
    return one_node(path, "Identity", value("x", kind, shape), value("y", kind, shape))


def one_node(path: Path, operator: str, given: Any, result: Any, **options: Any) -> Path:
    node = helper.make_node(operator, [given.name], [result.name], domain=options.pop("domain", ""))
    return save(path, model([node], [given], [result], **options))


def save(path: Path, whole: Any) -> Path:
    path.write_bytes(whole.SerializeToString())
    return path


def needs_three_rows(path: Path) -> Path:
    """An open dimension that may be 3 and nothing else: x[n, 4] is reshaped to [3, 4]."""
    shape = np.array([3, 4], dtype=np.int64)
    node = helper.make_node("Reshape", ["x", "shape"], ["y"])
    inputs, outputs = [value("x", FLOAT, ["n", 4])], [value("y", FLOAT, [3, 4])]
    return save(path, model([node], inputs, outputs, weights={"shape": shape}))


def with_external_weights(path: Path) -> Path:
    """y = x · w, with w in a file next to the model; returns that file."""
    weights = np.arange(16, dtype=np.float32).reshape(4, 4)
    node = helper.make_node("MatMul", ["x", "w"], ["y"])
    rows = value("x", FLOAT, [1, 4]), value("y", FLOAT, [1, 4])
    whole = model([node], [rows[0]], [rows[1]], weights={"w": weights})
    beside = path.with_suffix(".data")
    onnx.save(whole, path, save_as_external_data=True, location=beside.name, size_threshold=0)
    return beside


def with_nan_weights(path: Path) -> Path:
    """y = x + w, of which w is not a number."""
    node = helper.make_node("Add", ["x", "w"], ["y"])
    rows = value("x", FLOAT, [1, 4]), value("y", FLOAT, [1, 4])
    weights = {"w": np.full((1, 4), np.nan, dtype=np.float32)}
    return save(path, model([node], [rows[0]], [rows[1]], weights=weights))


def one_operator(path: Path, code: int, custom: str | None = None, version: int = 1) -> Path:
    """A .tflite file of one operator from one float to one."""
    tensors = [_tensor(name, schema.TensorType.FLOAT32) for name in ("x", "y")]
    return _tflite(path, tensors, _code(code, custom, version))


def text_equality(path: Path) -> Path:
    """A .tflite file: are the texts a and b equal?"""
    tensors = [_tensor(name, schema.TensorType.STRING) for name in ("a", "b")]
    code = _code(schema.BuiltinOperator.EQUAL, None, 3)
    return _tflite(path, [*tensors, _tensor("y", schema.TensorType.BOOL)], code)


def two_signatures(path: Path) -> Path:
    """A .tflite file: `encode` returns the absolute value of 4 floats; `decode` returns a row, negated if `flip`.

    The graph of `decode` is the second one; its branches are the third and the fourth.
    """
    floats, truth = schema.TensorType.FLOAT32, schema.TensorType.BOOL
    choice = schema.IfOptionsT()
    choice.thenSubgraphIndex, choice.elseSubgraphIndex = 2, 3
    branching = _operator(2, [0, 1], [2])
    branching.builtinOptions, branching.builtinOptionsType = choice, schema.BuiltinOptions.IfOptions
    operators = schema.BuiltinOperator
    graphs = [
        _graph([_tensor("encode_x:0", floats, [4]), _tensor("y", floats, [4])], [_operator(0, [0], [1])]),
        _graph([_tensor("flip", truth), *_open_floats("decode_x:0", "z")], [branching]),
        _graph(_open_floats("x", "negated"), [_operator(1, [0], [1])]),
        _graph(_open_floats("x", "kept"), [_operator(0, [0], [1])]),
    ]
    signatures = [
        _signature("encode", 0, {"x": 0}, {"length": 1}),
        _signature("decode", 1, {"flip": 0, "x": 1}, {"answer": 2}),
    ]
    codes = [_code(code, None, 1) for code in (operators.ABS, operators.NEG, operators.IF)]
    return _written(path, graphs, codes, signatures)


def _open_floats(*names: str) -> list[Any]:
    tensors = [_tensor(name, schema.TensorType.FLOAT32) for name in names]
    for tensor in tensors:
        tensor.shape, tensor.shapeSignature = [1, 1], [1, -1]
    return tensors


def _signature(key: str, graph: int, inputs: dict[str, int], outputs: dict[str, int]) -> Any:
    found = schema.SignatureDefT()
    found.signatureKey, found.subgraphIndex = key, graph
    found.inputs, found.outputs = _ports(inputs), _ports(outputs)
    return found


def _ports(places: dict[str, int]) -> list[Any]:
    ports = []
    for name, index in places.items():
        port = schema.TensorMapT()
        port.name, port.tensorIndex = name, index
        ports.append(port)
    return ports


def _tensor(name: str, kind: int, shape: Sequence[int] = (1,)) -> Any:
    tensor = schema.TensorT()
    tensor.name, tensor.shape, tensor.type, tensor.buffer = name, list(shape), kind, 0
    return tensor


def _operator(code: int, inputs: list[int], outputs: list[int]) -> Any:
    step = schema.OperatorT()
    step.opcodeIndex, step.inputs, step.outputs = code, inputs, outputs
    return step


def _graph(tensors: list[Any], operators: list[Any]) -> Any:
    """All tensors but the last go in, the last comes out."""
    graph, last = schema.SubGraphT(), len(tensors) - 1
    graph.tensors, graph.inputs, graph.outputs, graph.operators = tensors, list(range(last)), [last], operators
    return graph


def _code(code: int, custom: str | None, version: int) -> Any:
    kind = schema.OperatorCodeT()
    kind.builtinCode, kind.deprecatedBuiltinCode = code, min(code, 127)
    kind.customCode, kind.version = custom, version
    return kind


def _tflite(path: Path, tensors: list[Any], code: Any) -> Path:
    """One graph of one operator."""
    last = len(tensors) - 1
    return _written(path, [_graph(tensors, [_operator(0, list(range(last)), [last])])], [code])


def _written(path: Path, graphs: list[Any], codes: list[Any], signatures: Sequence[Any] = ()) -> Path:
    whole = schema.ModelT()
    whole.version, whole.buffers, whole.operatorCodes, whole.subgraphs = 3, [schema.BufferT()], codes, graphs
    whole.signatureDefs = list(signatures)
    builder = flatbuffers.Builder(64)
    builder.Finish(whole.Pack(builder), b"TFL3")
    path.write_bytes(builder.Output())
    return path
