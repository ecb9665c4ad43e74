"""A model's path in, its anatomy out."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, cast

from edgecheck.anatomy.accounting.files import Files
from edgecheck.anatomy.encodings.span import explained
from edgecheck.anatomy.formats import ModelFormat, identify
from edgecheck.anatomy.values import Anatomy

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from edgecheck.anatomy.values import Inside

    Reader = Callable[[Files], Inside]
    """Finds the tensors of one format, and enters every byte that its format explains.

    Raises:
        Damage: the bytes are not what the format says.
    """

_READERS = {
    ModelFormat.TFLITE: "tflite.reader:read_tflite",
    ModelFormat.ONNX: "onnx.reader:read_onnx",
    ModelFormat.SAVED_MODEL: "tensorflow.savedmodel:read_savedmodel",
    ModelFormat.MLPACKAGE: "coreml.mlpackage:read_mlpackage",
    ModelFormat.HDF5: "hdf5.reader:read_hdf5",
    ModelFormat.KERAS: "hdf5.keras:read_keras",
    ModelFormat.SKOPS: "pickles.skops:read_skops",
    ModelFormat.TORCH_ZIP: "torch.archive:read_torch_archive",
    ModelFormat.TORCHSCRIPT: "torch.archive:read_torch_archive",
    ModelFormat.TORCH_LEGACY: "torch.legacy:read_torch_legacy",
    ModelFormat.PT2: "torch.pt2:read_pt2",
    ModelFormat.SAFETENSORS: "torch.safetensors:read_safetensors",
    ModelFormat.PICKLE: "pickles.reader:read_pickled",
    ModelFormat.JOBLIB: "pickles.reader:read_pickled",
}


def read(path: Path) -> Anatomy:
    """What is inside the model at `path`, without loading its weights.

    Raises:
        ModelError: it is not a model, or it is damaged.
    """
    found = identify(path)
    module, _, name = _READERS[found].partition(":")
    reader = cast("Reader", getattr(import_module(f"edgecheck.anatomy.{module}"), name))
    with explained(path), Files(path) as files:
        inside = reader(files)
        return Anatomy(
            path=str(path),
            format=found,
            files=files.settle(),
            tensors=inside.tensors,
            operators=inside.operators,
            notes=inside.notes,
            streams=tuple(files.streams),
        )


def params(path: Path) -> int:
    """Weights that the model stores, wherever they sit; tied and repeated ones once.

    Raises:
        ModelError: it is not a model, or it is damaged.
    """
    return read(path).totals.params
