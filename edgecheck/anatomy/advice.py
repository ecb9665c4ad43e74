"""What would make this file smaller, and by how many bytes: computed from its tensors, not guessed."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING

from edgecheck.anatomy.dtypes import dense_size
from edgecheck.anatomy.duplicates import repeated
from edgecheck.anatomy.formats import ModelFormat
from edgecheck.anatomy.values import Kind, Role

if TYPE_CHECKING:
    from collections.abc import Iterable

    from edgecheck.anatomy.duplicates import Repeated
    from edgecheck.anatomy.values import Anatomy, Tensor

_SMALLEST_QUANTISED = 1024
"""Elements from which converters quantise a weight; smaller ones, and vectors, stay as they are."""
_SMALLEST_SHARE = 0.005
"""Advice that saves less than this share of the file is left out."""
_MANY_ROWS = 1000
_LOOKUPS = ("gather", "embedding", "embeddinglookup", "hashtablelookup", "gatherv2", "resourcegather")
_CONVERTIBLE = (ModelFormat.PICKLE, ModelFormat.JOBLIB, ModelFormat.SKOPS)
"""Formats whose floats have no smaller variant: scikit-learn computes in the types that it learned."""
_TREES = "ai.onnx.ml."
"""Operators of trees and linear models: their numbers are attributes, for which there is one type."""
_CHANNELS_LAST = (ModelFormat.KERAS, ModelFormat.HDF5, ModelFormat.SAVED_MODEL)
"""Formats whose filters have their output channels on the last axis; the others' have them on the first."""


class Means(str, Enum):
    """How to save bytes."""

    FLOAT16 = "float16"
    INT8 = "int8"
    GZIP = "gzip"
    PRUNE = "prune"
    DEDUPLICATE = "deduplicate"
    VOCABULARY = "vocabulary"
    DROP_OPTIMIZER = "drop-optimizer"
    DROP_UNUSED = "drop-unused"
    STRIP_METADATA = "strip-metadata"
    RAW_DATA = "raw-data"
    COMPRESS = "compress"


class Saved(str, Enum):
    """What gets smaller."""

    SIZE = "size"
    DOWNLOAD = "download"


@dataclass(frozen=True, slots=True)
class Advice:
    """One way to make the model smaller."""

    means: Means
    saves: int
    """Bytes."""
    of: Saved
    sentence: str
    measured: bool = False
    """Whether the weights themselves were looked at; else it follows from types and shapes alone."""


def advise(anatomy: Anatomy, copies: Iterable[Repeated] | None = None) -> tuple[Advice, ...]:
    """What would save bytes on this file, the most first, without reading its weights.

    Args:
        anatomy: The model.
        copies: What `repeated` found; it is looked for when it is not given, which reads what may be equal.
    """
    found = repeated(anatomy) if copies is None else copies
    advice = [
        _float16(anatomy),
        _int8(anatomy),
        _deduplicate(found),
        _drop(anatomy, Role.OPTIMIZER),
        _drop(anatomy, Role.UNUSED),
        _vocabulary(anatomy),
        _strip(anatomy),
        _raw_data(anatomy),
    ]
    least = _SMALLEST_SHARE * anatomy.size
    return tuple(sorted((each for each in advice if each.saves > least), key=lambda each: -each.saves))


def _weights(anatomy: Anatomy) -> list[Tensor]:
    """Weights with bytes of their own, as an array that could be written smaller."""
    plain = ("", "unpacked", "big-endian")
    return [
        tensor
        for tensor in anatomy.tensors
        if tensor.role is Role.WEIGHT
        and tensor.stored
        and tensor.encoding in plain
        and not tensor.operator.startswith(_TREES)
    ]


def _float16(anatomy: Anatomy) -> Advice:
    if anatomy.format in _CONVERTIBLE:
        return Advice(Means.FLOAT16, 0, Saved.SIZE, "")
    floats = [tensor for tensor in _weights(anatomy) if tensor.dtype in ("float32", "float64")]
    saves = sum(tensor.stored - tensor.stored * 16 // _bits(tensor) for tensor in floats)
    sentence = f"float16 weights take half the bytes of float32: {_tensors(len(floats))}."
    return Advice(Means.FLOAT16, saves, Saved.SIZE, sentence)


def _tensors(count: int) -> str:
    return "1 tensor" if count == 1 else f"{count:,} tensors"


def _bits(tensor: Tensor) -> int:
    return 8 * dense_size(tensor.dtype, 1)


def _int8(anatomy: Anatomy) -> Advice:
    """A byte for each weight of a matrix or a filter, and a scale of four bytes for each of its channels."""
    last_axis = anatomy.format in _CHANNELS_LAST
    if anatomy.format in _CONVERTIBLE:
        return Advice(Means.INT8, 0, Saved.SIZE, "")
    saves = count = 0
    for tensor in _weights(anatomy):
        if "float" not in tensor.dtype or len(tensor.shape) < 2 or tensor.elements < _SMALLEST_QUANTISED:  # noqa: PLR2004
            continue
        share = tensor.stored / max(1, tensor.memory)
        saved = tensor.stored - round(tensor.elements * share) - 4 * _channels(tensor, last_axis=last_axis)
        if saved > 0:
            saves, count = saves + saved, count + 1
    sentence = f"int8 weights take a byte each, and four more for each channel's scale: {_tensors(count)}."
    return Advice(Means.INT8, saves, Saved.SIZE, sentence)


def _channels(tensor: Tensor, *, last_axis: bool) -> int:
    return tensor.shape[-1] if last_axis or tensor.shape[0] == 1 else tensor.shape[0]


def _deduplicate(copies: Iterable[Repeated]) -> Advice:
    wasteful = [group for group in copies if group.wasted]
    saves = sum(group.wasted for group in wasteful)
    names = ", ".join(" = ".join(group.names[:2]) for group in wasteful[:3])
    sentence = f"Weights are stored more than once, {_tensors(len(wasteful))} of them: {names}."
    return Advice(Means.DEDUPLICATE, saves, Saved.SIZE, sentence, measured=True)


def _drop(anatomy: Anatomy, role: Role) -> Advice:
    means, what = {
        Role.OPTIMIZER: (Means.DROP_OPTIMIZER, "The optimiser's state is for training only: save the weights alone."),
        Role.UNUSED: (Means.DROP_UNUSED, "Storage that no tensor uses was saved: save `tensor.clone()` of slices."),
    }[role]
    saves = sum(tensor.stored for tensor in anatomy.tensors if tensor.role is role)
    return Advice(means, saves, Saved.SIZE, what)


def _vocabulary(anatomy: Anatomy) -> Advice:
    """Half of the rows of the largest table: of it, and of every tensor with an axis of that length."""
    tables = [tensor for tensor in anatomy.tensors if _is_table(tensor)]
    if not tables:
        return Advice(Means.VOCABULARY, 0, Saved.SIZE, "")
    largest = max(tables, key=lambda tensor: tensor.stored)
    rows = largest.shape[0]
    linked = [tensor for tensor in anatomy.tensors if rows in tensor.shape and tensor.role is not Role.OPTIMIZER]
    stored = sum(tensor.stored for tensor in linked)
    sentence = (
        f"Half as many of the {rows:,} rows of {largest.name}: each takes {stored / rows:,.0f} bytes "
        f"in {_tensors(len(linked))}."
    )
    return Advice(Means.VOCABULARY, stored // 2, Saved.SIZE, sentence)


def _is_table(tensor: Tensor) -> bool:
    if not tensor.shape or tensor.shape[0] < _MANY_ROWS:
        return False
    if tensor.role is Role.VOCABULARY:
        return True
    user = tensor.operator.lower().replace("_", "").rpartition("aten.")[2].partition(".")[0]
    looked_up = user in _LOOKUPS or "embed" in tensor.name.lower()
    return tensor.role is Role.WEIGHT and len(tensor.shape) == 2 and looked_up  # noqa: PLR2004 - a table


def _strip(anatomy: Anatomy) -> Advice:
    parts = [part for file in anatomy.files for part in file.parts if part.kind is Kind.METADATA]
    largest = sorted(parts, key=lambda part: -part.size)[:3]
    sentence = "Nothing at run time needs its metadata: " + ", ".join(part.what for part in largest) + "."
    return Advice(Means.STRIP_METADATA, sum(part.size for part in parts), Saved.SIZE, sentence)


def _raw_data(anatomy: Anatomy) -> Advice:
    """ONNX's typed fields take one to ten bytes a number where raw_data takes the type's own size."""
    wide = [
        tensor
        for tensor in anatomy.tensors
        if tensor.encoding in ("varint", "unpacked")
        and tensor.role is Role.WEIGHT
        and not tensor.operator.startswith(_TREES)
    ]
    saves = sum(max(0, tensor.stored - tensor.memory) for tensor in wide)
    return Advice(Means.RAW_DATA, saves, Saved.SIZE, f"Weights are written number by number in {_tensors(len(wide))}.")
