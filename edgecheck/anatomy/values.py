"""The anatomy of a model as values: files, their parts, tensors, and totals that add up to the byte."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum
from math import prod
from typing import NamedTuple

from edgecheck.anatomy.formats import ModelFormat


class Kind(str, Enum):
    """What a byte is for; every byte of a file has exactly one kind."""

    TENSORS = "tensors"
    """Numbers and strings that were learned or are computed with."""
    STRUCTURE = "structure"
    """What the runtime needs to find and run them: graph, names, shapes, headers, quantisation."""
    METADATA = "metadata"
    """What the runtime can do without: descriptions, producers, training settings, source code for debugging."""
    PADDING = "padding"
    """Filling for the format's alignment, and space that the format reserves or has freed."""
    UNCLAIMED = "unclaimed"
    """Bytes to which nothing in the file points: listed as gaps, never guessed at."""


class Role(str, Enum):
    """What a tensor is for."""

    WEIGHT = "weight"
    """Learned, or statistics of the training: what `params` counts."""
    CONSTANT = "constant"
    """Shapes, axes, indices, scalars of the computation."""
    VOCABULARY = "vocabulary"
    """Strings: words, labels, categories."""
    OPTIMIZER = "optimizer"
    """State of the training that inference never needs."""
    UNUSED = "unused"
    """Stored bytes that belong to no tensor: the rest of a storage of which only a slice was saved."""


class Place(NamedTuple):
    """Where some bytes are."""

    file: int
    """Index into `Anatomy.files`."""
    start: int
    size: int
    stream: int = -1
    """-1, or an index into `Anatomy.streams`: `start` and `size` then count unpacked bytes."""


class Stream(NamedTuple):
    """A compressed part of a file."""

    file: int
    """Index into `Anatomy.files`."""
    start: int
    size: int
    how: str
    """The compression: `zlib`, `gzip`, `deflate`, …"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Tensor:
    """A tensor that the file holds, or that is generated when it is loaded."""

    name: str
    """As the file has it."""
    layer: str
    """Its scope as a path of names, `backbone/block_3/conv`; "" when it has none."""
    operator: str
    """The operator that uses it first, as the format calls it; "" when the format does not say."""
    dtype: str
    """`float32`, `int8`, `bfloat16`, `string`, …"""
    shape: tuple[int, ...]
    role: Role
    stored: int
    """Bytes that it takes in the file; 0 when it shares another tensor's, or is generated on loading."""
    memory: int
    """Bytes once loaded, as a dense array of its type."""
    places: tuple[Place, ...] = ()
    shares: str = ""
    """The name of the tensor whose bytes it uses: tied weights."""
    repeats: str = ""
    """The name of the tensor whose content it stores again, if the file itself shows it: a variable saved twice."""
    encoding: str = ""
    """How its bytes differ from a dense little-endian array: `varint`, `sparse`, `filled`, `zlib`, …"""
    checksum: int = -1
    """The checksum of its content in the file; -1 when there is none."""

    @property
    def elements(self) -> int:
        """Number of elements."""
        return prod(self.shape)

    @property
    def params(self) -> int:
        """Number of weights that it adds to the model: none when it is tied to another tensor or repeats one."""
        return self.elements if self.role is Role.WEIGHT and not self.shares and not self.repeats else 0


class Part(NamedTuple):
    """Bytes of a file with one purpose."""

    kind: Kind
    what: str
    size: int


class Extent(NamedTuple):
    """Bytes `start` to `start + size` of a file."""

    start: int
    size: int


@dataclass(frozen=True, slots=True, kw_only=True)
class FileBytes:
    """The account of one file; the sizes of `parts` always sum to `size`."""

    name: str
    """Relative to the model's folder."""
    size: int
    parts: tuple[Part, ...]
    gaps: tuple[Extent, ...] = ()
    """Unclaimed and freed bytes, the first thousand places."""
    overlaps: tuple[Extent, ...] = ()
    """Bytes that are claimed twice, the first thousand places; each byte is counted once."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Totals:
    """Bytes by kind, which sum to `size`; weights; and bytes once loaded."""

    tensors: int
    structure: int
    metadata: int
    padding: int
    unclaimed: int
    params: int
    memory: int
    """Bytes of all tensors once loaded, as dense arrays: more than `tensors` if weights are generated or unpacked."""

    @property
    def size(self) -> int:
        """Bytes of all files."""
        return self.tensors + self.structure + self.metadata + self.padding + self.unclaimed


@dataclass(frozen=True, slots=True)
class Inside:
    """The result of a reader; with the account of the files it becomes an `Anatomy`."""

    tensors: tuple[Tensor, ...]
    operators: Mapping[str, int] = field(default_factory=dict)
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Anatomy:
    """The contents of a model, and where they are."""

    path: str
    format: ModelFormat
    files: tuple[FileBytes, ...]
    tensors: tuple[Tensor, ...]
    operators: Mapping[str, int] = field(default_factory=dict)
    """How often each operator is used, if the format has a graph."""
    notes: tuple[str, ...] = ()
    """What the reader could not see or found unusual, a sentence each."""
    streams: tuple[Stream, ...] = ()

    @property
    def size(self) -> int:
        """Bytes of all files."""
        return sum(file.size for file in self.files)

    @property
    def totals(self) -> Totals:
        """Bytes by kind, weights, and bytes once loaded."""
        kinds = dict.fromkeys(Kind, 0)
        for file in self.files:
            for part in file.parts:
                kinds[part.kind] += part.size
        return Totals(
            tensors=kinds[Kind.TENSORS],
            structure=kinds[Kind.STRUCTURE],
            metadata=kinds[Kind.METADATA],
            padding=kinds[Kind.PADDING],
            unclaimed=kinds[Kind.UNCLAIMED],
            params=sum(tensor.params for tensor in self.tensors),
            memory=sum(tensor.memory for tensor in self.tensors if not tensor.shares),
        )
