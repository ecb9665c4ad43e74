"""What opening a pickled model would import, found by following its opcodes, and which of that is harmless.

Nothing is imported and nothing is called. The lists of harmless names are the `harmless_*.txt` next to this file.
"""

from __future__ import annotations

import io
import json
import re
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

from edgecheck.anatomy.encodings.span import Damage, Span, Unread, mapped
from edgecheck.anatomy.encodings.streams import compression, unpacked
from edgecheck.anatomy.encodings.zipfile_errors import ZIP_ERRORS
from edgecheck.anatomy.pickles.arrays import read_wrapped
from edgecheck.anatomy.pickles.machine import Machine
from edgecheck.anatomy.pickles.objects import Made, Mapping, Name, Text

_WRAPPER = Name("joblib.numpy_pickle", "NumpyArrayWrapper")
_SCALAR = "numpy.core.multiarray.scalar"
_RECONSTRUCTORS = ("copyreg._reconstructor", "copy_reg._reconstructor")
_ZIP, _PICKLE = b"PK\x03\x04", b"\x80"
_VERSION = "_sklearn_version"

#: Bytes that a member of an archive may claim at most.
_LARGEST_MEMBER = 1 << 31

#: What reading a damaged or hostile file raises.
UNREADABLE = (*ZIP_ERRORS, Damage, Unread, KeyError, SyntaxError)


@dataclass(slots=True)
class PickledImports:
    """What opening a file would import or run."""

    names: set[tuple[str, str]] = field(default_factory=set)
    """Modules and names."""
    runs: tuple[str, ...] = ()
    """What else it would run, in words, where the file is more than a pickle."""
    reads: tuple[str, ...] = ()
    """What leads to other files, in words."""
    version: str = ""
    """The scikit-learn that wrote the file; empty if it does not say."""
    doubt: str = ""
    """Why the file could not be read to its end; empty if it could."""


def is_harmless(module: str, name: str, kind: str) -> bool:
    """Whether importing and calling `module.name` runs no code of the file's.

    Args:
        module: As the pickle names it.
        name: The class or function. A dotted name reaches into something and is never harmless.
        kind: Which list applies: `sklearn` or `torch`.
    """
    return name in _harmless(kind).get(module, frozenset())


@cache
def _harmless(kind: str) -> dict[str, frozenset[str]]:
    text = Path(__file__).with_name(f"harmless_{kind}.txt").read_text(encoding="utf-8")
    lines = (line.partition(":") for line in text.splitlines() if line and not line.startswith("#"))
    return {module: frozenset(names.split()) for module, _, names in lines}


def of_pickle(path: Path) -> PickledImports:
    """The imports of a pickle or a joblib file, compressed or not."""
    found = PickledImports()
    with mapped(path) as span, _Follower(found) as opened:
        how = compression(span.raw(0, min(8, span.size)))
        if how is None:
            opened.follow(span)
        else:
            with unpacked(span, how) as content:
                opened.follow(content.span)
    return found


def of_torch_legacy(path: Path) -> PickledImports:
    """The imports of the five consecutive pickles with which torch's files began before 1.6."""
    found = PickledImports()
    with mapped(path) as span, _Follower(found) as opened:
        at = 0
        for _ in range(5):
            at = opened.follow(span, at)
    return found


def of_archive(path: Path) -> PickledImports:
    """The imports of every pickle in a zip archive of torch's, also in archives inside it."""
    found = PickledImports()
    with _Follower(found) as opened, zipfile.ZipFile(path) as archive:
        _enter(archive, opened)
    return found


def of_skops(path: Path) -> PickledImports:
    """The types named in the description inside a .skops."""
    found = PickledImports()
    with _Follower(found), zipfile.ZipFile(path) as archive:
        found.names |= set(_types(json.loads(archive.read("schema.json"))))
        found.version = "skops"
    return found


def in_words(error: BaseException) -> str:
    """Why a file cannot be read, as a clause."""
    words = " ".join(str(error).split()) or type(error).__name__
    encrypted = re.search(r"'([^']*)'.* is encrypted", words)  # `zipfile` prints its own objects
    return f"its member {encrypted[1]} is encrypted" if encrypted else words


class _Follower:
    """Follows pickles. What it cannot follow becomes the doubt, and a doubtful file is not opened."""

    def __init__(self, found: PickledImports) -> None:
        self._found = found

    def __enter__(self) -> _Follower:
        return self

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> bool:
        if isinstance(error, UNREADABLE):
            self._found.doubt = in_words(error)
            return True
        return False

    def follow(self, span: Span, at: int = 0) -> int:
        """Follow one pickle; returns where it ends."""
        return self._follow(Machine(span, at, lambda made, place: self._array(span, made, place)))

    def _follow(self, machine: Machine) -> int:
        try:
            machine.run()
        finally:
            self._found.names |= {(name.module, name.name) for name in machine.names}
        return machine.at

    def _array(self, span: Span, made: Made, at: int) -> int:
        """Where the pickle continues after the array that joblib writes behind a `NumpyArrayWrapper`."""
        if isinstance(made.state, Mapping) and isinstance(version := made.state.get(_VERSION), Text):
            self._found.version = str(version)
        array = read_wrapped(span, made, at)
        if array is None:
            if _may_be_wrapper(made):
                raise Damage(f"the object before byte {at:,} is made in a way that no library uses")
            return at
        if array.nested:  # joblib opens it as a plain pickle, in which no arrays lie between the opcodes
            return self._follow(Machine(span, at))
        return at + array.padding + array.size


def _may_be_wrapper(made: Made) -> bool:
    """Whether an object may be joblib's wrapper although its maker is another: then an array follows it all the same.

    NumPy's `scalar` returns the object that it is given, which can also be the class.
    """
    if made.called(*_RECONSTRUCTORS):
        made_from = made.arguments[0] if isinstance(made.arguments, tuple) and made.arguments else None
        return not isinstance(made_from, Name) or made_from == _WRAPPER
    return made.called(_SCALAR) or not isinstance(made.maker, Name)


def _enter(archive: zipfile.ZipFile, opened: _Follower) -> None:
    for member in archive.infolist():
        if member.file_size > _LARGEST_MEMBER:
            raise Damage(f"its member {member.filename} claims {member.file_size:,} bytes")
        with archive.open(member) as stream:
            head = stream.read(4)
            if head != _ZIP and not _may_be_pickle(member.filename, head):
                continue
            content = head + stream.read()
        _enter_member(member.filename, content, opened)


def _may_be_pickle(name: str, head: bytes) -> bool:
    return name.endswith((".pkl", ".pickle")) or (head.startswith(_PICKLE) and head[1:2] <= b"\x05")


def _enter_member(name: str, content: bytes, opened: _Follower) -> None:
    if content.startswith(_ZIP):
        with zipfile.ZipFile(io.BytesIO(content)) as inner:
            _enter(inner, opened)
        return
    try:
        opened.follow(Span(content))
    except (Damage, Unread):
        if name.endswith((".pkl", ".pickle")):
            raise  # any other member may be numbers that begin like a pickle; torch would not unpickle it


def _types(value: Any) -> Iterator[tuple[str, str]]:
    """Modules and names in a description by skops, at any depth."""
    waiting = [value]
    while waiting:
        each = waiting.pop()
        if isinstance(each, dict):
            if isinstance(each.get("__class__"), str):
                yield str(each.get("__module__", "")), each["__class__"]
            waiting += each.values()
        elif isinstance(each, list):
            waiting += each
