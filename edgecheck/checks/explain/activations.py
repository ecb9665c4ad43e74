"""How many bytes of activations a model holds at the same time, by the shapes in its file.

The main graph of a `.tflite` or `.onnx` file is read as a `Flow`: its operators in order, and the sizes of the values
that they compute. Walking through it gives the operator during which the most is alive.
"""

from __future__ import annotations

import mmap
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from math import prod
from pathlib import Path

from edgecheck.anatomy.accounting.files import Files
from edgecheck.anatomy.dtypes import dense_size
from edgecheck.anatomy.encodings.span import Damage, explained
from edgecheck.anatomy.encodings.wire import BYTES, Field, fields, text
from edgecheck.anatomy.formats import ModelFormat, identify
from edgecheck.anatomy.onnx.signature import read_value
from edgecheck.anatomy.tflite.signature import main_graph
from edgecheck.anatomy.tflite.tables import GraphRecord, read_tables


@dataclass(frozen=True, slots=True, kw_only=True)
class Activations:
    """The operator during which the most activations are alive."""

    peak: int
    """Bytes of all activations alive then; a runtime reuses some of this memory, and needs working memory too."""
    operator: str
    """The operator, as the format calls it."""
    output: str
    """The name of its first output."""
    has_open: bool
    """Whether a shape has an open dimension, which was counted as 1."""


def activations(path: Path, signature: str = "") -> Activations | None:
    """The peak while `signature` runs, else the main graph.

    None where the file lacks the shape of a computed value, or is of another format.

    Raises:
        ModelError: it is not a model, or it is damaged.
    """
    readers: dict[ModelFormat, Callable[[Files], Flow]] = {
        ModelFormat.TFLITE: partial(tflite_flow, signature=signature),
        ModelFormat.ONNX: onnx_flow,
    }
    read = readers.get(identify(path))
    if read is None:
        return None
    with explained(path), Files(path) as files:
        return peak_of(read(files))


@dataclass(frozen=True, slots=True)
class Step:
    """One operator, in the order of the file."""

    operator: str
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Flow:
    """The main graph, reduced to activations. Each value has a key; a view has the key of its source."""

    steps: tuple[Step, ...]
    sizes: Mapping[str, int]
    """Bytes of each value whose shape is known, by key."""
    stored: frozenset[str]
    """Keys of the values in the file: weights and constants."""
    given: tuple[str, ...]
    """Keys of the inputs."""
    results: tuple[str, ...]
    """Keys of the outputs: alive to the end."""
    has_open: bool
    names: Mapping[str, str]
    """The file's name for a value, by key."""


def peak_of(flow: Flow) -> Activations | None:
    """The operator during which the most is alive: its inputs, its outputs, and what later operators take."""
    steps = _computing(flow)
    if any(name not in flow.sizes for step in steps for name in step.outputs):
        return None
    ends = _ends(steps, flow.results)
    alive = {name: flow.sizes.get(name, 0) for name in flow.given if name not in flow.stored}
    total = sum(alive.values())
    best: Activations | None = None
    for at, step in enumerate(steps):
        for name in step.outputs:
            if name not in alive:
                alive[name] = flow.sizes[name]
                total += alive[name]
        if step.outputs and (best is None or total > best.peak):
            output = flow.names.get(step.outputs[0], step.outputs[0])
            best = Activations(peak=total, operator=step.operator, output=output, has_open=flow.has_open)
        total -= sum(alive.pop(name, 0) for name in ends[at])
    return best


def _computing(flow: Flow) -> list[Step]:
    """The operators that run in each inference: what depends on stored values alone is computed once, on loading."""
    stored, steps = set(flow.stored), []
    for step in flow.steps:
        inputs = tuple(name for name in step.inputs if name and name not in stored)
        outputs = tuple(filter(None, step.outputs))
        if inputs:
            steps.append(Step(step.operator, inputs, outputs))
        else:
            stored.update(outputs)
    return steps


def _ends(steps: list[Step], results: Iterable[str]) -> Mapping[int, list[str]]:
    """By index of a step: the values that no later step takes."""
    last = {name: at for at, step in enumerate(steps) for name in (*step.outputs, *step.inputs)}
    last |= dict.fromkeys(results, len(steps))
    ends: dict[int, list[str]] = defaultdict(list)
    for name, at in last.items():
        ends[at].append(name)
    return ends


#: Bytes; no activation is larger, so a shape that says more is damaged.
_LARGEST = 1 << 50


def size_of(dtype: str, shape: Iterable[int | None]) -> int:
    """Bytes of an activation, open dimensions counted as 1."""
    return min(_LARGEST, dense_size(dtype, prod(1 if size is None or size < 0 else size for size in shape)))


def is_open(shapes: Iterable[Iterable[int | None]]) -> bool:
    """Whether any dimension is open."""
    return any(size is None or size < 0 for shape in shapes for size in shape)


#: Operators whose output the interpreter puts in the place of their input.
_VIEWS = ("RESHAPE", "EXPAND_DIMS", "SQUEEZE")


def tflite_flow(files: Files, signature: str = "") -> Flow:
    """The graph of that signature of a `.tflite` file, else the first one, which is the one that an interpreter runs.

    Raises:
        Damage: it has no graph, or computes a tensor that does not exist.
    """
    model = read_tables(files.main())
    graph = main_graph(model, signature)
    keys = _keys(graph)
    tensors = {key: graph.tensors[int(key)] for key in keys}

    def known(indices: tuple[int, ...]) -> tuple[str, ...]:
        return tuple(keys[index] for index in indices if 0 <= index < len(keys))

    return Flow(
        steps=tuple(Step(each.name, known(each.inputs), known(each.outputs)) for each in graph.operators),
        sizes={key: size_of(tensor.dtype, tensor.shape) for key, tensor in tensors.items()},
        stored=frozenset(key for key, tensor in tensors.items() if model.has_data(tensor)),
        given=known(graph.inputs),
        results=known(graph.outputs),
        has_open=is_open(tensor.signature for tensor in graph.tensors),
        names={key: tensor.name for key, tensor in tensors.items()},
    )


def _keys(graph: GraphRecord) -> list[str]:
    """By index of a tensor: the key of its value, which is the index of the first tensor that holds it."""
    keys = [str(index) for index in range(len(graph.tensors))]
    for operator in graph.operators:
        if any(not 0 <= index < len(keys) for index in operator.outputs):
            raise Damage(f"an operator computes a tensor that is not among its {len(keys)}")
        if operator.name in _VIEWS and operator.inputs and operator.outputs and 0 <= operator.inputs[0] < len(keys):
            keys[operator.outputs[0]] = keys[operator.inputs[0]]
    return keys


#: Field numbers of ModelProto, GraphProto, NodeProto and TensorProto in onnx.proto3 (github.com/onnx/onnx).
_GRAPH = 7
_NODE, _INITIALIZER, _INPUT, _OUTPUT, _VALUE, _SPARSE = 1, 5, 11, 12, 13, 15
_NODE_INPUT, _NODE_OUTPUT, _NODE_TYPE, _TENSOR_NAME = 1, 2, 4, 8


def onnx_flow(files: Files) -> Flow:
    """The main graph of an `.onnx` file; branches and functions count as their outputs."""
    span = files.main().span
    data = span.data
    graph = [
        part
        for field in fields(data, 0, span.size)
        if field.number == _GRAPH and field.wire == BYTES
        for part in fields(data, field.start, field.stop)
    ]
    values = {number: [read_value(data, each) for each in _of(graph, number)] for number in (_INPUT, _OUTPUT, _VALUE)}
    shapes = {
        each.name: (each.dtype, each.shape) for group in values.values() for each in group if each.shape is not None
    }
    return Flow(
        steps=tuple(_step(data, each) for each in _of(graph, _NODE)),
        sizes={name: size_of(dtype, shape) for name, (dtype, shape) in shapes.items()},
        stored=frozenset(_stored(data, graph)),
        given=tuple(each.name for each in values[_INPUT]),
        results=tuple(each.name for each in values[_OUTPUT]),
        has_open=is_open(shape for _, shape in shapes.values()),
        names={},
    )


def _of(graph: list[Field], number: int) -> Iterator[Field]:
    return (field for field in graph if field.number == number and field.wire == BYTES)


def _stored(data: mmap.mmap | bytes, graph: list[Field]) -> Iterator[str]:
    """The names of initialisers; a sparse one has the name of its values."""
    for field in _of(graph, _INITIALIZER):
        yield from _texts(data, field, _TENSOR_NAME)
    for field in _of(graph, _SPARSE):
        for part in fields(data, field.start, field.stop):
            if part.number == 1:
                yield from _texts(data, part, _TENSOR_NAME)


def _texts(data: mmap.mmap | bytes, message: Field, number: int) -> tuple[str, ...]:
    return tuple(text(data, field) for field in fields(data, message.start, message.stop) if field.number == number)


def _step(data: mmap.mmap | bytes, message: Field) -> Step:
    kinds = _texts(data, message, _NODE_TYPE)
    inputs, outputs = (_texts(data, message, number) for number in (_NODE_INPUT, _NODE_OUTPUT))
    return Step(kinds[-1] if kinds else "", inputs, outputs)
