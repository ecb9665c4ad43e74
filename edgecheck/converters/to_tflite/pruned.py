"""`.tflite` to float32 `.tflite`, only pruned; kept apart from `quantised` so that it does not import the quantiser."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from edgecheck.converters import pruning
from edgecheck.converters.interface import Made, Request
from edgecheck.converters.sources import tflite_file


def convert(request: Request, folder: Path) -> Made:
    """Write the pruned model."""
    made = folder / "model.tflite"
    tflite_file.save(load_pruned(request), made)
    return Made((made,), pruning.words(request.prune))


def load_pruned(request: Request) -> Any:
    """The model of `request`, with the requested share of its weights pruned.

    Raises:
        ConversionError: it has no float32 weights.
    """
    model = tflite_file.load(request.model)
    weights = tflite_file.float_weights(model, request.title)
    if request.prune:
        for weight in weights:
            if pruning.is_kernel(tuple(weight.tensor.shape)):
                weight.replace(pruning.pruned(weight.values(), request.prune))
    return model
