"""`.tflite` to float32 `.tflite`: only pruned."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from edgecheck.converters.interface import Made, Request
from edgecheck.converters.pruning import is_kernel, pruned
from edgecheck.converters.sources import tflite_file

if TYPE_CHECKING:
    from pathlib import Path


def convert(request: Request, folder: Path) -> Made:
    """Write the pruned model."""
    made = folder / "model.tflite"
    tflite_file.save(opened(request), made)
    return Made((made,), f"{request.prune:.0%} of the weights pruned by magnitude")


def opened(request: Request) -> Any:
    """The model of `request`, pruned as it says.

    Raises:
        ConversionError: it has no float32 weights.
    """
    model = tflite_file.load(request.model)
    weights = tflite_file.float_weights(model, request.title)
    if request.prune:
        for weight in weights:
            if is_kernel(tuple(weight.tensor.shape)):
                weight.replace(pruned(weight.values(), request.prune))
    return model
