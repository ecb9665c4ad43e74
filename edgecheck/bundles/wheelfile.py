"""A wheel as a list of files to install: PEP 427's layout; the names inside are not trusted."""

from __future__ import annotations

import stat
import zipfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from email.parser import HeaderParser
from pathlib import Path, PurePosixPath

from packaging.requirements import InvalidRequirement, Requirement
from packaging.utils import InvalidWheelFilename, canonicalize_name, parse_wheel_filename

from edgecheck.anatomy.encodings.zipfile_errors import ZIP_ERRORS
from edgecheck.bundles.bundle import Wheel
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
            with zipfile.ZipFile(self.source) as archive:
                yield lambda member: archive.read(member.inside)
        except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, RuntimeError) as error:
            raise _damaged(self.source, str(error)) from error


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
