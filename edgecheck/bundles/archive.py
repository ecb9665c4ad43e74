"""Wheels in, one gzipped tar out: the same bytes for the same wheels, whenever and wherever it is made.

The names in a wheel are not trusted.
"""

from __future__ import annotations

import gzip
import hashlib
import io
import json
import stat
import tarfile
import zipfile
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, dataclass
from email.parser import HeaderParser
from pathlib import Path, PurePosixPath
from typing import IO, Protocol, cast

from packaging.requirements import InvalidRequirement, Requirement
from packaging.utils import InvalidWheelFilename, canonicalize_name, parse_wheel_filename

from edgecheck.anatomy.encodings.zipfile_errors import ZIP_ERRORS
from edgecheck.bundles.bundle import LeftOut, Wheel
from edgecheck.bundles.contents import linked_libraries, unused
from edgecheck.errors import BundleError
from edgecheck.store import sha256_of


@dataclass(frozen=True, slots=True, kw_only=True)
class Member:
    """One file of a wheel."""

    inside: str
    """Its name in the zip."""
    path: str
    """Where it belongs, relative to site-packages; empty if it belongs elsewhere (scripts, headers, data)."""
    size: int
    checksum: int
    """The zip's CRC-32, which reading verifies."""
    executable: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class WheelFile:
    """A wheel on disk, opened once."""

    source: Path
    wheel: Wheel
    dependencies: tuple[Requirement, ...]
    members: tuple[Member, ...]

    @contextmanager
    def reading(self) -> Iterator[Callable[[Member], bytes]]:
        """A function that returns the bytes of a member, with its checksum verified.

        Raises:
            BundleError: the wheel is damaged.
        """
        try:
            archive = zipfile.ZipFile(self.source)
        except ZIP_ERRORS as error:
            raise _damaged(self.source, str(error)) from error

        def read(member: Member) -> bytes:
            # Only here: what goes wrong with the bytes later is not the wheel's fault.
            try:
                return archive.read(member.inside)
            except ZIP_ERRORS as error:
                raise _damaged(self.source, str(error)) from error

        with archive:
            yield read


def open_wheel(source: Path) -> WheelFile:
    """Read a wheel's table of contents and metadata.

    Raises:
        BundleError: it is not a wheel, or a name in it points out of the folder that it is unpacked into.
    """
    try:
        name, version, _, _ = parse_wheel_filename(source.name)
        with zipfile.ZipFile(source) as archive:
            infos = [info for info in archive.infolist() if not info.is_dir()]
            metadata = next(info.filename for info in infos if _is_metadata(info.filename))
            headers = HeaderParser().parsestr(archive.read(metadata).decode("utf-8"))
            needs = tuple(Requirement(text) for text in headers.get_all("Requires-Dist", []))
    except StopIteration:
        raise _damaged(source, "it has no METADATA") from None
    except (InvalidWheelFilename, InvalidRequirement, *ZIP_ERRORS) as error:
        raise _damaged(source, str(error)) from error
    members = tuple(_member(source, info) for info in infos)
    wheel = Wheel(name=canonicalize_name(name), version=str(version), file=source.name, sha256=sha256_of(source))
    return WheelFile(source=source, wheel=wheel, dependencies=needs, members=members)


def _is_metadata(path: str) -> bool:
    return path.endswith(".dist-info/METADATA") and path.count("/") == 1


def _member(source: Path, info: zipfile.ZipInfo) -> Member:
    mode = info.external_attr >> 16
    if stat.S_IFMT(mode) not in {0, stat.S_IFREG}:
        raise _damaged(source, f"{info.filename!r} is not a regular file")
    return Member(
        inside=info.filename,
        path=_installed(source, info.filename),
        size=info.file_size,
        checksum=info.CRC,
        executable=bool(mode & 0o111),
    )


def _installed(source: Path, name: str) -> str:
    """Where a member belongs; see `Member.path`."""
    path = PurePosixPath(name)
    safe = not path.is_absolute() and ".." not in path.parts and str(path) == name and "\\" not in name
    if not safe or not name.isprintable():
        raise _damaged(source, f"{name!r} points out of its folder")
    top, *rest = path.parts
    if not top.endswith(".data"):
        return name
    scheme, *inside = rest or [""]
    return "/".join(inside) if scheme in {"purelib", "platlib"} else ""


def _damaged(source: Path, why: str) -> BundleError:
    return BundleError(
        f"The wheel {source.name} cannot be used: {why}.",
        "Clear pip's cache (`pip cache purge`) and try again; if that does not help, pin another version.",
    )


#: What the bundle says about itself, at the root of the unpacked folder.
METADATA = "edgecheck-bundle.json"

#: Level 9 takes 3.5 times as long for 1 % less; xz saves 45 %, takes 10 times as long and is missing on some boards.
_LEVEL = 6


@dataclass(frozen=True, slots=True, kw_only=True)
class Packed:
    """A written archive; see `Bundle` for what each field means."""

    digest: str
    sha256: str
    size: int
    unpacked_size: int
    left_out: tuple[LeftOut, ...]


def pack(wheels: Sequence[WheelFile], about: Mapping[str, object], out: Path) -> Packed:
    """Write the files of `wheels` that an inference needs, and `about` as JSON, into the archive `out`.

    Raises:
        BundleError: a wheel is damaged, or two wheels hold different files under one name.
        OSError: `out` cannot be written.
    """
    with ExitStack() as stack:
        files: dict[str, _File] = {}
        omitted: Counter[str] = Counter()
        for wheel in sorted(wheels, key=lambda each: each.wheel.name):
            _gather(wheel, stack.enter_context(wheel.reading()), files, omitted)
        left_out = tuple(LeftOut(what, size) for what, size in omitted.most_common())
        unpacked = sum(file.member.size for file in files.values())
        described = {
            **about,
            "wheels": sorted((asdict(wheel.wheel) for wheel in wheels), key=lambda row: str(row["name"])),
            "unpacked_bytes": unpacked,
            "left_out": [asdict(each) for each in left_out],
        }
        inner, outer = _write(out, described, files)
    return Packed(digest=inner.sha256, sha256=outer.sha256, size=outer.size, unpacked_size=unpacked, left_out=left_out)


@dataclass(frozen=True, slots=True)
class _File:
    read: Callable[[Member], bytes]
    member: Member


def _gather(wheel: WheelFile, read: Callable[[Member], bytes], files: dict[str, _File], omitted: Counter[str]) -> None:
    """Add the wheel's files to `files`, and the sizes of those that are left out to `omitted`."""
    name = wheel.wheel.name
    reasons = {member: _reason(name, member) for member in wheel.members}
    linked = _linked(read, reasons)
    for member, reason in reasons.items():
        if reason and member.path.rpartition("/")[2] not in linked:
            omitted[reason] += member.size
            continue
        other = files.setdefault(member.path, _File(read, member)).member
        if (other.size, other.checksum) != (member.size, member.checksum):
            raise BundleError(
                f"Two wheels hold different files called {member.path}; {name} is one of them.",
                "Require only one of them, for example not two builds of one runtime.",
            )


def _reason(name: str, member: Member) -> str:
    if not member.path:
        return "scripts and data outside of the package"
    return unused(name, member.path)


def _linked(read: Callable[[Member], bytes], reasons: Mapping[Member, str]) -> frozenset[str]:
    """Libraries that the rules would leave out, and that the rest could not be loaded without."""
    candidates = {member.path.rpartition("/")[2] for member, reason in reasons.items() if reason}
    if not any(".so" in name for name in candidates):
        return frozenset()
    stays = [member for member, reason in reasons.items() if not reason and ".so" in member.path]
    return frozenset(name for member in stays for name in linked_libraries(read(member))) & candidates


class _Writable(Protocol):
    """Something that takes bytes."""

    def write(self, data: bytes, /) -> int:
        """Take them all."""


class _HashingWriter:
    """Passes bytes on and keeps their count and sha256."""

    def __init__(self, into: _Writable) -> None:
        self._into = into
        self._hash = hashlib.sha256()
        self.size = 0

    def write(self, data: bytes) -> int:
        """Count, hash and pass on `data`."""
        self._hash.update(data)
        self.size += len(data)
        return self._into.write(data)

    def flush(self) -> None:
        """Do nothing: no bytes are held back here."""

    @property
    def sha256(self) -> str:
        """Of the bytes so far."""
        return self._hash.hexdigest()


def _write(
    out: Path, described: Mapping[str, object], files: Mapping[str, _File]
) -> tuple[_HashingWriter, _HashingWriter]:
    """Write the archive; returns what went into gzip and what came out."""
    about = (json.dumps(described, indent=1, sort_keys=True) + "\n").encode()
    with out.open("wb") as raw:
        outer = _HashingWriter(raw)
        with gzip.GzipFile("", "wb", _LEVEL, cast("IO[bytes]", outer), mtime=0) as zipped:
            inner = _HashingWriter(zipped)
            with tarfile.open(fileobj=cast("IO[bytes]", inner), mode="w|", format=tarfile.PAX_FORMAT) as tar:
                _add(tar, METADATA, about, 0o644)
                for path in sorted(files):
                    file = files[path]
                    _add(tar, path, file.read(file.member), 0o755 if file.member.executable else 0o644)
    return inner, outer


def _add(tar: tarfile.TarFile, path: str, content: bytes, mode: int) -> None:
    info = tarfile.TarInfo(path)
    info.size, info.mode = len(content), mode  # the rest keeps TarInfo's defaults: owner 0, time 0
    tar.addfile(info, io.BytesIO(content))
