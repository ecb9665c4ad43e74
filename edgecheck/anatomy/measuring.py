"""How the weights' bytes look: zeros and entropy, and what gzip and pruning would save, measured on a sample."""

from __future__ import annotations

import zlib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

import numpy as np

from edgecheck.anatomy.advice import Advice, Means, Saved
from edgecheck.anatomy.contents import Contents
from edgecheck.anatomy.dtypes import dense_count
from edgecheck.anatomy.formats import ModelFormat
from edgecheck.anatomy.values import Anatomy, Role, Tensor

#: gzip looks back 32 KiB: a sample of this size compresses as well as the complete tensor.
BLOCK = 32 << 10
#: Bytes of a model that are compressed to estimate the rest, and the least of each tensor: part of a second.
_SAMPLED, _LEAST = 8 << 20, 4 << 10
#: gzip's default level.
_LEVEL = 6
_FLOATS = {"float64": "<f8", "float32": "<f4", "float16": "<f2"}
_INTEGERS = {"int8": "i1", "uint8": "u1", "int16": "<i2", "uint16": "<u2", "int32": "<i4", "int64": "<i8"}

#: The share of weights that pruning usually removes at little cost.
_PRUNED = 0.5
#: Bytes of a model that are pruned and compressed to estimate the rest.
_PRUNED_SAMPLE = 4 << 20
#: Elements of a tensor that is worth pruning.
_SMALLEST_PRUNED = 1024
_PRUNABLE = {**_FLOATS, "int8": "i1"}
#: Formats that joblib also loads when they are compressed: the file itself gets smaller, not only its download.
_LOADED_COMPRESSED = (ModelFormat.PICKLE, ModelFormat.JOBLIB)


@dataclass(frozen=True, slots=True, kw_only=True)
class Measured:
    """Properties of a tensor's bytes."""

    zeros: float | None
    """The share of elements that are zero; `None` when the elements are encoded or of an unknown type."""
    entropy: float
    """Bits of information per byte, by how often each byte value occurs in the sample: 8 is noise, 0 is one value."""
    gzip: int
    """Bytes after gzip."""
    exact: bool
    """Whether `gzip` was measured on all bytes, or estimated from a sample."""


def measure(anatomy: Anatomy, indices: Iterable[int] | None = None) -> Mapping[int, Measured]:
    """The measured tensors by their index in `anatomy.tensors`, in one pass over the file.

    Args:
        anatomy: The model.
        indices: The tensors to measure, all of them by default; those that share another tensor's bytes are left out.

    Raises:
        ModelError: the model's file is no longer there.
    """
    chosen = range(len(anatomy.tensors)) if indices is None else indices
    stored = [index for index in chosen if anatomy.tensors[index].places and not anatomy.tensors[index].shares]
    total = sum(_size(anatomy.tensors[index]) for index in stored)
    share = min(1.0, _SAMPLED / total) if total else 1.0
    with Contents(anatomy) as contents:
        return {index: _measured(anatomy.tensors[index], contents, share) for index in stored}


def advise_compression(anatomy: Anatomy, measured: Mapping[int, Measured]) -> tuple[Advice, ...]:
    """What gzip would save, and what gzip would save after pruning half of the weights.

    Args:
        anatomy: The model.
        measured: The result of `measure`.

    Raises:
        ModelError: the model's file is no longer there.
    """
    stored = sum(anatomy.tensors[index].stored for index in measured)
    left = sum(each.gzip for each in measured.values())
    saves = max(0, stored - left)
    if anatomy.format in _LOADED_COMPRESSED and not anatomy.streams:
        means, of, sentence = Means.COMPRESS, Saved.SIZE, "joblib.dump(..., compress=3) writes it compressed."
    else:
        percent = 100 * saves / max(1, stored)
        means, of = Means.GZIP, Saved.DOWNLOAD
        sentence = f"gzip removes {percent:.0f} % of the weights' bytes."
    gzip = Advice(means=means, saves=saves, of=of, sentence=sentence, measured=True)
    return tuple(each for each in (gzip, _prune(anatomy, measured)) if each.saves > 0)


def _measured(tensor: Tensor, contents: Contents, share: float) -> Measured:
    zeros = elements = 0
    for piece in contents.pieces(tensor):
        found = _zeros(tensor, piece)
        zeros, elements = zeros + found[0], elements + found[1]
    if tensor.encoding == "sparse":  # the first place holds the values, the others their positions
        zeros, elements = tensor.elements - dense_count(tensor.dtype, tensor.places[0].size), tensor.elements
    size = _size(tensor)
    blocks = list(_sample(tensor, contents, share))
    sampled = sum(map(len, blocks))
    exact = sampled == size
    left = _compressed(b"".join(blocks)) if exact else sum(map(_compressed, blocks))
    estimate = min(size, round(left * size / max(1, sampled)))
    return Measured(
        zeros=zeros / elements if elements else None,
        entropy=_entropy(blocks),
        gzip=left if exact else estimate,
        exact=exact,
    )


def _size(tensor: Tensor) -> int:
    return sum(place.size for place in tensor.places)


def _sample(tensor: Tensor, contents: Contents, share: float) -> Iterator[bytes]:
    """Blocks spread evenly over a tensor: all of it when `share` is 1, and a few kilobytes of it at least."""
    for place in tensor.places:
        wanted = min(place.size, max(_LEAST, round(place.size * share)))
        size = min(BLOCK, max(wanted, _LEAST))
        count = max(1, wanted // size) if share < 1 else -(-place.size // size)
        for number in range(count):
            start = number * (place.size // size) // count * size if share < 1 else number * size
            yield contents.read(place, place.start + start, min(size, place.size - start))


def _zeros(tensor: Tensor, piece: bytes) -> tuple[int, int]:
    """How many elements of a piece are zero, and how many it has; (0, 0) when they are encoded."""
    if tensor.encoding:
        return 0, 0
    if tensor.dtype == "bfloat16":
        bits = np.frombuffer(piece, "<u2", len(piece) // 2) & 0x7FFF  # without the sign: -0 is zero, too
        return int(bits.size - np.count_nonzero(bits)), bits.size
    code = _FLOATS.get(tensor.dtype) or _INTEGERS.get(tensor.dtype)
    if code is None:
        return 0, 0
    dtype = np.dtype(code)
    values = np.frombuffer(piece, dtype, len(piece) // dtype.itemsize)
    return int(values.size - np.count_nonzero(values)), values.size


def _entropy(blocks: list[bytes]) -> float:
    histogram = sum(
        (np.bincount(np.frombuffer(block, np.uint8), minlength=256) for block in blocks), start=np.zeros(256, np.int64)
    )
    counts = histogram[histogram > 0]
    if not counts.size:
        return 0.0
    shares = counts / counts.sum()
    return float(abs(-(shares * np.log2(shares)).sum()))


def _compressed(block: bytes) -> int:
    return len(zlib.compress(block, _LEVEL))


def _prune(anatomy: Anatomy, measured: Mapping[int, Measured]) -> Advice:
    """Zero the smallest half of each large weight: what gzip saves then beyond what it saves now."""
    large = [index for index in measured if _is_prunable(anatomy.tensors[index])]
    total = sum(anatomy.tensors[index].stored for index in large)
    share = min(1.0, _PRUNED_SAMPLE / total) if total else 1.0
    saves = 0
    with Contents(anatomy) as contents:
        for index in large:
            tensor = anatomy.tensors[index]
            blocks = list(_sample(tensor, contents, share))
            sampled = sum(map(len, blocks))
            now = sum(_compressed(block) for block in blocks)
            then = sum(_compressed(_pruned(block, tensor.dtype)) for block in blocks)
            saves += round(max(0, now - then) * tensor.stored / max(1, sampled))
    sentence = f"Pruning half of the weights of {len(large)} tensors, then gzip: in addition to gzip alone."
    return Advice(means=Means.PRUNE, saves=saves, of=Saved.DOWNLOAD, sentence=sentence, measured=True)


def _is_prunable(tensor: Tensor) -> bool:
    is_array = tensor.role is Role.WEIGHT and not tensor.encoding and tensor.dtype in _PRUNABLE
    return is_array and len(tensor.shape) > 1 and tensor.elements >= _SMALLEST_PRUNED


def _pruned(block: bytes, dtype: str) -> bytes:
    code = np.dtype(_PRUNABLE[dtype])
    values = np.frombuffer(block, code, len(block) // code.itemsize).copy()
    size = np.abs(values.astype(np.float32))
    values[size <= np.quantile(size, _PRUNED)] = 0
    return bytes(values.tobytes())
