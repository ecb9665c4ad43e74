"""The bytes of tensors, read from their files on demand."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from hashlib import blake2b
from pathlib import Path
from types import TracebackType
from typing import BinaryIO

from edgecheck.anatomy.encodings.span import Span, explained, mapped
from edgecheck.anatomy.encodings.streams import unpacked
from edgecheck.anatomy.values import Anatomy, Place, Tensor

#: Bytes per read; a multiple of every element's size.
PIECE = 1 << 20


class Contents:
    """A context in which the tensors of an anatomy can be read.

    Bytes are read, not mapped, so that memory stays at one piece however large the file is. Every method raises a
    `ModelError` when a file is no longer there, or was changed.
    """

    def __init__(self, anatomy: Anatomy) -> None:
        path = Path(anatomy.path)
        self._path = path
        self._folder = path if path.is_dir() else path.parent
        self._anatomy = anatomy
        self._stack = ExitStack()
        self._files: dict[int, BinaryIO] = {}
        self._streams: dict[int, Span] = {}

    def __enter__(self) -> Contents:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stack.close()

    def pieces(self, tensor: Tensor) -> Iterator[bytes]:
        """All bytes of a tensor, up to a mebibyte at a time."""
        for place in tensor.places:
            for start in range(place.start, place.start + place.size, PIECE):
                yield self.read(place, start, min(PIECE, place.start + place.size - start))

    def read(self, place: Place, start: int, size: int) -> bytes:
        """`size` bytes at `start` of the file or stream of `place`."""
        with explained(self._path):
            if place.stream >= 0:
                return self._stream(place.stream).raw(start, size)
            file = self._file(place.file)
            file.seek(start)
            return file.read(size)

    def digest(self, tensor: Tensor) -> bytes:
        """A hash of all bytes of a tensor: equal for tensors that are stored alike."""
        hashed = blake2b(digest_size=16)
        for piece in self.pieces(tensor):
            hashed.update(piece)
        return hashed.digest()

    def glance(self, tensor: Tensor) -> bytes:
        """The first and the last bytes of a tensor: tensors that differ usually differ here."""
        if not tensor.places:
            return b""
        first, last = tensor.places[0], tensor.places[-1]
        size = min(last.size, 4096)
        return self.read(first, first.start, min(first.size, 4096)) + self.read(
            last, last.start + last.size - size, size
        )

    def _file(self, index: int) -> BinaryIO:
        if index not in self._files:
            name = self._anatomy.files[index].name
            self._files[index] = self._stack.enter_context((self._folder / name).open("rb", buffering=0))
        return self._files[index]

    def _stream(self, index: int) -> Span:
        if index not in self._streams:
            stream = self._anatomy.streams[index]
            file = self._stack.enter_context(mapped(self._folder / self._anatomy.files[stream.file].name))
            content = self._stack.enter_context(unpacked(file.sub(stream.start, stream.size), stream.how))
            self._streams[index] = content.span
        return self._streams[index]
