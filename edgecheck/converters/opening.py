"""Whether what a converter wrote can be opened: some converters write files that no runtime takes."""

from __future__ import annotations

from importlib.util import find_spec
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path


def ensure_opens(file: Path) -> None:
    """Open a model in this machine's runtime, where it has one; any other file passes.

    Raises:
        RuntimeError: the runtime refuses it.
    """
    if file.suffix == ".onnx" and find_spec("onnxruntime") is not None:
        _open_onnx(file)
    if file.suffix == ".tflite" and find_spec("ai_edge_litert") is not None:
        _open_tflite(file)


def _open_onnx(file: Path) -> None:
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    try:
        onnxruntime.InferenceSession(file, options, providers=["CPUExecutionProvider"])
    except Exception as error:
        raise RuntimeError(f"it wrote a file that onnxruntime does not open ({_in_a_line(error)})") from error


def _open_tflite(file: Path) -> None:
    from ai_edge_litert.interpreter import Interpreter

    try:
        Interpreter(model_path=str(file)).allocate_tensors()
    except (RuntimeError, ValueError) as error:
        raise RuntimeError(f"it wrote a file that LiteRT does not open ({_in_a_line(error)})") from error


def _in_a_line(error: Exception) -> str:
    return " ".join(str(error).split())[:300]
