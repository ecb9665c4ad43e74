"""SavedModel to float32 `.onnx` by tf2onnx."""

from __future__ import annotations

from importlib.metadata import version
from typing import TYPE_CHECKING

from edgecheck.converters.interface import Made, Request
from edgecheck.converters.sources import saved_model
from edgecheck.converters.to_onnx.from_graph import converted, save

if TYPE_CHECKING:
    from pathlib import Path

    from edgecheck.converters.sources.frozen_graph import Frozen


def convert(request: Request, folder: Path) -> Made:
    """Convert the signature that TensorFlow 2 loads."""
    return _made(folder, saved_model.frozen(request), "")


def convert_session(request: Request, folder: Path) -> Made:
    """Convert the signature that a v1 session loads."""
    return _made(folder, saved_model.frozen_session(request), ", from a v1 session")


def _made(folder: Path, frozen: Frozen, way: str) -> Made:
    return Made(save(converted(frozen), folder), f"tf2onnx {version('tf2onnx')}{way}")
