"""How much of a tensor is zeros, and how much of it gzip would leave."""

from __future__ import annotations

import zlib
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from edgecheck.anatomy.contents import Contents
from edgecheck.anatomy.dtypes import dense_count

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from edgecheck.anatomy.values import Anatomy, Tensor

BLOCK = 32 << 10
"""gzip looks back 32 KiB: a sample of this size compresses as the whole does."""
_SAMPLED, _LEAST = 8 << 20, 4 << 10
"""Bytes of one model, and of each tensor at least, that are compressed to estimate the rest: part of a second."""
_LEVEL = 6
_FLOATS = {"float64": "<f8", "float32": "<f4", "float16": "<f2"}
_INTEGERS = {"int8": "i1", "uint8": "u1", "int16": "<i2", "uint16": "<u2", "int32": "<i4", "int64": "<i8"}


@dataclass(frozen=True, slots=True)
class Measured:
    """What the bytes of a tensor are like."""

    zeros: float | None
    """The share of elements that are zero; `None` where the elements cannot be told apart."""
    entropy: float
    """Bits of information per byte, by how often each byte value occurs in the sample: 8 is noise, 0 is one value."""
    gzip: int
    """Bytes that gzip would leave."""
    exact: bool
    """Whether `gzip` was measured on all bytes, or estimated from a sample."""


def measure(anatomy: Anatomy, indices: Iterable[int] | None = None) -> Mapping[int, Measured]:
    """By index into `anatomy.tensors`: the tensors that have bytes of their own, in one pass over the file."""
    chosen = range(len(anatomy.tensors)) if indices is None else indices
    own = [index for index in chosen if anatomy.tensors[index].places and not anatomy.tensors[index].shares]
    total = sum(_size(anatomy.tensors[index]) for index in own)
    share = min(1.0, _SAMPLED / total) if total else 1.0
    with Contents(anatomy) as contents:
        return {index: _measured(anatomy.tensors[index], contents, share) for index in own}


def sample(tensor: Tensor, contents: Contents, share: float) -> Iterator[bytes]:
    """Blocks spread evenly over a tensor: all of it when `share` is 1, and some kilobytes of it at least."""
    for place in tensor.places:
        wanted = min(place.size, max(_LEAST, round(place.size * share)))
        size = min(BLOCK, max(wanted, _LEAST))
        count = max(1, wanted // size) if share < 1 else -(-place.size // size)
        for number in range(count):
            start = number * (place.size // size) // count * size if share < 1 else number * size
            yield contents.read(place, place.start + start, min(size, place.size - start))


def _measured(tensor: Tensor, contents: Contents, share: float) -> Measured:
    zeros = elements = 0
    for piece in contents.pieces(tensor):
        found = _zeros(tensor, piece)
        zeros, elements = zeros + found[0], elements + found[1]
    if tensor.encoding == "sparse":  # the first place holds the values, the others say where they belong
        zeros, elements = tensor.elements - dense_count(tensor.dtype, tensor.places[0].size), tensor.elements
    size = _size(tensor)
    blocks = list(sample(tensor, contents, share))
    sampled = sum(map(len, blocks))
    exact = sampled == size
    left = len(zlib.compress(b"".join(blocks), _LEVEL)) if exact else sum(map(_compressed, blocks))
    estimate = min(size, round(left * size / max(1, sampled)))
    return Measured(zeros / elements if elements else None, _entropy(blocks), left if exact else estimate, exact)


def _compressed(block: bytes) -> int:
    return len(zlib.compress(block, _LEVEL))


def _zeros(tensor: Tensor, piece: bytes) -> tuple[int, int]:
    """How many elements of a piece are zero, and how many there are; none where they are encoded."""
    if tensor.encoding:
        return 0, 0
    if tensor.dtype == "bfloat16":
        bits = np.frombuffer(piece, "<u2", len(piece) // 2) & 0x7FFF
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


def _size(tensor: Tensor) -> int:
    return sum(place.size for place in tensor.places)
