"""Reads a model of any format into its anatomy."""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import cast

from edgecheck.anatomy.accounting.files import Files
from edgecheck.anatomy.encodings.span import explained
from edgecheck.anatomy.formats import ModelFormat, identify
from edgecheck.anatomy.values import Anatomy, Inside

#: Reads one format: returns the tensors and claims every byte that the format explains. Raises `Damage` when the bytes
#: are not what the format says, and `Unread` when they are a variant of it that is not read here.
Reader = Callable[[Files], Inside]

#: Modules, and readers in them; only the one in use is imported.
_READERS = {
    ModelFormat.TFLITE: "tflite.constants:read_tflite",
    ModelFormat.ONNX: "onnx.weights:read_onnx",
    ModelFormat.SAVED_MODEL: "tensorflow.savedmodel:read_savedmodel",
    ModelFormat.MLPACKAGE: "coreml:read_mlpackage",
    ModelFormat.HDF5: "hdf5.keras:read_hdf5",
    ModelFormat.KERAS: "hdf5.keras:read_keras",
    ModelFormat.SKOPS: "pickles.skops:read_skops",
    ModelFormat.TORCH_ZIP: "torch.saved:read_torch_archive",
    ModelFormat.TORCHSCRIPT: "torch.saved:read_torch_archive",
    ModelFormat.TORCH_LEGACY: "torch.saved:read_torch_legacy",
    ModelFormat.PT2: "torch.pt2:read_pt2",
    ModelFormat.SAFETENSORS: "torch.safetensors:read_safetensors",
    ModelFormat.PICKLE: "pickles.pickled:read_pickled",
    ModelFormat.JOBLIB: "pickles.pickled:read_pickled",
    ModelFormat.XGBOOST: "boosters:read_xgboost",
    ModelFormat.LIGHTGBM: "boosters:read_lightgbm",
    ModelFormat.CATBOOST: "boosters:read_catboost",
}


def read(path: Path) -> Anatomy:
    """The anatomy of the model at `path`, without loading its weights.

    Raises:
        ModelError: it is not a model, or it is damaged.
    """
    found = identify(path)
    module, _, name = _READERS[found].partition(":")
    reader = cast("Reader", getattr(import_module(f"edgecheck.anatomy.{module}"), name))
    with explained(path), Files(path) as files:
        inside = reader(files)
        accounts, tensors = files.settle(inside.tensors)
        return Anatomy(
            path=str(path),
            format=found,
            files=accounts,
            tensors=tensors,
            operators=inside.operators,
            notes=inside.notes,
            streams=files.streams,
        )


def params(path: Path) -> int:
    """The number of weights in the model, wherever they are stored; tied and repeated ones count once.

    Raises:
        ModelError: it is not a model, or it is damaged.
    """
    return read(path).totals.params
