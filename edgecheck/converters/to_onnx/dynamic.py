"""`.onnx` to `.onnx` with int8 weights, and activations quantised as they come (onnxruntime's quantiser)."""

from __future__ import annotations

from importlib.metadata import version
from typing import TYPE_CHECKING

from onnxruntime.quantization import QuantType, quantize_dynamic

from edgecheck.converters.interface import Made, Request
from edgecheck.converters.sources import onnx_file
from edgecheck.converters.to_onnx.pruned import opened, pruning_words, raise_opset
from edgecheck.converters.to_onnx.quantiser import quantised
from edgecheck.errors import ConversionError

if TYPE_CHECKING:
    from pathlib import Path

    import onnx

#: Convolutions stay float32: ConvInteger was 4 to 13 times slower than the float convolution on x86-64.
OPERATORS = ("MatMul", "Gemm", "Attention", "LSTM", "Gather", "EmbedLayerNormalization")

#: The first opset in which onnxruntime quantises: older ones have Upsample, which newer ones have no more.
_OLDEST = 11


def convert(request: Request, folder: Path) -> Made:
    """Write the quantised model.

    Raises:
        ConversionError: the model has no operator that this quantises.
    """
    source = opened(request)
    found = _quantisable(source.model)
    convolutions = sum(node.op_type in ("Conv", "ConvTranspose") for node in source.model.graph.node)
    if not found:
        raise ConversionError(
            f"{request.title} has no operator that int8-dynamic quantises ({', '.join(OPERATORS)}).",
            "Its convolutions stay float32 in this variant; ask for int8-weights, int8 or float16.",
        )
    raise_opset(source, _OLDEST)
    operators = [*found, "MatMul"]  # the quantiser makes MatMul of Gemm first, and then looks for what it was told
    files = quantised(
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
        (f"Its {convolutions} convolutions stay float32: int8 ones of this kind are slower.",) if convolutions else ()
    )
    route = f"onnxruntime {version('onnxruntime')} quantize_dynamic ({', '.join(found)})"
    return Made(files, f"{pruning_words(request)}{route}", notes)


def _quantisable(model: onnx.ModelProto) -> list[str]:
    """The operators with weights that are quantised."""
    weights = set(onnx_file.weights(model))
    used = {node.op_type for node in model.graph.node if weights.intersection(node.input)}
    return sorted(used & set(OPERATORS))
