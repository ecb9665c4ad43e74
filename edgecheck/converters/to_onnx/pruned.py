"""`.onnx` to float32 `.onnx`: only pruned."""

from __future__ import annotations

from typing import TYPE_CHECKING

from onnx import numpy_helper, version_converter

from edgecheck.converters.interface import Made, Request
from edgecheck.converters.pruning import is_kernel, pruned
from edgecheck.converters.sources import onnx_file

if TYPE_CHECKING:
    from pathlib import Path

    from edgecheck.converters.interface import Request

# RF-SECTION opening: What every route from `.onnx` begins with: the model opened, and pruned where that is asked for.

#: The first opset whose QuantizeLinear and DequantizeLinear know channels.
PER_CHANNEL = 13


def opened(request: Request) -> onnx_file.Opened:
    """The model of `request`, pruned as it says.

    Raises:
        ConversionError: it has no float32 weights.
    """
    source = onnx_file.load(request.model)
    weights = onnx_file.float_weights(source.model, request.title)
    if request.prune:
        source.file = None
        for tensor in weights.values():
            if is_kernel(tuple(tensor.dims)):
                onnx_file.replace_tensor(tensor, pruned(numpy_helper.to_array(tensor), request.prune))
    return source


def raise_opset(source: onnx_file.Opened, least: int) -> None:
    """Convert the model to this version of ONNX's operators if it is written in an older one."""
    if next(each.version for each in source.model.opset_import if each.domain in ("", "ai.onnx")) < least:
        source.model, source.file = version_converter.convert_version(source.model, least), None


def pruning_words(request: Request) -> str:
    """What was done before the conversion, for the route's text."""
    return f"{request.prune:.0%} of the weights pruned by magnitude, then " if request.prune else ""


def convert(request: Request, folder: Path) -> Made:
    """Write the pruned model."""
    source = opened(request)
    files = onnx_file.save(source.model, folder, external=source.external)
    return Made(files, f"{request.prune:.0%} of the weights pruned by magnitude")
