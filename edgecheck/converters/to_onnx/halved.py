"""`.onnx` to float16 `.onnx`: weights and computation in half precision, inputs and outputs as they were."""

from __future__ import annotations

from importlib.metadata import version
from typing import TYPE_CHECKING

from onnxruntime.transformers.float16 import convert_float_to_float16

from edgecheck.converters.interface import Made, Request
from edgecheck.converters.sources import onnx_file
from edgecheck.converters.to_onnx.opening import opened, pruning_words

if TYPE_CHECKING:
    from pathlib import Path


def convert(request: Request, folder: Path) -> Made:
    """Write the halved model."""
    source = opened(request)
    model = convert_float_to_float16(source.model, keep_io_types=True)
    files = onnx_file.save(model, folder, external=source.external)
    return Made(files, f"{pruning_words(request)}onnxruntime {version('onnxruntime')} float16")
