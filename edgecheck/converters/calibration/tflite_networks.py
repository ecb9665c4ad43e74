"""Writes the networks as `.tflite` files in float32 and in int8, directly with the format's schema."""

from __future__ import annotations

import math
import zlib
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import flatbuffers  # type: ignore[import-untyped] # it has no stubs
import numpy as np
from ai_edge_litert import schema_py_generated as schema

from edgecheck.converters.calibration.layers import (
    GAIN,
    INT8_DEVIATION,
    Convolution,
    Dense,
    Depthwise,
    Doubling,
    Layer,
    Network,
    write_all,
)
from edgecheck.converters.interface import Made, Request

if TYPE_CHECKING:
    from numpy.typing import NDArray

#: The scale of int8 activations.
_ACTIVATION_SCALE = 0.05

#: Versions of the int8 operators (TensorFlow's `tools/versioning/op_version.cc`); those of float operators are 1.
_INT8_VERSIONS = {"CONV_2D": 3, "DEPTHWISE_CONV_2D": 3, "FULLY_CONNECTED": 4, "ADD": 2}
_SAME, _RELU = schema.Padding.SAME, schema.ActivationFunctionType.RELU


def make(request: Request, folder: Path) -> Made:
    """Write the `NETWORKS` that `request.inputs` names, or all if it names none: `NAME-float` and `NAME-int8`."""
    return write_all(request, folder, ".tflite", written)


def written(name: str, network: Network, *, is_int8: bool) -> bytes:
    """One network as a file's content; always the same, since its weights are seeded with its name."""
    graph = _Graph(random=np.random.default_rng(zlib.crc32(name.encode())), is_int8=is_int8)
    graph.value(network.input, _ACTIVATION_SCALE)
    for layer in network.layers:
        graph.add(layer)
    return graph.packed()


@dataclass(slots=True, kw_only=True)
class _Graph:
    """The graph so far; the next layer takes the last tensor that is a value."""

    random: np.random.Generator
    is_int8: bool
    tensors: list[Any] = field(default_factory=list)
    buffers: list[Any] = field(default_factory=lambda: [schema.BufferT()])
    codes: dict[str, int] = field(default_factory=dict)
    steps: list[Any] = field(default_factory=list)
    shape: tuple[int, ...] = ()
    scale: float = 0.0
    last: int = -1

    def value(self, shape: tuple[int, ...], scale: float) -> int:
        """Add a tensor that is computed, or the input."""
        kind = schema.TensorType.INT8 if self.is_int8 else schema.TensorType.FLOAT32
        self.shape, self.scale = shape, scale
        self.last = self._tensor(shape, kind, scale, 0)
        return self.last

    def add(self, layer: Layer) -> None:
        """Add a layer on top."""
        source, scale = self.last, self.scale
        if isinstance(layer, Doubling):
            operands, shape = [source, source], self.shape
            scale *= 2  # the sum of two such tensors has twice their range
        else:
            weights, outputs, shape = self._sizes(layer)
            operands, scale = [source, *self._weights(weights, outputs)], _ACTIVATION_SCALE
        operator, kind, options = _options(layer)
        step = schema.OperatorT()
        step.opcodeIndex = self.codes.setdefault(operator, len(self.codes))
        step.inputs, step.outputs = operands, [self.value(shape, scale)]
        step.builtinOptionsType, step.builtinOptions = kind, options
        self.steps.append(step)

    def _sizes(self, layer: Convolution | Depthwise | Dense) -> tuple[tuple[int, ...], int, tuple[int, ...]]:
        """The shape of the weights, the number of biases, and the shape of the result."""
        if isinstance(layer, Dense):
            return (layer.units, self.shape[-1]), layer.units, (self.shape[0], layer.units)
        _, height, width, channels = self.shape
        place = (-(-height // layer.stride), -(-width // layer.stride))
        if isinstance(layer, Depthwise):
            return (1, layer.kernel, layer.kernel, channels), channels, (1, *place, channels)
        return (layer.channels, layer.kernel, layer.kernel, channels), layer.channels, (1, *place, layer.channels)

    def _weights(self, shape: tuple[int, ...], outputs: int) -> list[int]:
        """Add weights and biases that keep the spread of the values about constant, in float and in int8."""
        drawn: NDArray[Any]
        bias: NDArray[Any]
        size = GAIN / math.sqrt(math.prod(shape) / outputs)
        if self.is_int8:
            drawn = self.random.integers(-127, 128, shape).astype(np.int8)
            bias = self.random.integers(-1000, 1000, outputs).astype(np.int32)
            kinds = (schema.TensorType.INT8, schema.TensorType.INT32)
        else:
            drawn = (self.random.standard_normal(shape) * size).astype(np.float32)
            bias = (self.random.standard_normal(outputs) / 10).astype(np.float32)
            kinds = (schema.TensorType.FLOAT32, schema.TensorType.FLOAT32)
        scale = size / INT8_DEVIATION
        return [
            self._tensor(each.shape, kind, each_scale, self._buffer(each))
            for each, kind, each_scale in zip([drawn, bias], kinds, (scale, self.scale * scale), strict=True)
        ]

    def _buffer(self, array: NDArray[Any]) -> int:
        buffer = schema.BufferT()
        buffer.data = np.frombuffer(array.tobytes(), np.uint8)
        self.buffers.append(buffer)
        return len(self.buffers) - 1

    def _tensor(self, shape: tuple[int, ...], kind: int, scale: float, buffer: int) -> int:
        tensor = schema.TensorT()
        tensor.name, tensor.shape, tensor.type, tensor.buffer = f"t{len(self.tensors)}", list(shape), kind, buffer
        if self.is_int8:
            tensor.quantization = schema.QuantizationParametersT()
            tensor.quantization.scale, tensor.quantization.zeroPoint = [scale], [0]
        self.tensors.append(tensor)
        return len(self.tensors) - 1

    def packed(self) -> bytes:
        """The file's content."""
        graph, model = schema.SubGraphT(), schema.ModelT()
        graph.tensors, graph.operators, graph.inputs, graph.outputs = self.tensors, self.steps, [0], [self.last]
        model.version, model.buffers, model.subgraphs = 3, self.buffers, [graph]
        model.operatorCodes = [_code(name, self.is_int8) for name in self.codes]
        builder = flatbuffers.Builder(1 << 16)
        builder.Finish(model.Pack(builder), b"TFL3")
        return bytes(builder.Output())


def _code(name: str, is_int8: bool) -> Any:  # noqa: FBT001 - a property of the graph, passed on
    code = schema.OperatorCodeT()
    code.builtinCode = code.deprecatedBuiltinCode = getattr(schema.BuiltinOperator, name)
    code.version = _INT8_VERSIONS[name] if is_int8 else 1
    return code


def _options(layer: Layer) -> tuple[str, int, Any]:
    """The operator's name, the type of its options, and the options."""
    kinds = schema.BuiltinOptions
    if isinstance(layer, Doubling):
        return "ADD", kinds.AddOptions, schema.AddOptionsT()
    if isinstance(layer, Dense):
        dense = schema.FullyConnectedOptionsT()
        dense.fusedActivationFunction = _RELU
        return "FULLY_CONNECTED", kinds.FullyConnectedOptions, dense
    if isinstance(layer, Depthwise):
        options, operator, kind = schema.DepthwiseConv2DOptionsT(), "DEPTHWISE_CONV_2D", kinds.DepthwiseConv2DOptions
        options.depthMultiplier = 1
    else:
        options, operator, kind = schema.Conv2DOptionsT(), "CONV_2D", kinds.Conv2DOptions
    options.padding, options.fusedActivationFunction = _SAME, _RELU
    options.strideW = options.strideH = layer.stride
    return operator, kind, options
