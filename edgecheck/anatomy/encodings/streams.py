"""Compressed streams: how one is recognised, and its content, unpacked to a bounded size.

zlib: RFC 1950, section 2.2; deflate: RFC 1951; gzip: RFC 1952, section 2.3.1 (https://www.rfc-editor.org/rfc/rfc1952).
"""

from __future__ import annotations

import bz2
import lzma
import mmap
import zlib
from bisect import bisect_right
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import NamedTuple, Protocol

from edgecheck.anatomy.encodings.span import Damage, FileMap, Span

_SIGNATURES = (
    (b"\x1f\x8b", "gzip"),  # ID1, ID2
    (b"BZh", "bz2"),
    (b"\xfd7zXZ\x00", "xz"),
    (b"\x5d\x00\x00", "lzma"),  # properties lc=3, lp=0, pb=2; a dictionary size in units of 64 KiB
    (b"\x78\x01", "zlib"),  # CMF 0x78: deflate with a window of 32 KiB; FLG: level 0, with its check bits
    (b"\x78\x5e", "zlib"),  # FLG: level 1
    (b"\x78\x9c", "zlib"),  # FLG: level 2, the default
    (b"\x78\xda", "zlib"),  # FLG: level 3
    (b"\x04\x22\x4d\x18", "lz4"),  # the frame's magic number 0x184D2204, little-endian
)
#: Packed bytes that are fed in one step: the resolution of the map from unpacked to packed places.
_PIECE = 4096
#: Unpacked bytes that one step may produce.
_MOST_OUT = 4 << 20
#: Unpacked bytes that are kept in memory; larger contents go to a temporary file.
_IN_MEMORY = 16 << 20
#: A stream may unpack to 256 MiB, or to 64 times its size: a bomb is not a model. See also `limits.MOST_UNPACKED`.
_ALWAYS_ALLOWED, _RATIO_ALLOWED = 256 << 20, 64
#: How much longer than zlib's streams others take for the same size.
_SLOWNESS = {"bz2": 8, "xz": 4, "lzma": 4}


class _Decompressor(Protocol):
    @property
    def eof(self) -> bool: ...
    @property
    def unused_data(self) -> bytes: ...
    def decompress(self, data: bytes, max_length: int = ..., /) -> bytes: ...


_OPENERS: dict[str, Callable[[], _Decompressor]] = {
    "gzip": lambda: zlib.decompressobj(31),  # 16 for a gzip header, and a window of 2**15 bytes
    "zlib": lambda: zlib.decompressobj(15),
    "deflate": lambda: zlib.decompressobj(-15),  # negative: no header
    "bz2": bz2.BZ2Decompressor,
    "xz": lambda: lzma.LZMADecompressor(lzma.FORMAT_XZ),
    "lzma": lambda: lzma.LZMADecompressor(lzma.FORMAT_ALONE),
}


def compression(head: bytes) -> str | None:
    """The compression of a file that begins with `head`, or `None`."""
    return next((name for signature, name in _SIGNATURES if head.startswith(signature)), None)


def unpacked_head(span: Span, how: str) -> bytes:
    """The first bytes of a stream's content; none when it cannot be unpacked."""
    try:
        return next((out for out, _ in _pieces(span, how) if out), b"")[:64]
    except Damage:
        return b""


class Unpacked(NamedTuple):
    """The content of a stream, and a map from its places to those in the stream."""

    span: Span
    packed: int
    """Bytes of the stream that were used; the bytes after them are not part of it."""
    marks_out: list[int]
    marks_in: list[int]

    def place(self, at: int) -> int:
        """Where in the stream the unpacked byte `at` was, interpolated within a piece; it grows with `at`."""
        index = bisect_right(self.marks_out, at) - 1
        if index + 1 >= len(self.marks_out):
            return self.packed
        begin, end = self.marks_out[index], self.marks_out[index + 1]
        width = self.marks_in[index + 1] - self.marks_in[index]
        return self.marks_in[index] + (at - begin) * width // (end - begin)


@contextmanager
def unpacked(span: Span, how: str) -> Iterator[Unpacked]:
    """The content of the stream in `span`, in memory while it is small and else in a private temporary file.

    Raises:
        Damage: it is cut off, broken, of an unknown kind, or unpacks to far more than a model would.
    """
    import tempfile

    allowed = max(_ALWAYS_ALLOWED, _RATIO_ALLOWED * span.size)
    marks_out, marks_in, total, used = [0], [0], 0, 0
    with tempfile.SpooledTemporaryFile(_IN_MEMORY) as file:
        for out, used in _pieces(span, how):
            total += len(out)
            span.work.unpack(len(out), _SLOWNESS.get(how, 1))
            if total > allowed:
                raise Damage(f"its {span.size:,} compressed bytes unpack to more than {allowed:,}")
            file.write(out)
            if out:
                marks_out.append(total)
                marks_in.append(used)
        marks_in[-1] = used
        file.seek(0)
        if total <= _IN_MEMORY:
            yield Unpacked(Span(file.read(), work=span.work), used, marks_out, marks_in)
            return
        file.flush()
        with FileMap(file.fileno(), total, access=mmap.ACCESS_READ) as data:
            data.work = span.work
            yield Unpacked(Span(data), used, marks_out, marks_in)


def _pieces(span: Span, how: str) -> Iterator[tuple[bytes, int]]:
    """Pairs of unpacked bytes and the number of packed bytes used up to them."""
    if how not in _OPENERS:
        raise Damage(f"it is compressed with {how}, which edgecheck does not unpack")
    decompressor = _OPENERS[how]()
    fed = 0
    pending = b""
    while not decompressor.eof:
        if not pending and _hungry(decompressor):
            pending = span.raw(fed, min(_PIECE, span.size - fed))
            fed += len(pending)
            if not pending:
                raise Damage(f"its {how} stream has been cut off")
        try:
            out = decompressor.decompress(pending, _MOST_OUT)
        except (zlib.error, lzma.LZMAError, OSError, EOFError, ValueError) as error:
            raise Damage(f"its {how} stream is broken ({error})") from error
        pending = getattr(decompressor, "unconsumed_tail", b"")
        yield out, fed - len(pending) - len(decompressor.unused_data)


def _hungry(decompressor: _Decompressor) -> bool:
    """Whether it needs more packed bytes before it can produce more; zlib's always takes some."""
    return bool(getattr(decompressor, "needs_input", True))
