"""Files that commands write: complete or not at all, and checked beforehand where much work comes before."""

from __future__ import annotations

import difflib
import errno
import os
import re
import shlex
import sys
import tempfile
from contextlib import suppress
from pathlib import Path

import click

from edgecheck.config.files import shown_path
from edgecheck.errors import UsageError

#: Folders of links to what a process has open: `/dev/stdout` leads there, and the shell's `>(jq)` is in one.
_OPEN_FILES = re.compile(r"/dev/fd|/proc/[^/]+(/task/\d+)?/fd")

#: A link after this many others leads nowhere (path_resolution(7)).
_MOST_LINKS = 40

_ANOTHER_PLACE = "Name another place for it."


def replace_file(path: Path, content: str | bytes) -> None:
    """Write text, as UTF-8, or bytes to `path`; after an error or an interruption the file is as it was.

    A link is followed. What is not a file (a device, a pipe) is written to, and never replaced.

    Raises:
        OSError: it cannot be written.
    """
    written = content.encode() if isinstance(content, str) else content
    if _is_written_through(path):
        sys.stdout.flush()  # it may be the same place
        with path.open("ab") as through:
            through.write(written)
        return
    path = Path(os.path.realpath(path))
    handle, scratch = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name[:40]}-")
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(written)
        Path(scratch).chmod(0o666 & ~_umask())
        Path(scratch).replace(path)
    except BaseException:
        with suppress(OSError):
            Path(scratch).unlink()
        raise


def _is_written_through(path: Path) -> bool:
    """Whether `path` leads to a device, a pipe, a socket, or a file that a process has open."""
    if path.exists() and not path.is_file() and not path.is_dir():
        return True
    for _ in range(_MOST_LINKS):
        if _OPEN_FILES.fullmatch(str(path.parent)):
            return True
        if not path.is_symlink():
            break
        path = path.parent / path.readlink()
    return False


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask


def ensure_writable(path: Path) -> None:
    """Check that a report can be written to `path`, before anything is measured for it.

    Raises:
        UsageError: it is a folder, or its folder does not exist or cannot be written to.
    """
    if _is_written_through(path):
        if not os.access(path, os.W_OK):
            raise UsageError(f"{path} cannot be written to.", _ANOTHER_PLACE)
        return
    folder = Path(os.path.realpath(path)).parent
    if path.is_dir():
        raise UsageError(f"{path} is a folder.", "Name a file.")
    if not (nearest := _nearest(folder)).is_dir():
        raise UsageError(f"{path} cannot be written to: {nearest} is not a folder.", _ANOTHER_PLACE)
    if not folder.is_dir():
        raise UsageError(f"The folder of {path} does not exist.", f"mkdir -p {shlex.quote(str(folder))}")
    ensure_folder(folder, _ANOTHER_PLACE)


def ensure_folder(folder: Path, hint: str) -> None:
    """Check that files can be written to `folder`, which is made later if it does not exist.

    Raises:
        UsageError: it is not a folder, or it cannot be made or written to; with this hint.
    """
    try:
        with tempfile.TemporaryFile(dir=_nearest(folder)):  # permission bits do not show a read-only disk, nor /proc
            pass
    except OSError as error:
        raise UsageError(f"{folder} cannot be written to: {error.strerror}.", hint) from error


def _nearest(folder: Path) -> Path:
    """The folder, or what there is of the path to it."""
    return next(place for place in (folder, *folder.absolute().parents) if os.path.lexists(place))


def next_step(path: Path, error: OSError) -> str:
    """What to do about a file that could not be written, where no other place can be named."""
    folder = Path(os.path.realpath(path)).parent
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return f"Free some space: df -h {shlex.quote(str(folder))}"
    nearest = _nearest(folder)
    if not nearest.is_dir():
        return f"{nearest} is not a folder: move it away, or work in another folder."
    quoted = shlex.quote(str(folder))
    return f"mkdir -p {quoted}" if nearest != folder else f"Check who may write there: ls -ld {quoted}"


def write_report(path: Path, content: str | bytes) -> None:
    """Write a report, as `replace_file` does.

    Raises:
        UsageError: it cannot be written.
    """
    try:
        replace_file(path, content)
    except BrokenPipeError:  # its reader has seen enough
        raise
    except OSError as error:
        raise UsageError(f"{path} could not be written: {error.strerror}.", next_step(path, error)) from error


def write_edited(path: Path, text: str) -> None:
    """Replace a file of the user's: with its mode, and at its own place where `path` is a link.

    Raises:
        UsageError: it cannot be written.
    """
    place = path.resolve()
    try:
        mode = place.stat().st_mode
        replace_file(place, text)
        place.chmod(mode)
    except OSError as error:
        raise UsageError(f"{path} could not be written: {error.strerror}.", next_step(place, error)) from error


def print_diff(path: Path, before: str, after: str) -> None:
    """Print how a file would change, as a unified diff."""
    name = shown_path(path)
    lines = before.splitlines(keepends=True), after.splitlines(keepends=True)
    for line in difflib.unified_diff(*lines, name, name):
        click.echo(line.rstrip("\r\n"))
