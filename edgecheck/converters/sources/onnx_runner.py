"""An `.onnx` model, run by onnxruntime on this machine."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import onnx
import onnxruntime

from edgecheck.converters.interface import Request
from edgecheck.converters.refusals import COMPARE_BY_HAND, unopened
from edgecheck.converters.samples import Port
from edgecheck.converters.sources.frameworks import Output
from edgecheck.converters.sources.onnx_inputs import reaching
from edgecheck.errors import ConversionError

if TYPE_CHECKING:
    from numpy.typing import NDArray

#: onnxruntime's log level of errors.
_ERROR = 3

#: By onnxruntime's name of a type: numpy's, if it is another.
_TYPES = {"float": "float32", "double": "float64"}

#: Operators between a softmax and the model's output that do not change which class is on top.
_TRANSPARENT = ("Identity", "Cast", "Reshape", "Flatten", "Squeeze", "Unsqueeze", "QuantizeLinear", "DequantizeLinear")


class OnnxModel:
    """A session on the model; the inputs of its final softmaxes are additional outputs.

    Raises:
        ConversionError: onnxruntime does not open it.
    """

    def __init__(self, path: Path) -> None:
        model = onnx.load(path, load_external_data=False)
        self._names = [each.name for each in model.graph.output]
        self._logits = before_softmax(model)
        model.graph.output.extend(onnx.ValueInfoProto(name=name) for name in dict.fromkeys(self._logits.values()))
        try:
            self._session = session_of(model, path.parent)
        except Exception as error:
            raise unopened("onnxruntime", path.name, error) from error
        self.ports = reaching(model, tuple(_port(each) for each in self._session.get_inputs()))

    def run(self, feed: dict[str, NDArray[Any]]) -> list[Output]:
        """See `Source.run`."""
        wanted = list(dict.fromkeys([*self._names, *self._logits.values()]))
        values = dict(zip(wanted, self._session.run(wanted, feed), strict=True))
        return [
            Output(name, array_of(values[name]), values[self._logits[name]] if name in self._logits else None)
            for name in self._names
        ]


def array_of(value: Any) -> NDArray[Any]:
    """An output as one array; of a sequence of tensors, padded with zeros along the last axis where they differ."""
    if not isinstance(value, list) or not all(isinstance(each, np.ndarray) and each.ndim for each in value):
        return np.asarray(value)
    widest = max((each.shape[-1] for each in value), default=0)
    shapes = {each.shape[:-1] for each in value}
    if len(shapes) > 1:
        raise ConversionError(
            "An output is a sequence of tensors of different shapes, which are not compared.", COMPARE_BY_HAND
        )
    return np.array([np.pad(each, [*[(0, 0)] * (each.ndim - 1), (0, widest - each.shape[-1])]) for each in value])


def session_of(model: onnx.ModelProto, folder: Path) -> onnxruntime.InferenceSession:
    """A session on a model whose external data, if any, are in `folder`; raises what onnxruntime raises."""
    options = onnxruntime.SessionOptions()
    options.log_severity_level = _ERROR
    # the session gets bytes, so it needs the folder of external data
    options.add_session_config_entry("session.model_external_initializers_file_folder_path", str(folder))
    return onnxruntime.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])


def open_model(request: Request) -> OnnxModel:
    """The model of `request`."""
    return OnnxModel(request.model)


def before_softmax(model: onnx.ModelProto) -> dict[str, str]:
    """By output that a softmax makes: the name of the softmax's input."""
    makers = {name: node for node in model.graph.node for name in node.output}
    found = {}
    for output in model.graph.output:
        node = makers.get(output.name)
        while node is not None and node.op_type in _TRANSPARENT:
            node = makers.get(node.input[0])
        if node is not None and node.op_type == "Softmax":
            found[output.name] = node.input[0]
    return found


def ports_of(model: onnx.ModelProto) -> tuple[Port, ...]:
    """The inputs of a model, without a session."""
    constants = {each.name for each in model.graph.initializer}
    ports = tuple(
        Port(
            each.name,
            tuple(dim.dim_value if dim.dim_value > 0 else None for dim in each.type.tensor_type.shape.dim),
            _name_of(each.type.tensor_type.elem_type),
        )
        for each in model.graph.input
        if each.name not in constants
    )
    return reaching(model, ports)


def _name_of(kind: int) -> str:
    """Numpy's name of a type; `string` for text."""
    return "string" if kind == onnx.TensorProto.STRING else onnx.helper.tensor_dtype_to_np_dtype(kind).name


def _port(one: Any) -> Port:
    inner = one.type.removeprefix("tensor(").removesuffix(")")
    dims = tuple(size if isinstance(size, int) and size > 0 else None for size in one.shape)
    return Port(one.name, dims, _TYPES.get(inner, inner))
