"""Wheels in, one gzipped tar out: the same bytes for the same wheels, whenever and wherever it is made."""

from __future__ import annotations

import gzip
import io
import json
import tarfile
from collections import Counter
from contextlib import ExitStack
from dataclasses import asdict, dataclass
from typing import IO, TYPE_CHECKING, cast

from edgecheck.bundles.ballast import ballast
from edgecheck.bundles.bundle import LeftOut
from edgecheck.bundles.digests import HashingWriter
from edgecheck.bundles.elf import needed
from edgecheck.errors import BundleError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

    from edgecheck.bundles.wheelfile import Member, WheelFile

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
