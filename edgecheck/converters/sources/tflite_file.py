"""`.tflite` files as objects: opened to be changed, brought to the current encoding, written again."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from ai_edge_litert import schema_py_generated as schema
from ai_edge_litert.tools import flatbuffer_utils, mmap_utils

from edgecheck.converters.refusals import already_converted, nothing_to_convert
from edgecheck.core.text import clean
from edgecheck.errors import ConversionError

if TYPE_CHECKING:
    from numpy.typing import NDArray

_OPS = schema.BuiltinOperator
_TYPES = schema.TensorType

#: Offsets up to this mean that the bytes are inside the schema's part; some writers put 1 (schema, `Buffer.offset`).
_NO_OFFSET = 1

#: By operator: the positions of the inputs that are weights of two axes or more.
WEIGHTS = {
    _OPS.CONV_2D: (1,),
    _OPS.DEPTHWISE_CONV_2D: (1,),
    _OPS.CONV_3D: (1,),
    _OPS.TRANSPOSE_CONV: (1,),
    _OPS.FULLY_CONNECTED: (1,),
    _OPS.BATCH_MATMUL: (0, 1),
    _OPS.EMBEDDING_LOOKUP: (1,),
    _OPS.GATHER: (0,),
    _OPS.SVDF: (1, 2),
    _OPS.UNIDIRECTIONAL_SEQUENCE_RNN: (1, 2),
    _OPS.UNIDIRECTIONAL_SEQUENCE_LSTM: tuple(range(1, 9)),
}


class Weight(NamedTuple):
    """A constant that an operator uses as weights; its values can be replaced."""

    tensor: Any
    buffer: Any

    def values(self) -> NDArray[Any]:
        """The values, in the type in which they are stored."""
        kind = np.float16 if self.tensor.type == _TYPES.FLOAT16 else np.float32
        numbers: NDArray[Any] = np.frombuffer(bytes(self.buffer.data), kind).reshape(self.tensor.shape)
        return numbers

    def replace(self, values: NDArray[Any]) -> None:
        """Store other values of the same shape."""
        self.buffer.data = np.frombuffer(np.ascontiguousarray(values).tobytes(), np.uint8)


def load(path: Path) -> Any:
    """The model as the schema's `ModelT`, in the current encoding.

    Until 2020, converters wrote operator codes only into a field of one byte. ai-edge-quantizer reads the newer field,
    takes every operator for ADD, and silently returns the file unchanged (MediaPipe's face_landmark.tflite).
    """
    model = parsed(path.read_bytes())
    for code in model.operatorCodes:
        code.builtinCode = max(code.builtinCode, code.deprecatedBuiltinCode)
    _float16_to_float32(model)
    return model


def is_current(path: Path) -> bool:
    """Whether `load` and `add_signature` would leave the file unchanged, and all its weights are float32.

    Only the tables that decide this are read: turning everything into objects took half as long as a quantisation.
    """
    model = schema.Model.GetRootAs(mmap_utils.get_file_contents(path))
    codes = [model.OperatorCodes(each) for each in range(model.OperatorCodesLength())]
    kinds = [code.BuiltinCode() for code in codes]
    if not model.SignatureDefsLength() or _OPS.DEQUANTIZE in kinds:
        return False
    graphs = [model.Subgraphs(each) for each in range(model.SubgraphsLength())]
    names = [graph.Tensors(each).Name() for graph in graphs for each in range(graph.TensorsLength())]
    if len(set(names)) < len(names):
        return False
    if any(code.DeprecatedBuiltinCode() > kind for code, kind in zip(codes, kinds, strict=True)):
        return False
    types = {
        graph.Tensors(operator.Inputs(place)).Type()
        for graph in graphs
        for operator in map(graph.Operators, range(graph.OperatorsLength()))
        for place in WEIGHTS.get(kinds[operator.OpcodeIndex()], ())
        if place < operator.InputsLength() and operator.Inputs(place) >= 0
    }
    return types == {_TYPES.FLOAT32}


def parsed(content: bytes) -> Any:
    """The model in the file's own encoding, including the weights that converters put after the schema's part."""
    model = schema.ModelT.InitFromObj(schema.Model.GetRootAs(content))
    for buffer in model.buffers:
        if buffer.offset > _NO_OFFSET:
            buffer.data = np.frombuffer(content, np.uint8, buffer.size, buffer.offset)
            buffer.offset = buffer.size = 0
    for operator in (each for graph in model.subgraphs for each in graph.operators or []):
        if operator.largeCustomOptionsOffset > _NO_OFFSET:
            start, size = operator.largeCustomOptionsOffset, operator.largeCustomOptionsSize
            operator.customOptions = np.frombuffer(content, np.uint8, size, start)
            operator.largeCustomOptionsOffset = operator.largeCustomOptionsSize = 0
    return model


def save(model: Any, path: Path) -> None:
    """Write the model."""
    path.write_bytes(as_bytes(model))


def as_bytes(model: Any) -> bytes:
    """The model as the contents of a file."""
    return bytes(flatbuffer_utils.convert_object_to_bytearray(model))


def only_signature(path: Path, name: str) -> bytes:
    """The file with the graph of signature `name` as the first, which is the main one, and no other signature.

    Raises:
        ConversionError: it has no such signature.
    """
    model = parsed(path.read_bytes())
    found = {each.signatureKey.decode(): each for each in model.signatureDefs or []}
    if name not in found:
        names = ", ".join(map(clean, found)) or "none"
        raise ConversionError(f"{path.name} has no signature '{clean(name)}'; it has: {names}.", "Choose one of them.")
    order = sorted(range(len(model.subgraphs)), key=lambda place: (place != found[name].subgraphIndex, place))
    moved = {old: new for new, old in enumerate(order)}
    for operator in (each for graph in model.subgraphs for each in graph.operators or []):
        for options in (operator.builtinOptions, operator.builtinOptions2):
            for field in _graphs_named_by(options):
                setattr(options, field, moved.get(getattr(options, field), getattr(options, field)))
    model.subgraphs = [model.subgraphs[place] for place in order]
    found[name].subgraphIndex = 0
    model.signatureDefs = [found[name]]
    return as_bytes(model)


def _graphs_named_by(options: Any) -> list[str]:
    """The fields of an operator's options that hold the index of a graph: branches, bodies and conditions."""
    fields = vars(options) if options is not None else ()
    return [field for field in fields if field.lower().endswith("subgraphindex") or field == "subgraph"]


def weights(model: Any) -> list[Weight]:
    """The constants that operators use as weights, each once."""
    found: dict[int, Weight] = {}
    for graph in model.subgraphs:
        for operator in graph.operators or []:
            for index in _weight_places(model, operator):
                tensor = graph.tensors[index]
                data = model.buffers[tensor.buffer].data
                if data is not None and len(data) and tensor.sparsity is None:
                    found.setdefault(tensor.buffer, Weight(tensor, model.buffers[tensor.buffer]))
    return list(found.values())


def float_weights(model: Any, title: str) -> list[Weight]:
    """The weights that are float32.

    Raises:
        ConversionError: there are none, or only some of them are.
    """
    everything = weights(model)
    found = [each for each in everything if each.tensor.type == _TYPES.FLOAT32]
    if found and len(found) == len(everything):
        return found
    if everything:  # a file with both kinds comes from a quantiser that skips small weights
        raise already_converted(title, "quantised weights")
    raise nothing_to_convert(title, "has no weights that could be converted")


def add_signature(model: Any) -> None:
    """Give the first graph a signature if it has none; ai-edge-quantizer cannot calibrate without one."""
    if model.signatureDefs:
        return
    graph = model.subgraphs[0]
    signature = schema.SignatureDefT()
    signature.signatureKey, signature.subgraphIndex = "serving_default", 0
    signature.inputs = list(_named(graph, graph.inputs))
    signature.outputs = list(_named(graph, graph.outputs))
    model.signatureDefs = [signature]


def name_apart(model: Any) -> None:
    """Give tensors of one name different ones: ai-edge-quantizer refuses the model otherwise.

    Those of the ports stay, since callers use them; signatures have their own names for ports.
    """
    ports = {(place, int(index)) for place, graph in enumerate(model.subgraphs) for index in _ports_of(graph)}
    every = [(place, at) for place, graph in enumerate(model.subgraphs) for at in range(len(graph.tensors))]
    taken = {model.subgraphs[place].tensors[at].name for place, at in every}
    seen: set[Any] = set()
    for place, at in sorted(every, key=lambda each: (each not in ports, each)):
        tensor = model.subgraphs[place].tensors[at]
        if tensor.name in seen:
            plain = tensor.name or b""
            tensor.name = next(name for number in itertools.count(1) if (name := plain + b"_%d" % number) not in taken)
            taken.add(tensor.name)
        seen.add(tensor.name)


def _ports_of(graph: Any) -> Iterator[int]:
    yield from graph.inputs if graph.inputs is not None else ()
    yield from graph.outputs if graph.outputs is not None else ()


def _named(graph: Any, indices: Any) -> Iterator[Any]:
    for index in indices:
        port = schema.TensorMapT()
        port.name, port.tensorIndex = graph.tensors[index].name, int(index)
        yield port


def _weight_places(model: Any, operator: Any) -> Iterator[int]:
    places = WEIGHTS.get(model.operatorCodes[operator.opcodeIndex].builtinCode, ())
    yield from (
        operator.inputs[place] for place in places if place < len(operator.inputs) and operator.inputs[place] >= 0
    )


def _float16_to_float32(model: Any) -> None:
    """Replace the DEQUANTIZE operators of a float16 file by float32 weights.

    Tools that quantise or prune look for weights, not for operators that make them.
    """
    float16: set[int] = set()
    for place, graph in enumerate(model.subgraphs):
        operators = list(graph.operators or [])
        graph.operators = [each for each in operators if not _is_replaced(model, graph, each, float16)]
        if len(graph.operators) < len(operators):
            _drop_unused(model, place)
    # Converters keep equal constants in one buffer, which other tensors may still use.
    for index in float16 - {tensor.buffer for graph in model.subgraphs for tensor in graph.tensors}:
        model.buffers[index].data = None


def _drop_unused(model: Any, place: int) -> None:
    """Remove unused tensors: a calibration reads every tensor, and these have no values any more."""
    graph = model.subgraphs[place]
    ports = [
        port
        for each in model.signatureDefs or []
        if each.subgraphIndex == place
        for port in (*each.inputs, *each.outputs)
    ]
    lists = [(each, name) for each in graph.operators for name in ("inputs", "outputs", "intermediates")]
    lists += [(graph, "inputs"), (graph, "outputs")]
    used = {int(index) for owner, name in lists for index in _indices(owner, name)}
    used |= {port.tensorIndex for port in ports}
    renumbered = {old: new for new, old in enumerate(sorted(used - {-1}))} | {-1: -1}
    graph.tensors = [graph.tensors[index] for index in sorted(used - {-1})]
    for owner, name in lists:
        setattr(owner, name, [renumbered[int(index)] for index in _indices(owner, name)])
    for port in ports:
        port.tensorIndex = renumbered[port.tensorIndex]


def _indices(owner: Any, name: str) -> Any:
    found = getattr(owner, name)
    return [] if found is None else found


def _is_replaced(model: Any, graph: Any, operator: Any, float16: set[int]) -> bool:
    """Put float32 weights in the place of a DEQUANTIZE of float16 ones; returns whether the operator was one."""
    if model.operatorCodes[operator.opcodeIndex].builtinCode != _OPS.DEQUANTIZE:
        return False
    source, target = graph.tensors[operator.inputs[0]], graph.tensors[operator.outputs[0]]
    data = model.buffers[source.buffer].data
    if source.type != _TYPES.FLOAT16 or data is None or not len(data) or source.sparsity is not None:
        return False
    buffer = schema.BufferT()
    buffer.data = np.frombuffer(np.frombuffer(bytes(data), np.float16).astype(np.float32).tobytes(), np.uint8)
    model.buffers.append(buffer)
    float16.add(source.buffer)
    target.buffer = len(model.buffers) - 1
    return True
