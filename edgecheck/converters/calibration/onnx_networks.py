"""Writes the networks as `.onnx` files in float32 and in int8, the latter with quantisers that runtimes fuse."""

from __future__ import annotations

import math
import zlib
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from onnx import TensorProto, checker, helper, numpy_helper

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

_OPSET, _IR_VERSION = 17, 8

#: The scale and zero point of int8 activations: behind a ReLU all 256 values are above zero.
_ACTIVATION_SCALE, _ZERO = 0.05, -128


def make(request: Request, folder: Path) -> Made:
    """Write the `NETWORKS` that `request.inputs` names, or all if it names none: `NAME-float` and `NAME-int8`."""
    return write_all(request, folder, ".onnx", written)


def written(name: str, network: Network, *, is_int8: bool) -> bytes:
    """One network as a file's content; always the same, since its weights are seeded with its name."""
    shape = network.input
    if len(shape) == len(_IMAGE):
        batch, height, width, channels = shape
        shape = (batch, channels, height, width)
    graph = _Graph(random=np.random.default_rng(zlib.crc32(name.encode())), is_int8=is_int8, shape=shape)
    graph.quantise("input")
    for layer in network.layers:
        graph.add(layer)
    return graph.packed(name, shape)


#: Batch, height, width, channels.
_IMAGE = (0, 1, 2, 3)


@dataclass(slots=True, kw_only=True)
class _Graph:
    """The graph so far; the next layer takes the tensor `last`."""

    random: np.random.Generator
    is_int8: bool
    shape: tuple[int, ...]
    """Of the last tensor: batch, channels, height, width; or rows and length."""
    nodes: list[Any] = field(default_factory=list)
    constants: list[Any] = field(default_factory=list)
    last: str = "input"

    def add(self, layer: Layer) -> None:
        """Add a layer on top."""
        if isinstance(layer, Doubling):
            self._step("Add", [self.last, self.last])
        elif isinstance(layer, Dense):
            self._step("Gemm", [self.last, *self._weights((self.shape[-1], layer.units), self.shape[-1], layer.units)])
            self._step("Relu", [self.last])
            self.shape = (self.shape[0], layer.units)
        else:
            self._convolve(layer)
        self.quantise(self.last)

    def _convolve(self, layer: Convolution | Depthwise) -> None:
        batch, channels, height, width = self.shape
        depthwise = isinstance(layer, Depthwise)
        outputs = channels if isinstance(layer, Depthwise) else layer.channels
        weights = (outputs, 1 if depthwise else channels, layer.kernel, layer.kernel)
        operands = [self.last, *self._weights(weights, math.prod(weights[1:]), outputs)]
        strides = [layer.stride, layer.stride]
        group = channels if depthwise else 1
        self._step("Conv", operands, auto_pad="SAME_UPPER", strides=strides, group=group)
        self._step("Relu", [self.last])
        self.shape = (batch, outputs, -(-height // layer.stride), -(-width // layer.stride))

    def quantise(self, name: str) -> None:
        """Round the tensor to int8 and back, in an int8 network: runtimes compute in int8 between two of these."""
        if self.is_int8:
            scale = self._constant(np.array(_ACTIVATION_SCALE, np.float32))
            zero = self._constant(np.array(_ZERO, np.int8))
            self._step("QuantizeLinear", [name, scale, zero])
            self._step("DequantizeLinear", [self.last, scale, zero])

    def _weights(self, shape: tuple[int, ...], inputs: int, outputs: int) -> list[str]:
        """Add weights and biases that keep the spread of the values about constant, in float and in int8."""
        size = GAIN / math.sqrt(inputs)
        if not self.is_int8:
            drawn = (self.random.standard_normal(shape) * size).astype(np.float32)
            bias = (self.random.standard_normal(outputs) / 10).astype(np.float32)
            return [self._constant(drawn), self._constant(bias)]
        scale = size / INT8_DEVIATION
        integers = self.random.integers(-127, 128, shape).astype(np.int8)
        biases = self.random.integers(-1000, 1000, outputs).astype(np.int32)
        return [self._as_float(integers, scale), self._as_float(biases, scale * _ACTIVATION_SCALE)]

    def _as_float(self, integers: NDArray[Any], scale: float) -> str:
        given = [integers, np.array(scale, np.float32), np.zeros((), integers.dtype)]
        kept, self.last = self.last, ""
        self._step("DequantizeLinear", [self._constant(each) for each in given])
        name, self.last = self.last, kept
        return name

    def _constant(self, array: NDArray[Any]) -> str:
        name = f"c{len(self.constants)}"
        self.constants.append(numpy_helper.from_array(array, name))
        return name

    def _step(self, operator: str, inputs: list[str], **attributes: Any) -> None:
        self.last = f"t{len(self.nodes)}"
        self.nodes.append(helper.make_node(operator, inputs, [self.last], **attributes))

    def packed(self, name: str, shape: tuple[int, ...]) -> bytes:
        """The file's content."""
        given = helper.make_tensor_value_info("input", TensorProto.FLOAT, shape)
        result = helper.make_tensor_value_info(self.last, TensorProto.FLOAT, self.shape)
        graph = helper.make_graph(self.nodes, name, [given], [result], self.constants)
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", _OPSET)], ir_version=_IR_VERSION)
        checker.check_model(model)
        return bytes(model.SerializeToString(deterministic=True))
