"""Takes a file or an archive from the host into the cache: complete and checked, or not at all.

What has come when the connection breaks is kept apart, and the next host that offers the same sends only the rest.
"""

import errno
import hashlib
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

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
    coming = _spooled(link, store, item)
    found = link.during(lambda: _sha256(coming))
    if found != item["digest"]:
        coming.unlink()
        raise Damaged(f"{item['what']} changed on the way")
    coming.replace(store.file(item["digest"]))


def _spooled(link: links.Link, store: stores.Store, item: "dict[str, Any]") -> Path:
    """The file with all of the item's bytes, after those that came over an earlier connection.

    It is on the disk: a board that loses power must not keep a name without its content.
    """
    coming = store.coming(item["digest"])
    with coming.open("ab") as file:
        file.truncate(item["sent"])
        size = item["size"] - item["sent"]
        try:
            while size:
                piece = link.piece(min(size, _PIECE))
                size -= len(piece)
                file.write(piece)
            file.flush()
            link.during(lambda: os.fsync(file.fileno()))
        except OSError:  # the disk is full: what is there takes room and is of no use
            coming.unlink()
            raise
    return coming


def _sha256(path: Path) -> str:
    digest = hashlib.sha256()
    with path.open("rb") as file:
        for piece in iter(lambda: file.read(_PIECE), b""):
            digest.update(piece)
    return digest.hexdigest()


def _receive_tree(link: links.Link, store: stores.Store, item: "dict[str, Any]") -> None:
    coming = _spooled(link, store, item)
    folder = store.tree(item["digest"])
    try:
        if not store.mark(item["digest"]).exists():
            link.during(lambda: shutil.rmtree(str(folder), ignore_errors=True))
        _unpack(link, store, item, coming)
    except (Damaged, OSError):
        coming.unlink()
        raise
    link.during(os.sync)  # after a loss of power, the mark below must not be there without its files
    store.mark(item["digest"]).write_text(str(_size(folder)), encoding="ascii")
    coming.unlink()


def _unpack(link: links.Link, store: stores.Store, item: "dict[str, Any]", archive: Path) -> None:
    # -I: a file of the user's may be called `tarfile.py`
    argv = [sys.executable, "-I", "-c", item["unpacker"], "-", str(store.tree(item["digest"])), item["digest"]]
    with tempfile.TemporaryFile(dir=str(store.folder)) as said, archive.open("rb") as content:
        unpacker = subprocess.Popen(argv, stdin=content, stdout=said, stderr=said, start_new_session=True)
        try:
            link.during(unpacker.wait)
        finally:
            _end(unpacker)
        if unpacker.returncode != 0:
            said.seek(0)
            _refuse(said.read().decode("utf-8", "replace").strip())


def _end(unpacker: "subprocess.Popen[bytes]") -> None:
    """End it if it still runs, so that it removes what it has unpacked."""
    if unpacker.poll() is None:
        unpacker.send_signal(signal.SIGINT)
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
