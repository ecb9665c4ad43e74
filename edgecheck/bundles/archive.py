"""Wheels in, one gzipped tar out: the same bytes for the same wheels, whenever and wherever it is made."""

from __future__ import annotations

import gzip
import io
import json
import struct
import tarfile
from collections import Counter
from contextlib import ExitStack
from dataclasses import asdict, dataclass
from fnmatch import fnmatchcase
from types import MappingProxyType
from typing import IO, TYPE_CHECKING, cast

from edgecheck.bundles.bundle import LeftOut
from edgecheck.bundles.digests import HashingWriter
from edgecheck.errors import BundleError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

    from edgecheck.bundles.wheelfile import Member, WheelFile

# RF-SECTION ballast: What wheels hold that no inference opens, and that is therefore not sent to the device.

#: (what it is, patterns over the path inside the wheel); `*` crosses folders.
_EVERYWHERE = (
    ("tests", ("tests/*", "*/tests/*")),
    ("type stubs", ("*.pyi",)),
    ("headers and static libraries", ("*.h", "*.hpp", "*.a", "*.pxd", "*.pyx", "*/pkgconfig/*", "*/npy-pkg-config/*")),
    ("stale byte code", ("*.pyc", "*.pyo")),
    ("pip's records", ("*.dist-info/RECORD", "*.dist-info/RECORD.*", "*.dist-info/INSTALLER")),
)

#: The same for one distribution.
_OF = MappingProxyType(
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

#: Dependencies that only a distribution's tools import: older releases of onnxruntime want these, 29 MB with their own.
UNUSED_DEPENDENCIES: Mapping[str, tuple[str, ...]] = MappingProxyType({"onnxruntime": ("sympy", "coloredlogs")})

#: All of the above as text, so that bundles made under other rules are made anew.
RULES = repr((_EVERYWHERE, dict(_OF), dict(UNUSED_DEPENDENCIES)))


def ballast(distribution: str, path: str) -> str:
    """What the file at `path` of a wheel is, if it can be left out; empty if the device gets it."""
    for what, patterns in (*_EVERYWHERE, *_OF.get(distribution, ())):
        if any(fnmatchcase(path, pattern) for pattern in patterns):
            return what
    return ""


# RF-SECTION elf: Which shared libraries an ELF file needs, read from its dynamic section.

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


#: What the bundle says about itself, at the root of what is unpacked.
METADATA = "edgecheck-bundle.json"

#: Level 9 takes 3.5 times as long for 1 % less; xz saves 45 %, takes 10 times as long and is missing on some boards.
_LEVEL = 6


@dataclass(frozen=True, slots=True)
class Packed:
    """See `Bundle` for what each means."""

    digest: str
    sha256: str
    size: int
    unpacked_size: int
    left_out: tuple[LeftOut, ...]


@dataclass(frozen=True, slots=True)
class _File:
    read: Callable[[Member], bytes]
    member: Member


def pack(wheels: Sequence[WheelFile], about: Mapping[str, object], out: Path) -> Packed:
    """Write the files of `wheels`, without the ballast, and `about` as JSON, into the archive `out`.

    Raises:
        BundleError: a wheel is damaged, or two wheels hold different files under one name.
        OSError: `out` cannot be written.
    """
    with ExitStack() as stack:
        files: dict[str, _File] = {}
        left_out: Counter[str] = Counter()
        for wheel in sorted(wheels, key=lambda each: each.wheel.name):
            _gather(wheel, stack.enter_context(wheel.reading()), files, left_out)
        omitted = tuple(LeftOut(what, size) for what, size in left_out.most_common())
        unpacked = sum(file.member.size for file in files.values())
        described = {
            **about,
            "wheels": sorted((asdict(wheel.wheel) for wheel in wheels), key=lambda row: str(row["name"])),
            "unpacked_bytes": unpacked,
            "left_out": [asdict(each) for each in omitted],
        }
        return _write(out, described, files, Packed("", "", 0, unpacked, omitted))


def _gather(wheel: WheelFile, read: Callable[[Member], bytes], files: dict[str, _File], left_out: Counter[str]) -> None:
    name = wheel.wheel.name
    reasons = {member: _reason(name, member) for member in wheel.members}
    linked = _linked(read, reasons)
    for member, reason in reasons.items():
        if reason and member.path.rpartition("/")[2] not in linked:
            left_out[reason] += member.size
            continue
        other = files.setdefault(member.path, _File(read, member)).member
        if (other.size, other.checksum) != (member.size, member.checksum):
            raise BundleError(
                f"Two wheels hold different files called {member.path}; {name} is one of them.",
                "Ask for one of them only, for example not for two builds of one runtime.",
            )


def _reason(name: str, member: Member) -> str:
    if not member.path:
        return "scripts and data outside of the package"
    return ballast(name, member.path)


def _linked(read: Callable[[Member], bytes], reasons: Mapping[Member, str]) -> frozenset[str]:
    """Libraries that the rules would leave out, and that what stays could not be loaded without."""
    candidates = {member.path.rpartition("/")[2] for member, reason in reasons.items() if reason}
    if not any(".so" in name for name in candidates):
        return frozenset()
    stays = [member for member, reason in reasons.items() if not reason and ".so" in member.path]
    return frozenset(name for member in stays for name in needed(read(member))) & candidates


def _write(out: Path, described: Mapping[str, object], files: Mapping[str, _File], draft: Packed) -> Packed:
    about = (json.dumps(described, indent=1, sort_keys=True) + "\n").encode()
    with out.open("wb") as raw:
        outer = HashingWriter(raw)
        with gzip.GzipFile("", "wb", _LEVEL, cast("IO[bytes]", outer), mtime=0) as zipped:
            inner = HashingWriter(zipped)
            with tarfile.open(fileobj=cast("IO[bytes]", inner), mode="w|", format=tarfile.PAX_FORMAT) as tar:
                _add(tar, METADATA, about, 0o644)
                for path in sorted(files):
                    file = files[path]
                    _add(tar, path, file.read(file.member), 0o755 if file.member.executable else 0o644)
    return Packed(inner.sha256, outer.sha256, outer.size, draft.unpacked_size, draft.left_out)


def _add(tar: tarfile.TarFile, path: str, content: bytes, mode: int) -> None:
    info = tarfile.TarInfo(path)
    info.size, info.mode = len(content), mode  # the rest stays as TarInfo has it: owner 0, time 0
    tar.addfile(info, io.BytesIO(content))
