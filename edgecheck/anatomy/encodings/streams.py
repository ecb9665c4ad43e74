"""Compressed streams, unpacked piece by piece."""

from __future__ import annotations

import bz2
import lzma
import zlib
from typing import TYPE_CHECKING, Protocol

from edgecheck.anatomy.encodings.span import Damage

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from edgecheck.anatomy.encodings.span import Span

_SIGNATURES = (
    (b"\x1f\x8b", "gzip"),
    (b"BZh", "bz2"),
    (b"\xfd7zXZ\x00", "xz"),
    (b"\x5d\x00\x00", "lzma"),
    (b"\x78\x01", "zlib"),
    (b"\x78\x5e", "zlib"),
    (b"\x78\x9c", "zlib"),
    (b"\x78\xda", "zlib"),
    (b"\x04\x22\x4d\x18", "lz4"),
)
_PIECE = 4096
"""Packed bytes that are fed at once: how fine the map is."""
_MOST_OUT = 4 << 20


class _Decompressor(Protocol):
    @property
    def eof(self) -> bool: ...
    @property
    def unused_data(self) -> bytes: ...
    def decompress(self, data: bytes, max_length: int = ..., /) -> bytes: ...


_OPENERS: dict[str, Callable[[], _Decompressor]] = {
    "gzip": lambda: zlib.decompressobj(31),
    "zlib": lambda: zlib.decompressobj(15),
    "deflate": lambda: zlib.decompressobj(-15),
    "bz2": bz2.BZ2Decompressor,
    "xz": lambda: lzma.LZMADecompressor(lzma.FORMAT_XZ),
    "lzma": lambda: lzma.LZMADecompressor(lzma.FORMAT_ALONE),
}


def compression(head: bytes) -> str | None:
    """How a file that begins so is compressed, or `None`."""
    return next((name for signature, name in _SIGNATURES if head.startswith(signature)), None)


def unpacked_head(span: Span, how: str) -> bytes:
    """The first bytes of what a stream holds; none when it cannot be unpacked."""
    try:
        return next((out for out, _ in pieces(span, how) if out), b"")[:64]
    except Damage:
        return b""


def pieces(span: Span, how: str) -> Iterator[tuple[bytes, int]]:
    """Pairs of unpacked bytes and of how many packed bytes have been used by then."""
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
    return bool(getattr(decompressor, "needs_input", True))
