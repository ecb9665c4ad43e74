"""What opening a pickled model would import, found by following its opcodes; nothing is imported, nothing is called."""

from __future__ import annotations

import io
import json
import zipfile
from dataclasses import dataclass, field
from math import prod
from typing import TYPE_CHECKING

from edgecheck.anatomy.encodings.span import Damage, Span, Unread, mapped
from edgecheck.anatomy.encodings.streams import compression, unpacked
from edgecheck.anatomy.pickles.arrays import read_dtype, read_shape
from edgecheck.anatomy.pickles.machine import Machine
from edgecheck.anatomy.pickles.objects import Made, Mapping, Text

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path
    from typing import Any

_WRAPPER = "joblib.numpy_pickle.NumpyArrayWrapper"
_ZIP, _PICKLE = b"PK\x03\x04", b"\x80"
_LARGEST_INNER = 1 << 31
_VERSION = "_sklearn_version"
_EXPECTED = (Damage, Unread, zipfile.BadZipFile, OSError, ValueError, KeyError, RecursionError, NotImplementedError)
"""What reading a damaged or hostile file raises."""


@dataclass(slots=True)
class Contents:
    """What was found."""

    names: set[tuple[str, str]] = field(default_factory=set)
    """Modules and names that opening it would import."""
    version: str = ""
    """The scikit-learn that wrote it; empty where it does not say."""
    doubt: str = ""
    """Why it could not be read to its end; empty where it was."""


def of_pickle(path: Path) -> Contents:
    """A pickle or a joblib file, packed or not."""
    found = Contents()
    with mapped(path) as span, _Follower(found) as opened:
        how = compression(span.raw(0, min(8, span.size)))
        if how is None:
            opened.follow(span)
        else:
            with unpacked(span, how) as content:
                opened.follow(content.span)
    return found


def of_torch_legacy(path: Path) -> Contents:
    """The five pickles, one after the other, with which torch's files began before 1.6."""
    found = Contents()
    with mapped(path) as span, _Follower(found) as opened:
        at = 0
        for _ in range(5):
            at = opened.follow(span, at)
    return found


def of_archive(path: Path) -> Contents:
    """Every pickle in a zip archive of torch's, also those in archives inside it."""
    found = Contents()
    with _Follower(found) as opened, zipfile.ZipFile(path) as archive:
        _enter(archive, opened)
    return found


def of_skops(path: Path) -> Contents:
    """The types that the description in a .skops names."""
    found = Contents()
    with _Follower(found), zipfile.ZipFile(path) as archive:
        found.names |= set(_types(json.loads(archive.read("schema.json"))))
        found.version = "skops"
    return found


class _Follower:
    """Follows pickles; what cannot be followed becomes the doubt, and a doubtful file is not opened."""

    def __init__(self, found: Contents) -> None:
        self._found = found

    def __enter__(self) -> _Follower:
        return self

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> bool:
        if isinstance(error, _EXPECTED):
            self._found.doubt = " ".join(str(error).split()) or type(error).__name__
            return True
        return False

    def follow(self, span: Span, at: int = 0) -> int:
        """One pickle; where it ends."""
        machine = Machine(span, at, lambda made, place: self._array(span, made, place))
        try:
            machine.run()
        finally:
            self._found.names |= {(name.module, name.name) for name in machine.names}
        return machine.at

    def _array(self, span: Span, made: Made, at: int) -> int:
        """Where the pickle goes on behind the array that joblib puts after a `NumpyArrayWrapper`."""
        if isinstance(made.state, Mapping) and isinstance(version := made.state.get(_VERSION), Text):
            self._found.version = str(version)
        if not made.called(_WRAPPER) or not isinstance(made.state, Mapping):
            return at
        dtype, shape = read_dtype(made.state.get("dtype")), read_shape(made.state.get("shape"))
        if dtype is None or shape is None:
            raise Damage("one of its arrays has no type or no shape")
        if dtype.name == "object":
            return self.follow(span, at)
        if dtype.size == 0 or "numpy" in dtype.name:
            raise Damage(f"one of its arrays has the type {dtype.name}, whose size is not known")
        if made.state.get("numpy_array_alignment_bytes") is not None:
            at += 1 + span.u8(at)
        span.sub(at, dtype.size * prod(shape))
        return at + dtype.size * prod(shape)


def _enter(archive: zipfile.ZipFile, opened: _Follower) -> None:
    for member in archive.infolist():
        if member.file_size > _LARGEST_INNER:
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
            raise  # any other member may be numbers that begin like a pickle; torch itself would not load it as one


def _types(value: Any) -> Iterator[tuple[str, str]]:
    """Modules and names in a description of skops, however deep they lie."""
    waiting = [value]
    while waiting:
        each = waiting.pop()
        if isinstance(each, dict):
            if isinstance(each.get("__class__"), str):
                yield str(each.get("__module__", "")), each["__class__"]
            waiting += each.values()
        elif isinstance(each, list):
            waiting += each
