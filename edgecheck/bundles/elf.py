"""Which shared libraries an ELF file needs, read from its dynamic section."""

from __future__ import annotations

import struct
from dataclasses import dataclass

_HEADER = 64  # bytes of a 64-bit ELF header; no 32-bit library is shorter
_LOAD, _DYNAMIC = 1, 2  # p_type of a program header (System V ABI, "Program Header")
_NEEDED, _STRTAB = 1, 5  # d_tag of a dynamic entry (System V ABI, "Dynamic Section")


@dataclass(frozen=True, slots=True)
class _Layout:
    """Where a 32-bit or a 64-bit ELF file keeps what is read here: struct formats and offsets."""

    header: str
    """From offset 28 (32-bit) or 32 (64-bit): e_phoff, then e_phentsize and e_phnum."""
    segment: str
    entry: str


_LAYOUTS = {1: _Layout("28xI10xHH", "IIIIIIII", "II"), 2: _Layout("32xQ14xHH", "IIQQQQQQ", "QQ")}


def needed(content: bytes) -> frozenset[str]:
    """File names of the libraries that the loader must find before `content` can be loaded.

    What is no ELF file, or a damaged one, needs nothing.
    """
    if content[:4] != b"\x7fELF" or len(content) < _HEADER or content[4] not in _LAYOUTS:
        return frozenset()
    try:
        return _needed(content, _LAYOUTS[content[4]], "<" if content[5] == 1 else ">")
    except (struct.error, OverflowError, ValueError):
        return frozenset()


def _needed(content: bytes, layout: _Layout, order: str) -> frozenset[str]:
    start, size, count = struct.unpack_from(order + layout.header, content)
    segments = [struct.unpack_from(order + layout.segment, content, start + size * i) for i in range(count)]
    wide = layout.entry == "QQ"
    # (type, file offset, address, size in the file) of each segment
    fields = [(s[0], s[2], s[3], s[5]) if wide else (s[0], s[1], s[2], s[4]) for s in segments]
    entries = [
        entry
        for kind, offset, _, length in fields
        if kind == _DYNAMIC
        for entry in struct.iter_unpack(order + layout.entry, content[offset : offset + length])
    ]
    tables = [value for tag, value in entries if tag == _STRTAB]
    loaded = [(offset - address, address, length) for kind, offset, address, length in fields if kind == _LOAD]
    shifts = [shift for table in tables for shift, address, length in loaded if address <= table < address + length]
    if not shifts:
        return frozenset()
    strings = tables[0] + shifts[0]
    return frozenset(_text(content, strings + value) for tag, value in entries if tag == _NEEDED)


def _text(content: bytes, start: int) -> str:
    return content[start : content.index(b"\0", start)].decode("utf-8", "replace")
