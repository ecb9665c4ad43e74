"""Takes a file or an archive from the host into the cache: complete and checked, or not at all."""

import errno
import hashlib
import os
import re
import shutil
import subprocess
import sys
import tempfile
from contextlib import suppress
from pathlib import Path
from typing import IO, Any, cast

from edgecheck.targets.courier import link as links
from edgecheck.targets.courier import store as stores

_PIECE = 1 << 16
_FULL = {errno.ENOSPC, errno.EDQUOT}


class Damaged(Exception):  # noqa: N818 - it is what happened
    """The content is not what was announced."""


def receive(link: links.Link, store: stores.Store, item: "dict[str, Any]") -> None:
    """Take the content that follows the line `item`, and keep it.

    Raises:
        Damaged: see there.
        OSError: the disk is full, for example.
        links.Gone: see there.
    """
    if item["kind"] == "file":
        _receive_file(link, store, item)
    else:
        _receive_tree(link, store, item)


def _receive_file(link: links.Link, store: stores.Store, item: "dict[str, Any]") -> None:
    place = store.file(item["digest"])
    with tempfile.NamedTemporaryFile(dir=str(place.parent), prefix=".coming-", delete=False) as file:
        try:
            _copy(link, cast("IO[bytes]", file), item)
            file.flush()
            os.fsync(file.fileno())  # a board that loses power must not keep a name without its content
            Path(file.name).replace(place)
        except BaseException:
            with suppress(FileNotFoundError):
                Path(file.name).unlink()
            raise


def _copy(link: links.Link, file: "IO[bytes]", item: "dict[str, Any]") -> None:
    digest, size = hashlib.sha256(), item["size"]
    while size:
        piece = link.piece(min(size, _PIECE))
        size -= len(piece)
        digest.update(piece)
        file.write(piece)
    if digest.hexdigest() != item["digest"]:
        raise Damaged(f"{item['what']} changed on the way")


def _receive_tree(link: links.Link, store: stores.Store, item: "dict[str, Any]") -> None:
    """Unpack it as it comes: the archive takes no room on the disk."""
    folder = store.tree(item["digest"])
    if not store.mark(item["digest"]).exists():
        shutil.rmtree(str(folder), ignore_errors=True)
    # -I: a file of the user's may be called `tarfile.py`
    argv = [sys.executable, "-I", "-c", item["unpacker"], "-", str(folder), item["digest"]]
    with tempfile.TemporaryFile(dir=str(store.folder)) as said:
        unpacker = subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=said, stderr=said, start_new_session=True)
        try:
            _feed(link, unpacker, item["size"])
            link.during(unpacker.wait)
        finally:
            _end(unpacker)
        if unpacker.returncode != 0:
            said.seek(0)
            _refuse(said.read().decode("utf-8", "replace").strip())
    link.during(os.sync)  # after a loss of power, the mark below must not be there without its files
    store.mark(item["digest"]).write_text(str(_size(folder)), encoding="ascii")


def _feed(link: links.Link, unpacker: "subprocess.Popen[bytes]", size: int) -> None:
    assert unpacker.stdin is not None  # noqa: S101 - a pipe was requested
    with suppress(BrokenPipeError), unpacker.stdin as pipe:
        while size:
            piece = link.piece(min(size, _PIECE))
            size -= len(piece)
            pipe.write(piece)


def _end(unpacker: "subprocess.Popen[bytes]") -> None:
    """Let it notice that no more comes, so that it removes what it has unpacked."""
    with suppress(OSError):
        if unpacker.stdin is not None:
            unpacker.stdin.close()
    try:
        unpacker.wait(10)
    except subprocess.TimeoutExpired:
        unpacker.kill()
        unpacker.wait()


def _refuse(said: str) -> None:
    number = re.search(r"\[Errno (\d+)\]", said)
    if number and int(number.group(1)) in _FULL:
        raise OSError(int(number.group(1)), os.strerror(int(number.group(1))))
    raise Damaged(said.splitlines()[-1] if said else "the unpacker was killed")


def _size(folder: Path) -> int:
    """Bytes that the files in `folder` take on the disk."""
    return sum(path.lstat().st_blocks * 512 for path in folder.rglob("*"))
