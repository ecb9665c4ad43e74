"""What every route from `.onnx` begins with: the model opened, and pruned where that is asked for."""

from __future__ import annotations

from typing import TYPE_CHECKING

from onnx import numpy_helper

from edgecheck.converters.pruning import is_kernel, pruned
from edgecheck.converters.sources import onnx_file

if TYPE_CHECKING:
    from edgecheck.converters.interface import Request


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


def pruning_words(request: Request) -> str:
    """What was done before the conversion, for the route's text."""
    return f"{request.prune:.0%} of the weights pruned by magnitude, then " if request.prune else ""
