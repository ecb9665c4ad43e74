"""Reads a file that a user edits as text, with a cap on its size."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

from edgecheck.config.problems import Place, Problem, RefusedError

if TYPE_CHECKING:
    from typing import BinaryIO

_LARGEST = 1_000_000
# What UTF-8 can hold and YAML's specification does not call printable.
_FOREIGN = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x84\x86-\x9f]|\ufeff|\ufffe|\uffff")


def shown_path(path: Path) -> str:
    """The path as a user in the working directory would type it, on one line and printable."""
    try:
        text = str(path.absolute().relative_to(Path.cwd()))
    except ValueError:
        text = str(path)
    return text if text.isprintable() else text.encode("unicode_escape").decode("ascii")


def read_text(path: Path) -> str:
    """The file's text, line ends untouched.

    Raises:
        RefusedError: it cannot be opened, is over 1 MB, is not UTF-8, or holds control characters.
    """
    file = shown_path(path)
    if path.exists() and not path.is_file():
        raise _refused(Place(file), "is not a file")
    try:
        with path.open("rb") as stream:
            data = _capped(stream, file)
    except OSError as error:
        raise _refused(Place(file), f"cannot be read: {error.strerror or error}") from error
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        place = _place(file, data[: error.start].decode("utf-8-sig"))
        raise _refused(place, f"byte 0x{data[error.start]:02x} is not UTF-8; save the file as UTF-8") from error
    foreign = _FOREIGN.search(text)
    if foreign:
        place = _place(file, text[: foreign.start()])
        raise _refused(place, f"found the control character U+{ord(foreign[0]):04X}; expected text")
    return text


def _capped(stream: BinaryIO, file: str) -> bytes:
    data = stream.read(_LARGEST + 1)
    if len(data) > _LARGEST:
        raise _refused(Place(file), "is larger than 1 MB, which no budget or profile is")
    return data


def _place(file: str, before: str) -> Place:
    lines = before.split("\n")
    return Place(file, len(lines), len(lines[-1]) + 1)


def _refused(place: Place, message: str) -> RefusedError:
    return RefusedError(Problem(place, "", message))
