"""`.onnx` files: opened whole for a change, run by onnxruntime."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import onnx
from onnx import numpy_helper

from edgecheck.converters.model_files import sha256
from edgecheck.errors import ConversionError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

#: Operators whose constant inputs of two axes and more are weights, and where.
WEIGHTS = {"Conv": (1,), "ConvTranspose": (1,), "Gemm": (0, 1), "MatMul": (0, 1), "LSTM": (1, 2), "GRU": (1, 2)} | {
    "RNN": (1, 2),
    "Gather": (0,),
}

_APART = 4
"""The first IR version in which weights need not be inputs."""
_BESIDE = "model.onnx.data"
"""How every writer of weights beside a `model.onnx` calls their file."""

#: A protobuf message ends at 2 GiB: from here on weights go beside it.
_MOST_INSIDE = 1_900_000_000


@dataclass(slots=True)
class Opened:
    """A model to be changed."""

    model: onnx.ModelProto
    external: bool
    """Whether it keeps weights in other files."""
    file: Path | None
    """The file that holds this very model; None once it is changed."""


def load(path: Path) -> Opened:
    """The model with its weights as initialisers of raw bytes, wherever they were: in constant nodes, in other files.

    Quantisers look at initialisers only, and some exporters write none (PP-OCR's). What lies in a list of floats
    becomes a list of varints as float16, which takes half as much again.
    """
    model = onnx.load(path, load_external_data=False)
    external = any(each.data_location == onnx.TensorProto.EXTERNAL for each in model.graph.initializer)
    onnx.load_external_data_for_model(model, str(path.parent))
    changed = [_initialised(model), _brought_up_to_date(model)]
    return Opened(model, external, None if any(changed) else path)


def _brought_up_to_date(model: onnx.ModelProto) -> bool:
    """Take weights from the inputs, where files before IR 4 list them too; whether there was something to do.

    Converters take what is listed there for activations.
    """
    weights = {each.name for each in model.graph.initializer}
    inputs = [each for each in model.graph.input if each.name not in weights]
    if len(inputs) == len(model.graph.input) and model.ir_version >= _APART:
        return False
    model.ir_version = max(model.ir_version, _APART)
    del model.graph.input[:]
    model.graph.input.extend(inputs)
    return True


def _initialised(model: onnx.ModelProto) -> bool:
    """Make initialisers of raw bytes of all constants; whether there was something to do."""
    kept = []
    for node in model.graph.node:
        tensor = next((each.t for each in node.attribute if each.name == "value"), None)
        if node.op_type == "Constant" and tensor is not None and node.domain in ("", "ai.onnx"):
            tensor.name = node.output[0]
            model.graph.initializer.append(tensor)
        else:
            kept.append(node)
    listed = [
        tensor
        for tensor in model.graph.initializer
        if not tensor.HasField("raw_data") and tensor.data_type == onnx.TensorProto.FLOAT
    ]
    moved = len(kept) < len(model.graph.node)
    if moved:
        del model.graph.node[:]
        model.graph.node.extend(kept)
    for tensor in listed:
        replace_tensor(tensor, numpy_helper.to_array(tensor))
    return moved or bool(listed)


def save(model: onnx.ModelProto, folder: Path, *, external: bool) -> tuple[Path, ...]:
    """Write `model.onnx`, its weights beside it where that is wished or they are too large for one file."""
    made = folder / "model.onnx"
    if model.ByteSize() < _MOST_INSIDE and not external:
        onnx.save(model, made)
        return (made,)
    onnx.save(model, made, save_as_external_data=True, location=_BESIDE, size_threshold=1024)
    return named_by_content(made)


def named_by_content(made: Path) -> tuple[Path, ...]:
    """The file, and what `made` keeps beside it under a name that no other weights have.

    Several artifacts may come to lie in one folder, and each names its weights by the name of their file alone.
    """
    beside = made.with_name(_BESIDE)
    if not beside.exists():
        return (made,)
    named = beside.with_name(f"weights-{sha256(beside)[:16]}.data")
    model = onnx.load(made, load_external_data=False)
    for tensor in _initialisers(model.graph):
        for entry in tensor.external_data:
            if entry.key == "location":
                entry.value = named.name
    onnx.save(model, made)
    beside.rename(named)
    return made, named


def _initialisers(graph: onnx.GraphProto) -> Iterator[onnx.TensorProto]:
    """Those of the graph and of the branches in it."""
    yield from graph.initializer
    for attribute in (each for node in graph.node for each in node.attribute):
        for branch in (attribute.g, *attribute.graphs):
            yield from _initialisers(branch)


def weights(model: onnx.ModelProto) -> dict[str, onnx.TensorProto]:
    """The initialisers that are weights of convolutions, products, recurrences and tables, by name."""
    initialisers = {each.name: each for each in model.graph.initializer}
    used = dict.fromkeys(
        node.input[place]
        for node in model.graph.node
        for place in WEIGHTS.get(node.op_type, ())
        if place < len(node.input) and node.input[place] in initialisers
    )
    return {name: initialisers[name] for name in used}


def float_weights(model: onnx.ModelProto, name: str) -> dict[str, onnx.TensorProto]:
    """The weights that are float32.

    Raises:
        ConversionError: there are none: the model is quantised, halved, or has no weights of this kind at all.
    """
    found = {key: each for key, each in weights(model).items() if each.data_type == onnx.TensorProto.FLOAT}
    if found:
        return found
    if any(node.op_type.startswith("TreeEnsemble") for node in model.graph.node):
        raise ConversionError(
            f"{name} is made of decision trees, whose thresholds are no weights that could be made smaller.",
            "Use `float32`; fewer or shallower trees make it smaller.",
        )
    if weights(model) or any("Integer" in node.op_type or "QLinear" in node.op_type for node in model.graph.node):
        raise ConversionError(
            f"{name} holds no float32 weights: it is converted already.",
            "Give the float32 model that it was made from.",
        )
    raise ConversionError(
        f"{name} has no weights in {', '.join(WEIGHTS)}, and nothing else is converted.", "Use `float32`."
    )


def replace_tensor(tensor: onnx.TensorProto, values: Any) -> None:
    """Give an initialiser other values under its name."""
    tensor.CopyFrom(numpy_helper.from_array(np.ascontiguousarray(values), tensor.name))
