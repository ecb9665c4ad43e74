"""onnxruntime's quantisers work from file to file: what goes in, what comes out, and how large it may be."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import onnx
from onnxruntime import GraphOptimizationLevel, InferenceSession, SessionOptions

from edgecheck.converters.sources import onnx_file

if TYPE_CHECKING:
    from collections.abc import Callable


def quantised(source: onnx_file.Opened, folder: Path, work: Callable[[Path, Path, bool], None]) -> tuple[Path, ...]:
    """The files that `work` writes, from a model whose batch norms are folded.

    Args:
        source: What to quantise, empty afterwards; the result keeps weights beside it if this does.
        folder: Where the result goes.
        work: Reads the first path and writes the second; the third says whether weights go beside it.
    """
    with tempfile.TemporaryDirectory() as scratch:
        external, file = source.external, source.file
        if file is None:
            file, *beside = onnx_file.save(source.model, Path(scratch), external=external)
            external = bool(beside)
        prepared = Path(scratch) / "prepared.onnx"
        source.model = onnx.ModelProto()  # it is on the disk, and its weights take as much memory as the quantiser's
        _fold(file, prepared, external=external)
        made = folder / "model.onnx"
        work(prepared, made, source.external)
    return onnx_file.named_by_content(made)


def _fold(file: Path, prepared: Path, *, external: bool) -> None:
    """Write what onnxruntime makes of a model before it runs it: constants computed, batch norms folded.

    `quant_pre_process` does this, and around it reads the model three times and writes it twice. It would infer shapes
    too, which the quantisers do again.
    """
    options = SessionOptions()
    options.log_severity_level = 4
    options.graph_optimization_level = GraphOptimizationLevel.ORT_ENABLE_BASIC
    options.optimized_model_filepath = str(prepared)
    if external:
        beside = f"{prepared.name}.data"
        options.add_session_config_entry("session.optimized_model_external_initializers_file_name", beside)
    InferenceSession(file, options, providers=["CPUExecutionProvider"])
