"""A `.tflite` model, run by LiteRT on this machine."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from ai_edge_litert import schema_py_generated as schema
from ai_edge_litert.interpreter import Interpreter

from edgecheck.converters import matching
from edgecheck.converters.interface import Request
from edgecheck.converters.refusals import unopened
from edgecheck.converters.samples import Port, ids_below
from edgecheck.converters.sources import tflite_file
from edgecheck.converters.sources.frameworks import Output

if TYPE_CHECKING:
    from numpy.typing import NDArray

_OPS = schema.BuiltinOperator

#: Operators between a softmax and the model's output that do not change which class is on top.
_TRANSPARENT = (_OPS.RESHAPE, _OPS.SQUEEZE, _OPS.EXPAND_DIMS, _OPS.QUANTIZE, _OPS.DEQUANTIZE)

#: Operators that look up rows: the positions of the table and of the row numbers.
_LOOKUPS = {_OPS.GATHER: (0, 1), _OPS.EMBEDDING_LOOKUP: (1, 0)}

#: Operators whose output has the values of their first input.
_KEEPING = (*_TRANSPARENT, _OPS.CAST, _OPS.TRANSPOSE, _OPS.SLICE, _OPS.STRIDED_SLICE)

#: Operators of models that remember one call in the next.
_STATEFUL = ("VAR_HANDLE", "CALL_ONCE")


class TfliteModel:
    """An interpreter, and a second one whose outputs are the softmax's inputs, if there is a softmax."""

    def __init__(self, path: Path, signature: str = "") -> None:
        self._content = tflite_file.only_signature(path, signature) if signature else path.read_bytes()
        self._interpreter = _opened(self._content, path.name)
        self._labels, self._places = _signature(self._interpreter)
        model = tflite_file.parsed(self._content)
        self.ports = _reaching(ports_of(self._interpreter), model)
        self._has_state = any(one["op_name"] in _STATEFUL for one in self._interpreter._get_ops_details())  # noqa: SLF001 - nothing public lists the operators
        self._truncated = before_softmax(model)
        self._before = _opened(self._truncated, path.name) if self._truncated else None

    def run(self, feed: dict[str, NDArray[Any]]) -> list[Output]:
        """See `Source.run`; the state of earlier runs is reset. In the signature's order, if there is a signature."""
        if self._has_state:  # resource variables are not reset by reset_all_variables
            self._interpreter = _opened(self._content, "the model")
            self._before = _opened(self._truncated, "the model") if self._truncated else None
        values = self._invoke(self._interpreter, feed)
        logits = self._invoke(self._before, feed) if self._before else values
        outputs = [
            Output(self._labels.get(name, name), value, before if name != other else None)
            for (name, value), (other, before) in zip(values, logits, strict=True)
        ]
        return sorted(outputs, key=lambda output: self._places.get(output.name, len(self._places)))

    def _invoke(self, interpreter: Interpreter, feed: dict[str, NDArray[Any]]) -> list[tuple[str, NDArray[Any]]]:
        details = interpreter.get_input_details()
        for detail, port in zip(details, self.ports, strict=True):
            if tuple(detail["shape"]) != feed[port.name].shape:
                interpreter.resize_tensor_input(detail["index"], feed[port.name].shape)
        interpreter.allocate_tensors()
        interpreter.reset_all_variables()
        for detail, port in zip(details, self.ports, strict=True):
            interpreter.set_tensor(detail["index"], _quantised(feed[port.name], detail))
        interpreter.invoke()
        return [
            (one["name"], _dequantised(interpreter.get_tensor(one["index"]), one))
            for one in interpreter.get_output_details()
        ]


def open_model(request: Request) -> TfliteModel:
    """The model of `request`."""
    return TfliteModel(request.model, request.signature)


def ports_of(interpreter: Interpreter) -> tuple[Port, ...]:
    """The inputs of an interpreter, in its order, under the names in the model's signature."""
    labels, _ = _signature(interpreter)
    details = interpreter.get_input_details()
    shown = matching.labels([detail["name"] for detail in details]) | labels
    return tuple(_port(detail, shown) for detail in details)


def _reaching(ports: tuple[Port, ...], model: Any) -> tuple[Port, ...]:
    """The inputs, with random row numbers that reach the tables that they index."""
    rows = _rows_by_input(model)
    inputs = model.subgraphs[0].inputs
    return tuple(
        port._replace(draw=ids_below(rows[int(index)])) if int(index) in rows else port
        for port, index in zip(ports, inputs, strict=True)
    )


def _rows_by_input(model: Any) -> dict[int, int]:
    """By input tensor of the first graph: the rows of the smallest table in which it looks up."""
    graph = model.subgraphs[0]
    kinds = [max(code.builtinCode, code.deprecatedBuiltinCode) for code in model.operatorCodes]
    made = {int(index): each for each in graph.operators or [] for index in each.outputs}
    found: dict[int, int] = {}
    for operator in graph.operators or []:
        kind = kinds[operator.opcodeIndex]
        if kind not in _LOOKUPS:
            continue
        table, index = (int(operator.inputs[place]) for place in _LOOKUPS[kind])
        shape = graph.tensors[table].shape
        axis = operator.builtinOptions.axis if kind == _OPS.GATHER and operator.builtinOptions else 0
        while index in made and kinds[made[index].opcodeIndex] in _KEEPING:
            index = int(made[index].inputs[0])
        if index not in made and shape is not None and -len(shape) <= axis < len(shape):
            found[index] = min(int(shape[axis]), found.get(index, int(shape[axis])))
    return {index: rows for index, rows in found.items() if rows > 0}


def before_softmax(model: Any) -> bytes | None:
    """The model with its first graph ending before the softmax that makes an output; None if there is no softmax."""
    graph = model.subgraphs[0]
    makers = {index: operator for operator in graph.operators or [] for index in operator.outputs}
    ends = [_before_softmax(model, makers, index) for index in graph.outputs]
    if list(graph.outputs) == ends:
        return None
    graph.outputs, model.signatureDefs = ends, []
    return tflite_file.as_bytes(model)


def _before_softmax(model: Any, makers: dict[int, Any], output: int) -> int:
    """The input of the softmax that makes `output`; `output` if none does."""
    index, operator = output, makers.get(output)
    while operator is not None:
        code = model.operatorCodes[operator.opcodeIndex]
        kind, index = max(code.builtinCode, code.deprecatedBuiltinCode), int(operator.inputs[0])
        if kind == _OPS.SOFTMAX:
            return index
        operator = makers.get(index) if kind in _TRANSPARENT else None
    return output


def _opened(content: bytes, name: str) -> Interpreter:
    try:
        return Interpreter(model_content=content, num_threads=1)
    except (RuntimeError, ValueError) as error:
        raise unopened("LiteRT", name, error) from error


def _signature(interpreter: Interpreter) -> tuple[dict[str, str], dict[str, int]]:
    """The name of each tensor in the model's signature, and each output's position there: a file has any order."""
    signatures = list(interpreter.get_signature_list())
    if len(signatures) != 1:
        return {}, {}
    runner = interpreter.get_signature_runner(signatures[0])
    outputs = runner.get_output_details()
    labels = {detail["name"]: label for label, detail in {**runner.get_input_details(), **outputs}.items()}
    return labels, {label: place for place, label in enumerate(outputs)}


def _port(detail: dict[str, Any], labels: dict[str, str]) -> Port:
    shape, signature = detail["shape"], detail["shape_signature"]
    wanted = signature if len(signature) == len(shape) else shape
    kind = np.dtype(detail["dtype"]).name if not detail["quantization"][0] else "float32"
    return Port(
        labels[detail["name"]],
        tuple(int(size) if size > 0 else None for size in wanted),
        kind,
    )


def _quantised(value: NDArray[Any], detail: dict[str, Any]) -> NDArray[Any]:
    scale, zero = detail["quantization"]
    if not scale:
        return value
    limits = np.iinfo(detail["dtype"])
    steps: NDArray[Any] = np.clip(np.rint(value / scale) + zero, limits.min, limits.max).astype(detail["dtype"])
    return steps


def _dequantised(value: NDArray[Any], detail: dict[str, Any]) -> NDArray[Any]:
    scale, zero = detail["quantization"]
    return (value.astype(np.float32) - zero) * np.float32(scale) if scale else value
