"""SavedModel to float32 `.onnx` by tf2onnx."""

from __future__ import annotations

from importlib.metadata import version
from typing import TYPE_CHECKING

import tf2onnx

from edgecheck.converters.interface import Made, Request
from edgecheck.converters.sources import saved_model
from edgecheck.converters.sources.frozen_graph import Frozen, as_function

if TYPE_CHECKING:
    from pathlib import Path


def convert(request: Request, folder: Path) -> Made:
    """Convert the signature that TensorFlow 2 loads."""
    return _converted(folder, saved_model.frozen(request), "")


def convert_session(request: Request, folder: Path) -> Made:
    """Convert the signature that a v1 session loads."""
    return _converted(folder, saved_model.frozen_session(request), ", from a v1 session")


def _converted(folder: Path, frozen: Frozen, way: str) -> Made:
    made = folder / "model.onnx"
    graph = as_function(frozen).graph.as_graph_def()
    tf2onnx.convert.from_graph_def(
        graph,
        input_names=[f"{port.name}:0" for port in frozen.ports],
        output_names=[f"{name}:0" for name in frozen.outputs],
        output_path=str(made),
    )
    return Made((made,), f"tf2onnx {version('tf2onnx')}{way}")
