"""Files that a user edits: found in folders, read as text with a cap on their size, and named as the user would."""

from __future__ import annotations

import glob
import os
import re
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import BinaryIO

from edgecheck.config.problems import Place, Problem, RefusedError

#: How the names of YAML files end.
SUFFIXES = (".yaml", ".yml")

#: Bytes; no budget or profile is larger.
_LARGEST = 1_000_000

#: What exporters of models (Ultralytics') write next to them.
_OF_EXPORTS = ("metadata.yaml",)

#: What UTF-8 can hold and YAML's specification does not call printable (YAML 1.2.2, section 5.1).
_FOREIGN = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x84\x86-\x9f]|\ufeff|\ufffe|\uffff")


def yaml_files(paths: Iterable[Path], problems: list[Problem]) -> list[Path]:
    """The files that `paths` name and those in folders that they name, each once.

    Folders are searched to any depth, except for what is hidden.
    """
    files: dict[Path, Path] = {}
    for path in paths:
        found = sorted(_below(path)) if path.is_dir() else [path]
        if not found:
            problems.append(Problem(Place(shown_path(path)), "", "the folder has no .yaml file"))
        for file in found:
            files.setdefault(Path(os.path.realpath(file)), file)
    return list(files.values())


def budgets_below(folder: Path) -> bool:
    """Whether a folder has .yaml files, at any depth, that may be budgets."""
    return any(file.name not in _OF_EXPORTS for file in _below(folder))


def _below(folder: Path) -> Iterator[Path]:
    for path in folder.rglob("*"):
        hidden = any(part.startswith(".") for part in path.relative_to(folder).parts)
        if path.suffix in SUFFIXES and not hidden and path.is_file():
            yield path


def upwards(folder: Path) -> Iterator[Path]:
    """The folder and those above it, up to the root of a git repository or the home folder."""
    home = Path.home()
    start = Path(os.path.abspath(folder))  # noqa: PTH100 - resolve() would leave the path that the user knows
    for candidate in (start, *start.parents):
        yield candidate
        if candidate == home or (candidate / ".git").exists():
            return


def matching_paths(text: str, folder: Path) -> list[Path]:
    """What a path or a pattern (`*`, `?`, `[…]`, `**`) names, by name; a pattern skips what is hidden.

    A path is returned even if nothing is there; a pattern that nothing matches gives an empty list.
    """
    if not glob.has_magic(text) or os.path.exists(folder / text):  # noqa: PTH110 - pathlib's raises for a long name
        return [folder / text]
    found = glob.glob(text, root_dir=folder, recursive=True)  # noqa: PTH207 - pathlib's takes no absolute pattern
    return [folder / name for name in sorted(found)]


def git_root(folder: Path) -> Path | None:
    """The nearest folder, this one included, that has a `.git`; None outside of a repository."""
    return next((above for above in upwards(folder) if (above / ".git").exists()), None)


def shortest(written: Path) -> Path:
    """The shortest spelling, unless a `..` after a symbolic link makes that another place."""
    short = Path(os.path.normpath(written))
    return short if os.path.realpath(short) == os.path.realpath(written) else written


def shown_path(path: Path) -> str:
    """The path as a user in the working directory would type it, on one line and printable."""
    try:
        text = str(path.absolute().relative_to(Path.cwd()))
    except ValueError:
        text = _outside(path)
    return text if text.isprintable() else text.encode("unicode_escape").decode("ascii")


def _outside(path: Path) -> str:
    """A path outside of the working directory: with `..` inside of one repository, so that it is the same elsewhere."""
    root = git_root(Path.cwd())
    place = Path(os.path.abspath(path))  # noqa: PTH100 - resolve() would leave the path that the user knows
    return os.path.relpath(place) if root is not None and place.is_relative_to(root) else str(path)


def read_text(path: Path) -> str:
    """The text of a file, with its line ends as they are.

    Raises:
        RefusedError: it cannot be opened, is over 1 MB, is not UTF-8, or has control characters.
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
