"""Debian's packages: fetched from the best mirror that has them, checked by digest, unpacked in Python."""

from __future__ import annotations

import re
import shutil
import tarfile
import tempfile
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import IO

from edgecheck.emulator import index
from edgecheck.emulator.lock import Lock, Package
from edgecheck.emulator.mirrors import GONE, VARIABLE, Mirror
from edgecheck.errors import EmulatorError
from edgecheck.store import sha256_of

HINT = (
    f"Check the network, name a Debian mirror in {VARIABLE}, or build the machine from Dockerfile.arm64 "
    "(stage `machine`) and run: edgecheck emulator import rootfs.tar"
)


@dataclass(frozen=True, slots=True)
class Purpose:
    """What packages are fetched for, in a sentence, and what to do where they cannot be."""

    name: str
    hint: str


#: The system of the emulated machine.
MACHINE = Purpose("the emulated machine", HINT)


@dataclass(frozen=True, slots=True)
class Obtained:
    """The packages' files, in the order of the lock."""

    files: tuple[Path, ...]
    packages: tuple[Package, ...]
    replaced: tuple[str, ...]
    """A sentence for each package that is a newer one than the lock names."""


@dataclass(slots=True)
class _Search:
    """What is still missing, and what the mirrors said about it."""

    purpose: Purpose
    folder: Path
    missing: list[Package]
    gone: list[Mirror] = field(default_factory=list)
    """Mirrors that answered that they do not have a package."""
    trouble: dict[str, str] = field(default_factory=dict)
    """By package, the last reason why it is missing other than that it is gone."""

    def ask(self, mirror: Mirror) -> None:
        """Fetch from one mirror what is missing; keep what has the right digest."""
        wanted = {self.folder / package.file: mirror.url(package.archive, package.path) for package in self.missing}
        reasons = mirror.fetch(wanted)
        still = []
        for package in self.missing:
            place = self.folder / package.file
            reason = reasons[place] or _wrong(place, package)
            if not reason:
                self.trouble.pop(package.name, None)
                continue
            still.append(package)
            place.unlink(missing_ok=True)
            if not reason.startswith(GONE):
                self.trouble[package.name] = f"{wanted[place]}: {reason}"
            elif mirror not in self.gone:
                self.gone.append(mirror)
        self.missing = still


def obtain(  # noqa: PLR0913, PLR0917 - tests replace the last two
    lock: Lock,
    mirrors: Iterable[Mirror],
    folder: Path,
    progress: Callable[[str], None],
    keyrings: Path = index.KEYRINGS,
    purpose: Purpose = MACHINE,
) -> Obtained:
    """Fetch the lock's packages into `folder`.

    A mirror that lacks a package, does not answer or sends something else is followed by the next. A package that is
    nowhere any more is replaced by the newest of the same name, whose digest is the signed index's.

    Raises:
        EmulatorError: a package cannot be fetched, or what was sent is not what the lock names.
    """
    folder.mkdir(parents=True, exist_ok=True)
    search = _Search(purpose, folder, list(lock.packages))
    for mirror in mirrors:
        if not search.missing:
            break
        progress(f"fetching {len(search.missing)} of Debian's packages for {purpose.name}")
        search.ask(mirror)
    newer = {}
    if search.missing:
        if search.trouble or not search.gone:
            raise _failure(search)
        newer = _newest(lock, search, progress, keyrings)
    packages = tuple(newer.get(package.name, package) for package in lock.packages)
    replaced = tuple(
        f"{old.name} {old.version} is on no mirror any more: {new.name} {new.version} took its place"
        for old, new in zip(lock.packages, packages, strict=True)
        if old != new
    )
    return Obtained(tuple(folder / package.file for package in packages), packages, replaced)


def _wrong(place: Path, package: Package) -> str:
    """What is wrong with a file; empty if it is the package."""
    size = place.stat().st_size
    if size != package.bytes:
        return f"it sent {size:,} bytes, and {package.name} {package.version} has {package.bytes:,}"
    found = sha256_of(place)
    if found != package.sha256:
        return f"it sent a file with the sha256 {found[:12]}…, and the lock says {package.sha256[:12]}…"
    return ""


def _failure(search: _Search) -> EmulatorError:
    if not search.trouble:
        return EmulatorError(
            "No mirror of Debian is known to this host, or Debian's list cannot be fetched.", search.purpose.hint
        )
    name, reason = next(iter(search.trouble.items()))
    others = len(search.trouble) - 1
    more = f" (and {others} more)" if others else ""
    return EmulatorError(
        f"The package {name}{more} of {search.purpose.name} could not be fetched. {reason}.", search.purpose.hint
    )


def _newest(lock: Lock, search: _Search, progress: Callable[[str], None], keyrings: Path) -> dict[str, Package]:
    """The successors of the packages that are nowhere any more, fetched."""
    progress("looking for the successors of packages that are on no mirror any more")
    problem = None
    for mirror in search.gone:
        try:
            with tempfile.TemporaryDirectory(dir=search.folder) as scratch:
                archives = dict.fromkeys(package.archive for package in search.missing)
                indexes = {
                    archive: index.read(mirror, archive, lock.release, Path(scratch), keyrings, lock.architecture)
                    for archive in archives
                }
            newer = {package.name: indexes[package.archive].successor(package) for package in search.missing}
        except (EmulatorError, KeyError) as error:
            problem = problem or error
            continue
        again = _Search(search.purpose, search.folder, list(newer.values()))
        again.ask(mirror)
        if not again.missing:
            return newer
        problem = problem or _failure(again)
    raise EmulatorError(
        f"The package {search.missing[0].name} {search.missing[0].version} is on no mirror any more, and no successor "
        f"was found: {problem.message if isinstance(problem, EmulatorError) else problem}",
        search.purpose.hint,
    ) from problem


#: What the machine does not read; half of a kernel's package is modules for hardware that it does not have.
UNREAD = re.compile(
    r"usr/share/(doc|man|locale|info|lintian|perl5)/|lib/modules/(?!.*/virtio)|boot/(config|System\.map)-|var/"
)


def unpack(files: Sequence[Path], folder: Path, leave_out: re.Pattern[str] = UNREAD) -> None:
    """Unpack what the machine reads, without configuring it: nothing that the machine runs needs that.

    Args:
        files: Packages.
        folder: Where they are unpacked.
        leave_out: Matches the beginning of the paths that are not.

    Raises:
        EmulatorError: a file is not a Debian package, or leads out of `folder`.
    """
    folder.mkdir(parents=True, exist_ok=True)
    largest_first = sorted(files, key=lambda file: -file.stat().st_size)
    with ThreadPoolExecutor(_AT_ONCE) as pool:  # no file is in two packages
        for done in [pool.submit(_unpack, file, folder, leave_out) for file in largest_first]:
            done.result()


def _unpack(file: Path, folder: Path, leave_out: re.Pattern[str]) -> None:
    try:
        with _data(file) as stream, tarfile.open(fileobj=stream, mode="r|*") as tar:
            for member in tar:
                if not leave_out.match("/".join(PurePosixPath(member.name).parts)):
                    _place(tar, member, folder)
    except (tarfile.TarError, EOFError, ValueError) as error:
        raise EmulatorError(f"{file.name} is not a usable Debian package: {error}.", HINT) from error


#: Packages that are unpacked side by side: what takes the time, xz, runs without Python's lock.
_AT_ONCE = 4

#: Of an ar archive, as deb(5) describes it: the magic string, and the bytes of each member's header.
_AR_MAGIC, _AR_HEADER = b"!<arch>\n", 60


@contextmanager
def _data(package: Path) -> Iterator[IO[bytes]]:
    """The packed tar of a package's files."""
    with package.open("rb") as file:
        if file.read(len(_AR_MAGIC)) != _AR_MAGIC:
            raise ValueError("it does not begin as one")
        while len(header := file.read(_AR_HEADER)) == _AR_HEADER:
            name, size = header[:16].decode("ascii").strip(" /"), int(header[48:58])
            if name.startswith("data.tar"):
                with tempfile.TemporaryFile() as copy:
                    copy.write(file.read(size))
                    copy.seek(0)
                    yield copy
                return
            file.seek(size + size % 2, 1)
        raise ValueError("it has no data.tar")


def _place(tar: tarfile.TarFile, member: tarfile.TarInfo, folder: Path) -> None:
    """Write one file, link or folder; devices are left out, and so are owners, which are root's in the image."""
    parts = PurePosixPath(member.name).parts
    if member.name.startswith("/") or ".." in parts:
        raise ValueError(f"{member.name} leads out of it")
    place = folder.joinpath(*parts)
    place.parent.mkdir(parents=True, exist_ok=True)
    if member.isdir():
        place.mkdir(exist_ok=True)
    elif member.issym():
        place.unlink(missing_ok=True)
        place.symlink_to(member.linkname)
    elif member.islnk():
        shutil.copy(folder / member.linkname, place)
    elif (content := tar.extractfile(member)) is not None:
        place.unlink(missing_ok=True)
        with place.open("wb") as file:
            shutil.copyfileobj(content, file)
        place.chmod(0o755 if member.mode & 0o111 else 0o644)
