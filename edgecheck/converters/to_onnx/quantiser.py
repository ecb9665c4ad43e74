"""onnxruntime's quantisers work from file to file: what goes in, what comes out, and how large it may be."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from onnxruntime.quantization.shape_inference import quant_pre_process

from edgecheck.converters.sources import onnx_file

if TYPE_CHECKING:
    from collections.abc import Callable

    import onnx

    from edgecheck.converters.interface import Request


def quantised(
    model: onnx.ModelProto, request: Request, folder: Path, work: Callable[[Path, Path, bool], None]
) -> tuple[Path, ...]:
    """The files that `work` writes, from a model whose shapes are inferred and whose batch norms are folded.

    Args:
        model: What to quantise.
        request: Whose model it is: its artifact keeps weights beside it if it did.
        folder: Where the result goes.
        work: Reads the first path and writes the second; the third says whether weights go beside it.
    """
    external = onnx_file.is_external(request.model)
    with tempfile.TemporaryDirectory() as scratch:
        whole = onnx_file.save(model, Path(scratch), like=request.model)
        prepared = Path(scratch) / "prepared.onnx"
        quant_pre_process(whole[0], prepared, skip_symbolic_shape=True, save_as_external_data=len(whole) > 1)
        made = folder / "model.onnx"
        work(prepared, made, external)
    beside = sorted(each for each in folder.iterdir() if each != made)
    return (made, *beside)
