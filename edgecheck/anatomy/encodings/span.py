"""A window of bytes that refuses to be read outside itself."""

from __future__ import annotations

import mmap
import struct
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from edgecheck.anatomy.accounting.limits import TEXT, Damage, Missing, Unread, Work, cut
from edgecheck.core.text import clean
from edgecheck.errors import ModelError

__all__ = ["Damage", "FileMap", "Missing", "Span", "Unread", "explained", "mapped"]

#: Reads that are this many bytes apart count as a jump; after this many jumps, mapped pages are released.
_FAR, _JUMPS_KEPT = 64 << 10, 8
_U16 = struct.Struct("<H")
_U32 = struct.Struct("<I")
_I32 = struct.Struct("<i")
_U64 = struct.Struct("<Q")
_I64 = struct.Struct("<q")


class FileMap(mmap.mmap):
    """A mapped file that keeps little of itself in memory.

    Reading a byte maps up to 2 MiB around it, where the page cache holds large pages: a header here and there
    in a large file would add up to all of it. So mapped pages are released after some far jumps; they stay in
    the page cache.

    Attributes:
        work: The budget for reading the model to which the file belongs.
    """

    work: Work
    _jumps = 0

    def jump(self) -> None:
        """Count a read that is far from the previous one."""
        self._jumps += 1
        if self._jumps % _JUMPS_KEPT == 0 and hasattr(mmap, "MADV_DONTNEED"):
            self.madvise(mmap.MADV_DONTNEED)


class Span:
    """`size` bytes from `start` on of a mapped file or of an unpacked stream; offsets are relative to `start`.

    Every read is checked, so that an offset from a hostile file raises `Damage` and nothing else. Texts, and other
    reads of more than a few bytes, are charged to `work`.
    """

    __slots__ = ("_last", "data", "size", "start", "work")

    def __init__(
        self, data: FileMap | bytes, start: int = 0, size: int | None = None, work: Work | None = None
    ) -> None:
        size = len(data) - start if size is None else size
        if start < 0 or size < 0 or start + size > len(data):
            raise Damage(f"a part of {size:,} bytes at byte {start:,} reaches outside the file")
        self.data = data
        self.start = start
        self.size = size
        self._last = start
        self.work = work or (data.work if isinstance(data, FileMap) else Work())

    def sub(self, at: int, size: int) -> Span:
        """The part of `size` bytes at `at`, without copying."""
        return Span(self.data, self.place(at, size), size, self.work)

    def raw(self, at: int, size: int) -> bytes:
        """A copy of `size` bytes."""
        place = self.place(at, size)
        return self.data[place : place + size]

    def text(self, at: int, size: int) -> str:
        """`size` bytes of UTF-8; invalid bytes become replacement characters."""
        self.work.spend(TEXT + size)
        return self.raw(at, size).decode("utf-8", "replace")

    def u8(self, at: int) -> int:
        """An unsigned byte."""
        return self.data[self.place(at, 1)]

    def u16(self, at: int) -> int:
        """A little-endian unsigned 16-bit integer."""
        return int(_U16.unpack_from(self.data, self.place(at, 2))[0])

    def u32(self, at: int) -> int:
        """A little-endian unsigned 32-bit integer."""
        return int(_U32.unpack_from(self.data, self.place(at, 4))[0])

    def i32(self, at: int) -> int:
        """A little-endian signed 32-bit integer."""
        return int(_I32.unpack_from(self.data, self.place(at, 4))[0])

    def u64(self, at: int) -> int:
        """A little-endian unsigned 64-bit integer."""
        return int(_U64.unpack_from(self.data, self.place(at, 8))[0])

    def i64(self, at: int) -> int:
        """A little-endian signed 64-bit integer."""
        return int(_I64.unpack_from(self.data, self.place(at, 8))[0])

    def uint(self, at: int, width: int) -> int:
        """A little-endian unsigned integer of `width` bytes."""
        place = self.place(at, width)
        return self.data[place] if width == 1 else int.from_bytes(self.data[place : place + width], "little")

    def place(self, at: int, size: int) -> int:
        """Where in `data` the `size` bytes at `at` are.

        Raises:
            Damage: they are not all in the span.
        """
        if at < 0 or size < 0 or at + size > self.size:
            raise Damage(f"{size:,} bytes at byte {at:,} reach beyond the {self.size:,} bytes that are there")
        place = self.start + at
        if not -_FAR < place - self._last < _FAR:
            self.note(place)
        return place

    def note(self, place: int) -> None:
        """Note that the byte at `place` of `data` is read without this span, now or soon."""
        if not -_FAR < place - self._last < _FAR:
            self._last = place
            if isinstance(self.data, FileMap):
                self.data.jump()


@contextmanager
def mapped(path: Path, work: Work | None = None) -> Iterator[Span]:
    """The file at `path`, mapped instead of read; an empty file is an empty span. `work` is new unless given."""
    with path.open("rb") as file:
        if not file.seek(0, 2):
            yield Span(b"", work=work)
            return
        with FileMap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
            data.work = work or Work()
            yield Span(data)


@contextmanager
def explained(path: Path) -> Iterator[None]:
    """Turn `Damage` raised inside into a `ModelError` that names the file and says what to do.

    Raises:
        ModelError: the file is damaged, or cannot be opened.
    """
    try:
        yield
    except Unread as unread:
        raise ModelError(
            f"{path} cannot be read: {clean(str(unread))}.",
            "Save it again with its framework's defaults, or convert it to .onnx or .tflite.",
        ) from unread
    except Missing as missing:
        raise ModelError(
            f"{path} is incomplete: {clean(str(missing))}.", f"Copy {clean(cut(missing.name))} next to it."
        ) from missing
    except Damage as damage:
        raise ModelError(
            f"{path} is damaged: {clean(str(damage))}.",
            "Download or export it again, and compare its size and checksum with the original's.",
        ) from damage
    except OSError as error:
        reason = error.strerror or str(error)
        raise ModelError(f"{path} cannot be read: {reason}.", "Check the path and its permissions.") from error
