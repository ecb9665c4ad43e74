"""`.onnx` files: opened with all their weights to be changed, and saved again."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnx.inliner
from onnx import numpy_helper

from edgecheck.converters.model_files import sha256
from edgecheck.converters.refusals import already_converted, nothing_to_convert
from edgecheck.converters.sources import onnx_constants
from edgecheck.errors import ConversionError

#: By operator: the positions of the inputs that are weights, if they are constants of two axes or more.
WEIGHTS = {
    "Conv": (1,),
    "ConvTranspose": (1,),
    "Gemm": (0, 1),
    "MatMul": (0, 1),
    "LSTM": (1, 2),
    "GRU": (1, 2),
    "RNN": (1, 2),
    "Gather": (0,),
    "Einsum": (0, 1),
}

#: The first IR version in which weights need not be inputs.
_SEPARATE_WEIGHTS = 4

#: The name that every writer of external weights gives to their file, next to `model.onnx`.
_EXTERNAL = "model.onnx.data"

#: A protobuf message ends at 2 GiB: larger models, in bytes, get external weights.
MOST_INSIDE = 1_900_000_000


@dataclass(slots=True)
class OpenedOnnx:
    """A model that is open to be changed."""

    model: onnx.ModelProto
    external: bool
    """Whether its weights are in other files."""
    file: Path | None
    """The file that holds exactly this model; None once it is changed."""


def load(path: Path) -> OpenedOnnx:
    """The model with its weights as initialisers of raw bytes, also those in constant nodes and in other files.

    Quantisers only see initialisers, and some exporters write none (PP-OCR's). A list of floats would become a list of
    varints as float16, which takes half as much space again.
    """
    model = onnx.load(path, load_external_data=False)
    external = any(each.data_location == onnx.TensorProto.EXTERNAL for each in model.graph.initializer)
    onnx.load_external_data_for_model(model, str(path.parent))
    model, inlined = _inlined(model)
    changed = [inlined, _initialised(model), _brought_up_to_date(model), onnx_constants.folded(model)]
    return OpenedOnnx(model, external, None if any(changed) else path)


def _brought_up_to_date(model: onnx.ModelProto) -> bool:
    """Remove weights from the inputs, where files before IR 4 list them too; returns whether there were any.

    Converters would take them for activations.
    """
    weights = {each.name for each in model.graph.initializer}
    inputs = [each for each in model.graph.input if each.name not in weights]
    if len(inputs) == len(model.graph.input) and model.ir_version >= _SEPARATE_WEIGHTS:
        return False
    model.ir_version = max(model.ir_version, _SEPARATE_WEIGHTS)
    del model.graph.input[:]
    model.graph.input.extend(inputs)
    return True


def _inlined(model: onnx.ModelProto) -> tuple[onnx.ModelProto, bool]:
    """The model with its local functions in its graph, where their weights can be seen; and whether it had any."""
    if not model.functions:
        return model, False
    return onnx.inliner.inline_local_functions(model), True


def _initialised(model: onnx.ModelProto) -> bool:
    """Turn all constants into initialisers of raw bytes; returns whether anything changed."""
    kept = []
    for node in model.graph.node:
        tensor = onnx_constants.of_node(node)
        if tensor is not None:
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
    """Write `model.onnx`; its weights become `external` on request, or if they are too large for one file."""
    made = folder / "model.onnx"
    if model.ByteSize() < MOST_INSIDE and not external:
        onnx.save(model, made)
        return (made,)
    onnx.save(model, made, save_as_external_data=True, location=_EXTERNAL, size_threshold=1024)
    return named_by_content(made)


def named_by_content(made: Path) -> tuple[Path, ...]:
    """The files of the model `made`, after its external weights got a name made from their hash.

    Several artifacts may be placed in one folder, and each refers to its weights by file name only.
    """
    external = made.with_name(_EXTERNAL)
    if not external.exists():
        return (made,)
    named = external.with_name(f"weights-{sha256(external)[:16]}.data")
    model = onnx.load(made, load_external_data=False)
    for tensor in (each for graph in onnx_constants.graphs(model.graph) for each in graph.initializer):
        for entry in tensor.external_data:
            if entry.key == "location":
                entry.value = named.name
    onnx.save(model, made)
    external.rename(named)
    return made, named


def weights(model: onnx.ModelProto) -> dict[str, onnx.TensorProto]:
    """By name: the initialisers that are weights of convolutions, products, recurrent layers and tables."""
    initialisers = {each.name: each for each in model.graph.initializer}
    used = dict.fromkeys(
        node.input[place]
        for graph in onnx_constants.graphs(model.graph)
        for node in graph.node
        for place in WEIGHTS.get(node.op_type, ())
        if place < len(node.input) and node.input[place] in initialisers
    )
    return {name: initialisers[name] for name in used}


def float_weights(model: onnx.ModelProto, title: str) -> dict[str, onnx.TensorProto]:
    """The weights that are float32.

    Raises:
        ConversionError: there are none: the model is quantised, float16, or has no such weights at all.
    """
    found = {key: each for key, each in weights(model).items() if each.data_type == onnx.TensorProto.FLOAT}
    if found:
        return found
    if any(node.op_type.startswith("TreeEnsemble") for node in model.graph.node):
        raise ConversionError(
            f"{title} consists of decision trees, whose thresholds cannot be made smaller.",
            "Use `float32`; fewer or shallower trees make it smaller.",
        )
    if any(each.data_type == onnx.TensorProto.DOUBLE for each in weights(model).values()):
        raise ConversionError(
            f"{title} holds float64 weights, which edgecheck does not convert.",
            "Export it in float32, which halves it already: in torch, model.float() before the export.",
        )
    if weights(model) or any("Integer" in node.op_type or "QLinear" in node.op_type for node in model.graph.node):
        raise already_converted(title, "no float32 weights")
    raise nothing_to_convert(title, f"has no weights in {', '.join(WEIGHTS)}, and nothing else is converted")


def replace_tensor(tensor: onnx.TensorProto, values: Any) -> None:
    """Replace the values of an initialiser."""
    tensor.CopyFrom(numpy_helper.from_array(np.ascontiguousarray(values), tensor.name))
