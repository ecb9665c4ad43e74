"""`.onnx` to float32 `.onnx`: only pruned."""

from __future__ import annotations

from typing import TYPE_CHECKING

from edgecheck.converters.interface import Made, Request
from edgecheck.converters.sources import onnx_file
from edgecheck.converters.to_onnx.opening import opened

if TYPE_CHECKING:
    from pathlib import Path


def convert(request: Request, folder: Path) -> Made:
    """Write the pruned model."""
    source = opened(request)
    files = onnx_file.save(source.model, folder, external=source.external)
    return Made(files, f"{request.prune:.0%} of the weights pruned by magnitude")
