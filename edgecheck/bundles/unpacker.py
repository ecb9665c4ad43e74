"""Unpacks a bundle on the device: `python3 unpacker.py ARCHIVE FOLDER DIGEST`, or `-` for an archive on stdin.

FOLDER is complete or absent. Runs under Python 3.6 with nothing but the standard library, and imports nothing
from edgecheck.
"""

import compileall
import gzip
import hashlib
import os
import py_compile
import shutil
import sys
import tarfile
import tempfile
import time
import zlib
from contextlib import suppress
from pathlib import Path, PurePosixPath
from typing import IO, Any, cast

_CHUNK = 1 << 20

#: Bytes from which a file is assumed to be a library.
_MAPPED = 1 << 16

_SCRATCH = ".unpacking-"

#: Seconds without a new entry, after which an unpacker must have been killed.
_ABANDONED = 3600.0


class DamagedError(Exception):
    """The archive is not the bundle that was expected."""


class HashingReader:
    """Passes bytes on and keeps their sha256."""

    def __init__(self, source: "IO[bytes]") -> None:
        self._source = source
        self._hash = hashlib.sha256()

    def read(self, size: int = _CHUNK) -> bytes:
        """Up to `size` bytes."""
        data = self._source.read(size)
        self._hash.update(data)
        return data

    def finish(self) -> str:
        """Read the rest; the sha256 of everything."""
        while self.read():
            pass
        return self._hash.hexdigest()


def extract(source: "IO[bytes]", folder: Path, digest: str) -> None:
    """Write the files of the archive into `folder`, which exists and is empty.

    Raises:
        DamagedError: the archive is cut off, or its content is not the one named `digest`; files may have been written.
        OSError: the disk is full, for example.
    """
    try:
        with gzip.GzipFile(fileobj=source, mode="rb") as unzipped:
            reader = HashingReader(cast("IO[bytes]", unzipped))
            with tarfile.open(fileobj=cast("IO[bytes]", reader), mode="r|") as tar:
                for member in tar:
                    _place(tar, member, folder)
            found = reader.finish()
    except (EOFError, tarfile.TarError, zlib.error) as error:
        raise DamagedError(f"the archive is damaged: {error}") from error
    except OSError as error:
        if error.errno is None:  # raised by gzip: not a gzip file, or a wrong checksum
            raise DamagedError(f"the archive is damaged: {error}") from error
        raise
    if found != digest:
        raise DamagedError(f"the archive holds {found}, not {digest}")


def _place(tar: tarfile.TarFile, member: tarfile.TarInfo, folder: Path) -> None:
    path = PurePosixPath(member.name)
    content = tar.extractfile(member) if member.isreg() else None
    if content is None or path.is_absolute() or ".." in path.parts:
        raise DamagedError(f"{member.name!r} does not belong in a bundle")
    place = folder.joinpath(*path.parts)
    place.parent.mkdir(parents=True, exist_ok=True)
    with content, place.open("wb") as file:
        shutil.copyfileobj(content, file, _CHUNK)
        if member.size > _MAPPED:
            _forget_pages(file)
    place.chmod(0o755 if member.mode & 0o100 else 0o644)
    os.utime(str(place), (member.mtime, member.mtime))


def _forget_pages(file: "IO[bytes]") -> None:
    """Make the kernel read a library from the disk again when it is mapped.

    Pages that were just written lie in the cache in larger pieces than pages that were read, and mapping one maps its
    neighbours: RSS was 7 MB higher (Linux 6.18, tflite-runtime and numpy) until the cache was dropped.
    """
    file.flush()
    os.fsync(file.fileno())
    if hasattr(os, "posix_fadvise"):
        os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)


def _compile_modules(folder: Path) -> None:
    """Compile the modules for the running Python, as pip does when it installs.

    Without this every process of a device that cannot write byte code compiles numpy as it imports it: 0.3 s on a PC,
    and up to 9 MB more of its RAM.
    """
    options: dict[str, Any] = {}
    if hasattr(py_compile, "PycInvalidationMode"):  # from 3.7 on; unchecked, as the files never change
        options["invalidation_mode"] = py_compile.PycInvalidationMode.UNCHECKED_HASH
    compileall.compile_dir(str(folder), quiet=2, ddir="bundle", **options)


def unpack(archive: str, folder: Path, digest: str) -> bool:
    """Unpack and compile into `folder`; False if it already existed.

    Raises:
        DamagedError: as `extract`.
        OSError: as `extract`.
    """
    if folder.exists():
        return False
    folder.parent.mkdir(parents=True, exist_ok=True)
    _sweep(folder.parent)
    scratch = Path(tempfile.mkdtemp(prefix=_SCRATCH, dir=str(folder.parent)))
    try:
        if archive == "-":
            extract(sys.stdin.buffer, scratch, digest)
        else:
            with Path(archive).open("rb") as source:
                extract(source, scratch, digest)
        _compile_modules(scratch)
        scratch.chmod(0o755)
        return _publish(scratch, folder)
    finally:
        shutil.rmtree(str(scratch), ignore_errors=True)


def _sweep(parent: Path) -> None:
    """Remove what an unpacker that was killed left behind."""
    for left in parent.glob(_SCRATCH + "*"):
        with suppress(FileNotFoundError):
            if time.time() - left.stat().st_mtime > _ABANDONED:
                shutil.rmtree(str(left), ignore_errors=True)


def _publish(scratch: Path, folder: Path) -> bool:
    try:
        scratch.rename(folder)
    except OSError:
        if not folder.exists():
            raise
        return False  # another process was faster, with the same content
    return True


def main(arguments: "list[str]") -> int:
    """`ARCHIVE FOLDER DIGEST`, or `--compile FOLDER`; 1, and a sentence on stderr, if damaged or out of space."""
    try:
        if arguments[0] == "--compile":
            _compile_modules(Path(arguments[1]))
        else:
            archive, folder, digest = arguments
            unpack(archive, Path(folder), digest)
    except (DamagedError, OSError) as error:
        sys.stderr.write(f"{error}\n")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
