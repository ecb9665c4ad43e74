"""What goes into a bundle: which files of a wheel no inference opens, and which of these others are linked to."""

from __future__ import annotations

import struct
from collections.abc import Mapping
from dataclasses import dataclass
from fnmatch import fnmatchcase
from types import MappingProxyType

#: (what it is, patterns over the path inside the wheel); `*` crosses folders.
_IN_ALL = (
    ("tests", ("tests/*", "*/tests/*")),
    ("type stubs", ("*.pyi",)),
    ("headers and static libraries", ("*.h", "*.hpp", "*.a", "*.pxd", "*.pyx", "*/pkgconfig/*", "*/npy-pkg-config/*")),
    ("stale byte code", ("*.pyc", "*.pyo")),
    ("pip's records", ("*.dist-info/RECORD", "*.dist-info/RECORD.*", "*.dist-info/INSTALLER")),
)

#: The same for one distribution.
_IN_ONE = MappingProxyType(
    {
        "numpy": (
            ("tests", ("numpy/core/_simd.*.so", "numpy/_core/_simd.*.so", "numpy/conftest.py")),
            ("numpy.f2py and numpy.distutils", ("numpy/f2py/*", "numpy/distutils/*")),
            ("numpy.typing and packaging hooks", ("numpy/typing/*", "numpy/_pyinstaller/*", "numpy/doc/*")),
        ),
        "onnxruntime": (
            (
                "onnxruntime's C library, which its Python module does not load",
                ("onnxruntime/capi/libonnxruntime.so*",),
            ),
            (
                "onnxruntime's conversion tools",
                ("onnxruntime/transformers/*", "onnxruntime/quantization/*", "onnxruntime/tools/*"),
            ),
        ),
        "ai-edge-litert": (
            ("the WebGPU accelerator", ("ai_edge_litert/libLiteRtWebGpuAccelerator.so",)),
            ("compilers for NPUs", ("ai_edge_litert/vendors/*", "ai_edge_litert/aot/*", "ai_edge_litert/tools/*")),
        ),
    }
)

#: Dependencies that only a distribution's tools import: older releases of onnxruntime need these, 29 MB with what they
#: depend on.
UNUSED_DEPENDENCIES: Mapping[str, tuple[str, ...]] = MappingProxyType({"onnxruntime": ("sympy", "coloredlogs")})

#: All of the above as text, so that bundles made under other rules are made again.
RULES = repr((_IN_ALL, dict(_IN_ONE), dict(UNUSED_DEPENDENCIES)))


def unused(distribution: str, path: str) -> str:
    """What the file at `path` of a wheel is, if it can be left out; empty if the device gets it."""
    for what, patterns in (*_IN_ALL, *_IN_ONE.get(distribution, ())):
        if any(fnmatchcase(path, pattern) for pattern in patterns):
            return what
    return ""


#: Bytes of a 64-bit ELF header; no 32-bit library is shorter.
_HEADER = 64

#: p_type of a program header (https://refspecs.linuxfoundation.org/elf/gabi4+/ch5.pheader.html).
_LOAD, _DYNAMIC = 1, 2

#: d_tag of a dynamic entry (https://refspecs.linuxfoundation.org/elf/gabi4+/ch5.dynamic.html).
_NEEDED, _STRTAB = 1, 5


@dataclass(frozen=True, slots=True)
class _Layout:
    """Where a 32-bit or a 64-bit ELF file keeps what is read here: struct formats and offsets."""

    header: str
    """From offset 28 (32-bit) or 32 (64-bit): e_phoff, then e_phentsize and e_phnum."""
    segment: str
    entry: str


#: By EI_CLASS, the byte after the magic number.
_LAYOUTS = {1: _Layout("28xI10xHH", "IIIIIIII", "II"), 2: _Layout("32xQ14xHH", "IIQQQQQQ", "QQ")}


def linked_libraries(content: bytes) -> frozenset[str]:
    """File names of the libraries that the loader must find before the ELF file `content` can be loaded.

    None for other and for damaged files.
    """
    if content[:4] != b"\x7fELF" or len(content) < _HEADER or content[4] not in _LAYOUTS:
        return frozenset()
    try:
        return _linked_libraries(content, _LAYOUTS[content[4]], "<" if content[5] == 1 else ">")
    except (struct.error, OverflowError, ValueError):
        return frozenset()


def _linked_libraries(content: bytes, layout: _Layout, order: str) -> frozenset[str]:
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
    # The table of names is given by its address in memory; the segment that is loaded there has its offset.
    tables = [value for tag, value in entries if tag == _STRTAB]
    loaded = [(offset - address, address, length) for kind, offset, address, length in fields if kind == _LOAD]
    shifts = [shift for table in tables for shift, address, length in loaded if address <= table < address + length]
    if not shifts:
        return frozenset()
    strings = tables[0] + shifts[0]
    return frozenset(_text(content, strings + value) for tag, value in entries if tag == _NEEDED)


def _text(content: bytes, start: int) -> str:
    return content[start : content.index(b"\0", start)].decode("utf-8", "replace")
