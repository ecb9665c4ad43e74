"""HDF5's superblock, and numbers of the widths that it sets."""

from __future__ import annotations

from typing import TYPE_CHECKING

from edgecheck.anatomy.accounting.ledger import Label
from edgecheck.anatomy.accounting.limits import check_parts
from edgecheck.anatomy.encodings.span import Damage, Unread
from edgecheck.anatomy.values import Kind

if TYPE_CHECKING:
    from edgecheck.anatomy.accounting.region import Region

SIGNATURE = b"\x89HDF\r\n\x1a\n"
RESERVED = Label(Kind.PADDING, "space that HDF5 reserves")
_SUPERBLOCK = Label(Kind.STRUCTURE, "superblock")
_USER_BLOCK = Label(Kind.METADATA, "user block")
_FIRST_PLACES = (0, 512, 1024, 2048, 4096, 8192)


class H5:
    """An HDF5 file in a region; addresses count from the superblock."""

    def __init__(self, region: Region) -> None:
        begin = next((at for at in _FIRST_PLACES if _signed(region, at)), None)
        if begin is None:
            raise Damage("it has no HDF5 signature")
        region.claim(0, begin, _USER_BLOCK)
        self.region = region.sub(begin, region.span.size - begin)
        self.span = self.region.span
        self.leaf_k, self.internal_k, self.chunk_k = 4, 16, 32
        self.visits = 0
        version = self.span.u8(8)
        if version in (0, 1):
            self.offset_size, self.length_size = self.span.u8(13), self.span.u8(14)
            self._check_widths()
            self.root = self._old(version)
        elif version in (2, 3):
            self.offset_size, self.length_size = self.span.u8(9), self.span.u8(10)
            self._check_widths()
            self.root = self._new()
        else:
            raise Unread(f"its HDF5 superblock has version {version}")

    def address(self, at: int) -> int | None:
        """An address, or `None` for one that is undefined: nothing was allocated."""
        value = self.span.uint(at, self.offset_size)
        return None if value == (1 << 8 * self.offset_size) - 1 else value

    def length(self, at: int) -> int:
        """A size."""
        return self.span.uint(at, self.length_size)

    def visit(self) -> None:
        """Count a node; a hostile file may lead to many from few bytes."""
        self.visits += 1
        check_parts(self.visits)
        if self.visits > self.span.size // 16 + 64:
            raise Damage("its parts point to each other more often than a file of this size can need")

    def expect(self, at: int, signature: bytes) -> None:
        """Check what a part begins with."""
        if self.span.raw(at, len(signature)) != signature:
            raise Damage(f"its part at byte {at:,} should begin with {signature.decode()}")

    def _check_widths(self) -> None:
        if self.offset_size not in (2, 4, 8) or self.length_size not in (2, 4, 8):
            raise Damage(f"its addresses claim {self.offset_size} bytes, its sizes {self.length_size}")

    def _old(self, version: int) -> int:
        """Versions 0 and 1; the answer is the address of the root's header."""
        self.leaf_k, self.internal_k = self.span.u16(16), self.span.u16(18)
        at = 24
        if version == 1:
            self.chunk_k = self.span.u16(24)
            at = 28
        self._check_end(at + 2 * self.offset_size)
        entry = at + 4 * self.offset_size
        self.region.claim(0, entry + 2 * self.offset_size + 24, _SUPERBLOCK)
        return self.span.uint(entry + self.offset_size, self.offset_size)

    def _new(self) -> int:
        """Versions 2 and 3."""
        self._check_end(12 + 2 * self.offset_size)
        self.region.claim(0, 16 + 4 * self.offset_size, _SUPERBLOCK)
        return self.span.uint(12 + 3 * self.offset_size, self.offset_size)

    def _check_end(self, at: int) -> None:
        end = self.span.uint(at, self.offset_size)
        if end > self.span.size + self.region.base:
            raise Damage(f"it should have {end:,} bytes and has {self.span.size:,}: it has been cut off")


def _signed(region: Region, at: int) -> bool:
    size = len(SIGNATURE)
    return at + size <= region.span.size and region.span.raw(at, size) == SIGNATURE
