"""What compression would save on this file, by compressing a sample of its weights, as they are and pruned."""

from __future__ import annotations

import zlib
from typing import TYPE_CHECKING

import numpy as np

from edgecheck.anatomy.advice import Advice, Means, Saved
from edgecheck.anatomy.contents import Contents
from edgecheck.anatomy.formats import ModelFormat
from edgecheck.anatomy.measuring import Measured, sample
from edgecheck.anatomy.values import Role

if TYPE_CHECKING:
    from collections.abc import Mapping

    from edgecheck.anatomy.values import Anatomy, Tensor

_PRUNED = 0.5
"""The share of weights that pruning usually costs little to remove."""
_SAMPLED = 4 << 20
_SMALLEST = 1024
_LEVEL = 6
_CODES = {"float32": "<f4", "float16": "<f2", "float64": "<f8", "int8": "i1"}
_LOADED_COMPRESSED = (ModelFormat.PICKLE, ModelFormat.JOBLIB)
"""Formats that joblib loads compressed as well: the file itself gets smaller, not only its download."""


def advise_compression(anatomy: Anatomy, measured: Mapping[int, Measured]) -> tuple[Advice, ...]:
    """gzip, and gzip after pruning half of the weights.

    Args:
        anatomy: The model.
        measured: What `measure` found.

    Raises:
        ModelError: the model's file is no longer there.
    """
    stored = sum(anatomy.tensors[index].stored for index in measured)
    left = sum(each.gzip for each in measured.values())
    smaller = max(0, stored - left)
    if anatomy.format in _LOADED_COMPRESSED and not anatomy.streams:
        gzip = Advice(
            Means.COMPRESS, smaller, Saved.SIZE, "joblib.dump(..., compress=3) writes it compressed.", measured=True
        )
    else:
        percent = 100 * smaller / max(1, stored)
        gzip = Advice(
            Means.GZIP,
            smaller,
            Saved.DOWNLOAD,
            f"gzip leaves out {percent:.0f} % of the weights' bytes.",
            measured=True,
        )
    return tuple(each for each in (gzip, _prune(anatomy, measured)) if each.saves > 0)


def _prune(anatomy: Anatomy, measured: Mapping[int, Measured]) -> Advice:
    """Zeros in place of the smallest half of each large weight: what gzip leaves then, against what it leaves now."""
    large = [index for index in measured if _prunable(anatomy.tensors[index])]
    total = sum(anatomy.tensors[index].stored for index in large)
    share = min(1.0, _SAMPLED / total) if total else 1.0
    saves = 0
    with Contents(anatomy) as contents:
        for index in large:
            tensor = anatomy.tensors[index]
            blocks = list(sample(tensor, contents, share))
            sampled = sum(map(len, blocks))
            now = sum(_compressed(block) for block in blocks)
            then = sum(_compressed(_pruned(block, tensor.dtype)) for block in blocks)
            saves += round(max(0, now - then) * tensor.stored / max(1, sampled))
    sentence = f"Half of the weights of {len(large)} tensors pruned, and gzip: beyond what gzip alone saves."
    return Advice(Means.PRUNE, saves, Saved.DOWNLOAD, sentence, measured=True)


def _prunable(tensor: Tensor) -> bool:
    is_array = tensor.role is Role.WEIGHT and not tensor.encoding and tensor.dtype in _CODES
    return is_array and len(tensor.shape) > 1 and tensor.elements >= _SMALLEST


def _pruned(block: bytes, dtype: str) -> bytes:
    code = np.dtype(_CODES[dtype])
    values = np.frombuffer(block, code, len(block) // code.itemsize).copy()
    size = np.abs(values.astype(np.float32))
    values[size <= np.quantile(size, _PRUNED)] = 0
    return bytes(values.tobytes())


def _compressed(block: bytes) -> int:
    return len(zlib.compress(block, _LEVEL))
