"""PyTorch to float32 `.tflite` by litert-torch, which does not take TorchScript."""

from __future__ import annotations

from importlib.metadata import version
from pathlib import Path

import litert_torch

from edgecheck.converters.interface import Made, Request
from edgecheck.converters.samples import shapes_of
from edgecheck.converters.sources.torch_model import open_model


def convert(request: Request, folder: Path) -> Made:
    """Convert with a batch of one; the axes stay in the network's order."""
    model = open_model(request)
    made = folder / "model.tflite"
    arguments = model.arguments(shapes_of(model.ports, request), 1)
    litert_torch.convert(model.module, arguments).export(str(made))
    return Made((made,), f"litert-torch {version('litert-torch')}, the batch fixed to 1", model.notes)
