"""`.onnx` to full integer `.onnx`: int8 weights per channel, uint8 activations, calibrated (onnxruntime)."""

from __future__ import annotations

from importlib.metadata import version
from typing import TYPE_CHECKING, Any

from onnxruntime.quantization import CalibrationDataReader, QuantFormat, QuantType, quantize_static

from edgecheck.converters.interface import Made, Request
from edgecheck.converters.samples import feeds
from edgecheck.converters.sources.onnx_runner import ports_of
from edgecheck.converters.to_onnx.pruned import PER_CHANNEL, opened, pruning_words, raise_opset
from edgecheck.converters.to_onnx.quantiser import quantised

if TYPE_CHECKING:
    from pathlib import Path

    import onnx

_BIASED, _BIAS = ("Conv", "ConvTranspose", "Gemm"), 2


def convert(request: Request, folder: Path) -> Made:
    """Write the quantised model; its inputs and outputs keep their types.

    Activations are unsigned and weights signed: on x86-64 both signed was 3.5 times slower.
    """
    source = opened(request)
    raise_opset(source, PER_CHANNEL)
    if _own_biases(source.model):
        source.file = None
    fed = feeds(ports_of(source.model), request)
    files = quantised(
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
    notes = ("Calibrated on random inputs: with `samples` it agrees better.",) if fed.seeded else ()
    route = f"onnxruntime {version('onnxruntime')} quantize_static, calibrated on {fed.words}"
    return Made(files, f"{pruning_words(request)}{route}", notes)


def _own_biases(model: onnx.ModelProto) -> bool:
    """Give every node its own copy of a bias that it shares with others; whether one did.

    The quantiser makes the copies itself, and names them by appending a number: with the names that tf2onnx gives, that
    is the name of another tensor (basic-pitch's network, whose result then does not open).
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


class _Reader(CalibrationDataReader):  # type: ignore[misc] # onnxruntime has no types
    """The feeds, one by one."""

    def __init__(self, each: tuple[dict[str, Any], ...]) -> None:
        self._rest = iter(each)

    def get_next(self) -> dict[str, Any] | None:
        """The next feed; None at the end."""
        return next(self._rest, None)
