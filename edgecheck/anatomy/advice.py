"""What would make a model smaller, and by how many bytes: computed from its tensors, not guessed."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import Enum

from edgecheck.anatomy.dtypes import dense_size
from edgecheck.anatomy.duplicates import Repeated, repeated
from edgecheck.anatomy.formats import ModelFormat
from edgecheck.anatomy.values import Anatomy, Kind, Role, Tensor

#: Converters quantise weights of at least this many elements; smaller ones, and vectors, stay as they are.
_SMALLEST_QUANTISED = 1024
#: Advice that saves less than this share of the file is left out.
_SMALLEST_SHARE = 0.005
#: Rows from which a table counts as a vocabulary.
_MANY_ROWS = 1000
#: Operators that look up rows of a table, in lower case and without underscores.
_LOOKUPS = ("gather", "embedding", "embeddinglookup", "hashtablelookup", "gatherv2", "resourcegather")
#: Files of boosted trees, which their libraries write in one way.
_BOOSTERS = (ModelFormat.XGBOOST, ModelFormat.LIGHTGBM, ModelFormat.CATBOOST)
#: Formats whose floats have no smaller variant: their libraries compute in the types in which they learned.
_FIXED_TYPES = (ModelFormat.PICKLE, ModelFormat.JOBLIB, ModelFormat.SKOPS, *_BOOSTERS)
#: Domain of the operators of trees and linear models: their numbers are attributes, which have only one float type.
_TREES = "ai.onnx.ml."
#: Formats whose filters have their output channels on the last axis; the others have them on the first.
_CHANNELS_LAST = (ModelFormat.KERAS, ModelFormat.HDF5, ModelFormat.SAVED_MODEL)


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


@dataclass(frozen=True, slots=True, kw_only=True)
class Advice:
    """One way to make the model smaller."""

    means: Means
    saves: int
    """Bytes."""
    of: Saved
    sentence: str
    measured: bool = False
    """Whether the weights themselves were read; otherwise it follows from types and shapes alone."""


def advise(anatomy: Anatomy, copies: Iterable[Repeated] | None = None) -> tuple[Advice, ...]:
    """What would save bytes on this model, the most effective first.

    Args:
        anatomy: The model.
        copies: The result of `repeated`; by default it is computed, which reads the tensors that may be equal.

    Raises:
        ModelError: the model's file is no longer there.
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
    """Weights that are stored as plain arrays, which could be written in a smaller type."""
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
    if anatomy.format in _FIXED_TYPES:
        return _no_advice(Means.FLOAT16)
    floats = [tensor for tensor in _weights(anatomy) if tensor.dtype in ("float32", "float64")]
    saves = sum(tensor.stored - tensor.stored * 16 // _bits(tensor) for tensor in floats)
    sentence = f"float16 weights take half the bytes of float32: {_tensors(len(floats))}."
    return Advice(means=Means.FLOAT16, saves=saves, of=Saved.SIZE, sentence=sentence)


def _no_advice(means: Means) -> Advice:
    return Advice(means=means, saves=0, of=Saved.SIZE, sentence="")


def _tensors(count: int) -> str:
    return "1 tensor" if count == 1 else f"{count:,} tensors"


def _bits(tensor: Tensor) -> int:
    return 8 * dense_size(tensor.dtype, 1)


def _int8(anatomy: Anatomy) -> Advice:
    """One byte for each weight of a matrix or a filter, and a scale of four bytes for each of its channels."""
    last_axis = anatomy.format in _CHANNELS_LAST
    if anatomy.format in _FIXED_TYPES:
        return _no_advice(Means.INT8)
    saves = count = 0
    for tensor in _weights(anatomy):
        if "float" not in tensor.dtype or len(tensor.shape) < 2 or tensor.elements < _SMALLEST_QUANTISED:  # noqa: PLR2004
            continue
        share = tensor.stored / max(1, tensor.memory)
        saved = tensor.stored - round(tensor.elements * share) - 4 * _channels(tensor, last_axis=last_axis)
        if saved > 0:
            saves, count = saves + saved, count + 1
    sentence = f"int8 weights take a byte each, and four more for each channel's scale: {_tensors(count)}."
    return Advice(means=Means.INT8, saves=saves, of=Saved.SIZE, sentence=sentence)


def _channels(tensor: Tensor, *, last_axis: bool) -> int:
    return tensor.shape[-1] if last_axis or tensor.shape[0] == 1 else tensor.shape[0]


def _deduplicate(copies: Iterable[Repeated]) -> Advice:
    wasteful = [group for group in copies if group.wasted]
    saves = sum(group.wasted for group in wasteful)
    names = ", ".join(" = ".join(group.names[:2]) for group in wasteful[:3])
    sentence = f"Weights are stored more than once, {_tensors(len(wasteful))} of them: {names}."
    return Advice(means=Means.DEDUPLICATE, saves=saves, of=Saved.SIZE, sentence=sentence, measured=True)


def _drop(anatomy: Anatomy, role: Role) -> Advice:
    means, sentence = {
        Role.OPTIMIZER: (Means.DROP_OPTIMIZER, "The optimiser's state is for training only: save the weights alone."),
        Role.UNUSED: (Means.DROP_UNUSED, "Storage that no tensor uses was saved: save `tensor.clone()` of slices."),
    }[role]
    saves = sum(tensor.stored for tensor in anatomy.tensors if tensor.role is role)
    return Advice(means=means, saves=saves, of=Saved.SIZE, sentence=sentence)


def _vocabulary(anatomy: Anatomy) -> Advice:
    """Half of the rows of the largest table, in the table and in every other tensor with an axis of that length."""
    tables = [tensor for tensor in anatomy.tensors if _is_table(tensor)]
    if not tables:
        return _no_advice(Means.VOCABULARY)
    largest = max(tables, key=lambda tensor: tensor.stored)
    rows = largest.shape[0]
    linked = [tensor for tensor in anatomy.tensors if rows in tensor.shape and tensor.role is not Role.OPTIMIZER]
    stored = sum(tensor.stored for tensor in linked)
    sentence = (
        f"Halve the {rows:,} rows of {largest.name}: each takes {stored / rows:,.0f} bytes in {_tensors(len(linked))}."
    )
    return Advice(means=Means.VOCABULARY, saves=stored // 2, of=Saved.SIZE, sentence=sentence)


def _is_table(tensor: Tensor) -> bool:
    if not tensor.shape or tensor.shape[0] < _MANY_ROWS:
        return False
    if tensor.role is Role.VOCABULARY:
        return True
    user = tensor.operator.lower().replace("_", "").rpartition("aten.")[2].partition(".")[0]
    looked_up = user in _LOOKUPS or "embed" in tensor.name.lower()
    return tensor.role is Role.WEIGHT and len(tensor.shape) == 2 and looked_up  # noqa: PLR2004 - a table


def _strip(anatomy: Anatomy) -> Advice:
    if anatomy.format in _BOOSTERS:
        return _no_advice(Means.STRIP_METADATA)
    parts = [part for file in anatomy.files for part in file.parts if part.kind is Kind.METADATA]
    largest = sorted(parts, key=lambda part: -part.size)[:3]
    sentence = "Nothing at run time needs its metadata: " + ", ".join(part.what for part in largest) + "."
    saves = sum(part.size for part in parts)
    return Advice(means=Means.STRIP_METADATA, saves=saves, of=Saved.SIZE, sentence=sentence)


def _raw_data(anatomy: Anatomy) -> Advice:
    """ONNX's typed fields take one to ten bytes per number; raw_data takes the size of the type."""
    wide = [
        tensor
        for tensor in anatomy.tensors
        if tensor.encoding in ("varint", "unpacked")
        and tensor.role is Role.WEIGHT
        and not tensor.operator.startswith(_TREES)
    ]
    saves = sum(max(0, tensor.stored - tensor.memory) for tensor in wide)
    sentence = f"Weights are written number by number in {_tensors(len(wide))}."
    return Advice(means=Means.RAW_DATA, saves=saves, of=Saved.SIZE, sentence=sentence)
