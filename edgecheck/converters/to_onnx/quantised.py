"""`.onnx` to int8 `.onnx` by onnxruntime's quantisers: dynamic, and full integer with calibration."""

from __future__ import annotations

import math
import tempfile
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from onnx import numpy_helper
from onnxruntime import GraphOptimizationLevel, InferenceSession, SessionOptions
from onnxruntime.quantization import CalibrationDataReader, QuantFormat, QuantType, quantize_dynamic, quantize_static

from edgecheck.converters import pruning
from edgecheck.converters.interface import Made, Request
from edgecheck.converters.samples import feeds
from edgecheck.converters.sources import onnx_file
from edgecheck.converters.sources.onnx_runner import ports_of
from edgecheck.converters.to_onnx.from_onnx import PER_CHANNEL, load_pruned, raise_opset
from edgecheck.errors import ConversionError

#: What int8-dynamic quantises. Not convolutions: ConvInteger was 4 to 13 times slower than float ones on x86-64.
_DYNAMIC = ("MatMul", "Gemm", "Attention", "LSTM", "Gather", "EmbedLayerNormalization")

#: The first opset that onnxruntime quantises: older ones have Upsample, which newer ones do not.
_OLDEST = 11

#: Operators with a bias, and its position among their inputs.
_BIASED, _BIAS = ("Conv", "ConvTranspose", "Gemm"), 2


def convert_dynamic(request: Request, folder: Path) -> Made:
    """Write the model with int8 weights, and activations that are quantised while it runs.

    Raises:
        ConversionError: the model has no operator that this quantises.
    """
    source = load_pruned(request)
    found = _dynamic_operators(source.model)
    convolutions = sum(node.op_type in ("Conv", "ConvTranspose") for node in source.model.graph.node)
    if not found:
        raise ConversionError(
            f"{request.title} has no operator that int8-dynamic quantises ({', '.join(_DYNAMIC)}).",
            "Its convolutions stay float32 in this variant; use int8-weights, int8 or float16.",
        )
    raise_opset(source, _OLDEST)
    operators = [*found, "MatMul"]  # the quantiser turns Gemm into MatMul before it looks for these
    files = _quantised(
        source,
        folder,
        lambda prepared, made, external: quantize_dynamic(
            prepared,
            made,
            op_types_to_quantize=operators,
            weight_type=QuantType.QInt8,
            use_external_data_format=external,
        ),
    )
    notes = (
        (f"Its {convolutions} convolutions stay float32: they run slower with dynamic int8.",) if convolutions else ()
    )
    route = f"onnxruntime {version('onnxruntime')} quantize_dynamic ({', '.join(found)})"
    return Made(files, f"{pruning.prefix(request.prune)}{route}", notes)


def convert_static(request: Request, folder: Path) -> Made:
    """Write the model with int8 weights per channel and calibrated uint8 activations; inputs and outputs stay float.

    Activations are unsigned and weights signed: with both signed, x86-64 was 3.5 times slower.
    """
    source = load_pruned(request)
    raise_opset(source, PER_CHANNEL)
    if _copy_shared_biases(source.model):
        source.file = None
    fed = feeds(ports_of(source.model), request)
    files = _quantised(
        source,
        folder,
        lambda prepared, made, external: quantize_static(
            prepared,
            made,
            _Reader(fed.each),
            quant_format=QuantFormat.QDQ,
            per_channel=True,
            activation_type=QuantType.QUInt8,
            weight_type=QuantType.QInt8,
            use_external_data_format=external,
        ),
    )
    route = f"onnxruntime {version('onnxruntime')} quantize_static, calibrated on {fed.words}"
    return Made(files, f"{pruning.prefix(request.prune)}{route}", fed.notes)


def _dynamic_operators(model: onnx.ModelProto) -> list[str]:
    """The model's operators with weights that int8-dynamic quantises."""
    weights = set(onnx_file.weights(model))
    used = {node.op_type for node in model.graph.node if weights.intersection(node.input)}
    return sorted(used & set(_DYNAMIC))


def _copy_shared_biases(model: onnx.ModelProto) -> bool:
    """Give every node its own copy of a bias that several share; returns whether there was one.

    The quantiser would copy them itself and append a number to their names. With the names that tf2onnx writes, that is
    the name of another tensor, and the result does not open (basic-pitch's network).
    """
    constants = {each.name: each for each in model.graph.initializer}
    taken: set[str] = set()
    before = len(model.graph.initializer)
    for node in model.graph.node:
        if node.op_type not in _BIASED or len(node.input) <= _BIAS or node.input[_BIAS] not in constants:
            continue
        name = node.input[_BIAS]
        if name in taken:
            copy = model.graph.initializer.add()
            copy.CopyFrom(constants[name])
            copy.name = node.input[_BIAS] = f"{name}/copy_{len(model.graph.initializer)}"
        taken.add(name)
    return len(model.graph.initializer) > before


def _flatten_biases(prepared: Path) -> None:
    """Give every Gemm a bias of one number per column: the quantiser of weights per channel fails on any other shape.

    A bias of [1, n], as exporters write it, has the same numbers; a single number is repeated. One with several rows is
    left alone.
    """
    model = onnx.load(prepared, load_external_data=False)  # weights in another file stay there
    constants = {each.name: each for each in model.graph.initializer}
    count = len(constants)
    for node in model.graph.node:
        names = list(node.input)
        if node.op_type != "Gemm" or len(names) <= _BIAS or not {names[1], names[_BIAS]} <= constants.keys():
            continue
        transposed = any(each.name == "transB" and each.i for each in node.attribute)
        columns = constants[names[1]].dims[0 if transposed else 1]
        bias = constants[names[_BIAS]]
        if (flat := _flat_bias(bias, columns)) is not None:
            flat.name = node.input[_BIAS] = f"{bias.name}/flat_{len(model.graph.initializer)}"
            model.graph.initializer.append(flat)
    if len(model.graph.initializer) == count:
        return
    if not any(each.HasField("g") or each.graphs for node in model.graph.node for each in node.attribute):
        used = {name for node in model.graph.node for name in node.input} | {each.name for each in model.graph.output}
        kept = [each for each in model.graph.initializer if each.name in used]
        del model.graph.initializer[:]
        model.graph.initializer.extend(kept)
    onnx.save(model, prepared)


def _flat_bias(bias: onnx.TensorProto, columns: int) -> onnx.TensorProto | None:
    """The bias as one row; None where it is one already or cannot be."""
    if list(bias.dims) == [columns]:
        return None
    flat = onnx.TensorProto()
    flat.CopyFrom(bias)
    if list(bias.dims) == [1, columns]:
        del flat.dims[0]
        return flat
    if math.prod(bias.dims) != 1 or bias.data_location == onnx.TensorProto.EXTERNAL:
        return None
    return numpy_helper.from_array(np.repeat(numpy_helper.to_array(bias).reshape(1), columns))


class _Reader(CalibrationDataReader):  # type: ignore[misc] # onnxruntime has no types
    """The feeds, one by one."""

    def __init__(self, each: tuple[dict[str, Any], ...]) -> None:
        self._rest = iter(each)

    def get_next(self) -> dict[str, Any] | None:
        """The next feed; None at the end."""
        return next(self._rest, None)


def _quantised(
    source: onnx_file.OpenedOnnx, folder: Path, work: Callable[[Path, Path, bool], None]
) -> tuple[Path, ...]:
    """The files that `work` writes, from a model whose constants are computed and batch norms folded.

    Args:
        source: What to quantise, empty afterwards; the result has external weights if this has.
        folder: Where the result goes.
        work: Reads the first path and writes the second; the third says whether weights are external.
    """
    with tempfile.TemporaryDirectory() as scratch:
        external, file = source.external, source.file
        if file is None:
            file, *others = onnx_file.save(source.model, Path(scratch), external=external)
            external = bool(others)
        prepared = Path(scratch) / "prepared.onnx"
        source.model = onnx.ModelProto()  # it is on disk, and its weights take as much memory as the quantiser's
        _fold(file, prepared, external=external)
        _flatten_biases(prepared)
        made = folder / "model.onnx"
        work(prepared, made, source.external)
    return onnx_file.named_by_content(made)


def _fold(file: Path, prepared: Path, *, external: bool) -> None:
    """Write the model that onnxruntime would run: constants computed, batch norms folded.

    `quant_pre_process` does the same, but reads the model three times and writes it twice. It would also infer shapes,
    which the quantisers do again.
    """
    options = SessionOptions()
    options.log_severity_level = 4
    options.graph_optimization_level = GraphOptimizationLevel.ORT_ENABLE_BASIC
    options.optimized_model_filepath = str(prepared)
    if external:
        options.add_session_config_entry(
            "session.optimized_model_external_initializers_file_name", f"{prepared.name}.data"
        )
    InferenceSession(file, options, providers=["CPUExecutionProvider"])
