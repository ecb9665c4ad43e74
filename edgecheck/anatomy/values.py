"""The anatomy of a model as values: files, parts, tensors, and totals that add up to the byte."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Mapping

    from edgecheck.anatomy.formats import ModelFormat


class Kind(str, Enum):
    """What bytes are for. Every byte of a file has exactly one kind."""

    TENSORS = "tensors"
    """Numbers and strings that were learned or are computed with."""
    STRUCTURE = "structure"
    """What the runtime needs to find and run them: graph, names, shapes, headers, quantisation."""
    METADATA = "metadata"
    """What it can do without: descriptions, producers, training settings, source code for debugging."""
    PADDING = "padding"
    """Filling that the format's alignment asks for."""
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
    """Bytes that are stored and belong to no tensor: the rest of a storage of which only a slice was saved."""


class Place(NamedTuple):
    """Where bytes lie."""

    file: int
    """Index into `Anatomy.files`."""
    start: int
    size: int
    stream: int = -1
    """-1, or an index into `Anatomy.streams`: `start` and `size` then count unpacked bytes."""


class Stream(NamedTuple):
    """A compressed part of a file."""

    file: int
    start: int
    size: int
    how: str


@dataclass(frozen=True, slots=True)
class Tensor:
    """A tensor that the file holds, or makes when it is loaded."""

    name: str
    """As the file has it."""
    layer: str
    """Its scope as a path of names, `backbone/block_3/conv`; "" when it has none."""
    operator: str
    """The operator that takes it first, in the format's own words; "" when the format does not say."""
    dtype: str
    """`float32`, `int8`, `bfloat16`, `string`, …"""
    shape: tuple[int, ...]
    role: Role
    stored: int
    """Bytes of the file that are its own; 0 when it shares another's, or is made on loading."""
    memory: int
    """Bytes once loaded, dense, in its own type."""
    places: tuple[Place, ...] = ()
    shares: str = ""
    """The tensor whose bytes it uses: tied weights."""
    repeats: str = ""
    """The tensor whose content it stores once more, where the file itself shows it: a variable saved twice."""
    encoding: str = ""
    """How its bytes differ from a dense little-endian array: `varint`, `sparse`, `filled`, `zlib`, …"""
    checksum: int = -1
    """What the container itself says about its content; -1 for nothing."""

    @property
    def elements(self) -> int:
        """How many numbers it has."""
        count = 1
        for size in self.shape:
            count *= size
        return count

    @property
    def params(self) -> int:
        """How many weights it adds to the model: none when it is tied to another or repeats it."""
        return self.elements if self.role is Role.WEIGHT and not self.shares and not self.repeats else 0


class Part(NamedTuple):
    """Bytes of one sort in one file."""

    kind: Kind
    what: str
    size: int


class Extent(NamedTuple):
    """Bytes `start` to `start + size` of a file."""

    start: int
    size: int


@dataclass(frozen=True, slots=True)
class FileBytes:
    """How the bytes of one file are spent; the sizes of `parts` sum to `size`, always."""

    name: str
    """Relative to the model's folder; the file's own name where the model is one file."""
    size: int
    parts: tuple[Part, ...]
    gaps: tuple[Extent, ...] = ()
    """Where the unclaimed bytes are, the first thousand of them."""
    overlaps: tuple[Extent, ...] = ()
    """Bytes that two different things claim, the first thousand; each is counted once."""


@dataclass(frozen=True, slots=True)
class Totals:
    """Bytes by kind, which sum to `size`, and what the tensors amount to."""

    tensors: int
    structure: int
    metadata: int
    padding: int
    unclaimed: int
    params: int
    memory: int
    """Bytes of all tensors once loaded, dense: larger than `tensors` where weights are made or unpacked."""

    @property
    def size(self) -> int:
        """Bytes of all files."""
        return self.tensors + self.structure + self.metadata + self.padding + self.unclaimed


@dataclass(frozen=True, slots=True)
class Inside:
    """What a reader finds; with the account of the files it becomes an `Anatomy`."""

    tensors: tuple[Tensor, ...]
    operators: Mapping[str, int] = field(default_factory=dict)
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Anatomy:
    """What is inside a model, and where."""

    path: str
    format: ModelFormat
    files: tuple[FileBytes, ...]
    tensors: tuple[Tensor, ...]
    operators: Mapping[str, int] = field(default_factory=dict)
    """How often each operator is used, where the format has a graph."""
    notes: tuple[str, ...] = ()
    """What a reader could not see or found odd, a sentence each."""
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
