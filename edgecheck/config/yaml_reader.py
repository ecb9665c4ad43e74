"""Reads YAML into a tree with places, from libyaml's events, with limits on depth and on what aliases expand to."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import cast

import yaml

from edgecheck.config.files import read_text, shown_path
from edgecheck.config.problems import Place, Problem, RefusedError, path_text
from edgecheck.config.tree import Entry, ListNode, MappingNode, Mark, Node, Scalar

_LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
#: Levels of nesting.
_DEEPEST = 32
#: Values in a file, with aliases expanded.
_MOST_VALUES = 10_000
_TAG = "tag:yaml.org,2002:"
_STANDARD = frozenset({"str", "int", "float", "bool", "null", "map", "seq"})
_MERGE = "<<"


def read_file(path: Path) -> Node:
    """The tree of a file.

    Raises:
        RefusedError: as `read_text` and `read_tree`.
    """
    return read_tree(read_text(path), shown_path(path))


def read_tree(text: str, file: str) -> Node:
    """The tree of the one document in `text`.

    Raises:
        RefusedError: it is not YAML, has no document or several, nests or expands too far, repeats a key, or has a tag
            or a number whose meaning depends on the reader.
    """
    builder = _Builder(file)
    try:
        for event in yaml.parse(text, Loader=_LOADER):
            builder.take(event)
    except yaml.MarkedYAMLError as error:
        raise RefusedError(_syntax_problem(error, text, file)) from error
    if builder.root is None or (isinstance(builder.root, Scalar) and builder.root.value is None):
        raise RefusedError(Problem(Place(file), "", "is empty"))
    return builder.root


@dataclass(slots=True)
class _Open:
    """A list or mapping that has not ended yet."""

    event: yaml.CollectionStartEvent
    items: list[Node] = field(default_factory=list)
    entries: dict[str, Entry] = field(default_factory=dict)
    #: The value of `<<`.
    merge: Entry | None = None
    #: The key whose value comes next.
    key: _Key | None = None
    #: Values inside, with aliases expanded.
    size: int = 1
    #: Levels inside, with aliases expanded.
    height: int = 1


@dataclass(frozen=True, slots=True)
class _Key:
    text: str
    mark: Mark
    is_merge: bool


@dataclass(frozen=True, slots=True)
class _Anchored:
    node: Node
    size: int
    height: int


class _Builder:
    """Takes events in order; after the last one, `root` is the tree."""

    def __init__(self, file: str) -> None:
        self.file = file
        self.root: Node | None = None
        self.open: list[_Open] = []
        self.anchors: dict[str | None, _Anchored | None] = {}
        self.documents = 0
        self.values = 0

    def take(self, event: yaml.Event) -> None:
        if isinstance(event, yaml.ScalarEvent):
            self._take_scalar(event)
        elif isinstance(event, yaml.CollectionStartEvent):
            self._begin(event)
        elif isinstance(event, yaml.CollectionEndEvent):
            self._end(event)
        elif isinstance(event, yaml.AliasEvent):
            self._take_alias(event)
        elif isinstance(event, yaml.DocumentStartEvent):
            self.documents += 1
            if self.documents > 1:
                raise self._refused(event, "a second document starts here; expected one document per file")

    def _take_scalar(self, event: yaml.ScalarEvent) -> None:
        self._check_tag(event)
        if self._awaits_key():
            self._take_key(event)
            return
        try:
            value = _scalar_value(event.value, plain=event.implicit[0], tag=(event.tag or "").removeprefix(_TAG))
        except _AmbiguousError as error:
            raise self._refused(event, str(error)) from error
        self._count(1, 0, event)
        self._add(_Anchored(Scalar(self._mark(event), event.value, value), 1, 0), event)

    def _take_key(self, event: yaml.ScalarEvent) -> None:
        parent = self.open[-1]
        if not event.value:
            raise self._refused(event, "a key is empty; expected text before the colon")
        is_merge = event.value == _MERGE and event.implicit[0]
        first = parent.merge if is_merge else parent.entries.get(event.value)
        if first is not None:
            message = f"duplicate key, first on line {first.key.place.line}"
            raise self._refused(event, message, event.value)
        parent.key = _Key(event.value, self._mark(event), is_merge)

    def _awaits_key(self) -> bool:
        return bool(self.open) and isinstance(self.open[-1].event, yaml.MappingStartEvent) and not self.open[-1].key

    def _take_alias(self, event: yaml.AliasEvent) -> None:
        if self._awaits_key():
            raise self._refused(event, "an alias stands where a key belongs; expected text before the colon")
        name = str(event.anchor)[:64]
        if event.anchor not in self.anchors:
            raise self._refused(event, f"the alias *{name} has no anchor &{name} before it")
        target = self.anchors[event.anchor]
        if target is None:
            raise self._refused(event, f"the alias *{name} stands inside what it stands for")
        self._count(target.size, target.height, event)
        self._add(target, event)

    def _begin(self, event: yaml.CollectionStartEvent) -> None:
        self._check_tag(event)
        if self._awaits_key():
            raise self._refused(event, "a list or mapping stands where a key belongs; expected text before the colon")
        if event.anchor is not None:
            self.anchors[event.anchor] = None
        self.open.append(_Open(event))
        self._count(1, 0, event)

    def _end(self, event: yaml.CollectionEndEvent) -> None:
        closed = self.open.pop()
        mark = self._mark(closed.event, event)
        if isinstance(closed.event, yaml.SequenceStartEvent):
            node: Node = ListNode(mark, tuple(closed.items))
        else:
            node = MappingNode(mark, self._with_merges(closed))
        self._add(_Anchored(node, closed.size, closed.height), closed.event)

    def _with_merges(self, closed: _Open) -> dict[str, Entry]:
        entries = closed.entries
        if closed.merge is None:
            return entries
        merged = closed.merge.node
        for mapping in merged.items if isinstance(merged, ListNode) else (merged,):
            if not isinstance(mapping, MappingNode):
                raise self._refused_at(merged.mark, "`<<` takes a mapping, or a list of mappings")
            entries = {**mapping.entries, **entries}
        return entries

    def _add(self, built: _Anchored, event: yaml.NodeEvent) -> None:
        if event.anchor is not None and not isinstance(event, yaml.AliasEvent):
            self.anchors[event.anchor] = built
        if not self.open:
            self.root = built.node
            return
        parent = self.open[-1]
        parent.size += built.size
        parent.height = max(parent.height, built.height + 1)
        key, parent.key = parent.key, None
        if key is None:
            parent.items.append(built.node)
        elif key.is_merge:
            parent.merge = Entry(key.mark, built.node)
        else:
            parent.entries[key.text] = Entry(key.mark, built.node)

    def _count(self, size: int, height: int, event: yaml.Event) -> None:
        self.values += size
        if len(self.open) + height > _DEEPEST:
            raise RefusedError(Problem(self._mark(event).place, "", f"nests deeper than {_DEEPEST} levels"))
        if self.values > _MOST_VALUES:
            message = f"holds more than {_MOST_VALUES:,} values, aliases expanded"
            raise self._refused(event, message)

    def _check_tag(self, event: yaml.ScalarEvent | yaml.CollectionStartEvent) -> None:
        if event.tag is not None and event.tag.removeprefix(_TAG) not in _STANDARD:
            tag = event.tag.replace(_TAG, "!!")
            raise self._refused(event, f"found the tag {tag[:64]}; expected plain values, without a tag")

    def _refused(self, event: yaml.Event, message: str, *key: str) -> RefusedError:
        return self._refused_at(self._mark(event), message, *key)

    def _refused_at(self, mark: Mark, message: str, *key: str) -> RefusedError:
        return RefusedError(Problem(mark.place, path_text([*self._parts(), *key]), message))

    def _parts(self) -> Iterator[str | int]:
        for frame in self.open:
            if frame.key is not None:
                yield frame.key.text
            elif isinstance(frame.event, yaml.SequenceStartEvent):
                yield len(frame.items)

    def _mark(self, event: yaml.Event, end: yaml.Event | None = None) -> Mark:
        start = cast("yaml.Mark", event.start_mark)  # only events that no parser made have none
        stop = cast("yaml.Mark", (end or event).end_mark)
        return Mark(Place(self.file, start.line + 1, start.column + 1), start.index, stop.index)


_TRUTH = {"true": True, "True": True, "TRUE": True, "false": False, "False": False, "FALSE": False}
_NOTHING = frozenset({"", "~", "null", "Null", "NULL"})
_WHOLE = re.compile(r"[-+]?(?:0|[1-9][0-9_]*)")
_FRACTION = re.compile(r"[-+]?(?:[0-9][0-9_]*\.[0-9_]*|\.[0-9][0-9_]*|[0-9][0-9_]*(?=[eE]))(?:[eE][-+]?[0-9]+)?")
_SPECIAL = re.compile(r"[-+]?\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN)")
_LEADING_ZERO = re.compile(r"[-+]?0[0-9_]+")
#: Characters; a longer number is text, and is refused as such.
_LONGEST = 64


class _AmbiguousError(ValueError):
    """A number that YAML readers do not agree on."""


def _scalar_value(text: str, *, plain: bool, tag: str) -> str | int | float | bool | None:
    """The value of a scalar: what every version of YAML agrees on, and everything else as text.

    `yes`, `no`, `on`, `off`, dates and base-60 numbers (`1:30`) stay text, as in YAML 1.2.

    Args:
        text: As written, without quotes.
        plain: Whether it was written without quotes.
        tag: Its standard tag, such as `str`; empty for none.

    Raises:
        _AmbiguousError: it has a leading zero, which YAML 1.1 reads as octal and YAML 1.2 does not.
    """
    if tag == "str" or (not plain and not tag) or len(text) > _LONGEST:
        return text
    if text in _NOTHING:
        return None
    if text in _TRUTH:
        return _TRUTH[text]
    return _number(text)


def _number(text: str) -> str | int | float:
    if _LEADING_ZERO.fullmatch(text):
        bare = text.lstrip("+-0_") or "0"
        raise _AmbiguousError(
            f"{text} starts with a zero, which some YAML readers take for octal; write {bare}, "
            f'or "{text}" where text is meant'
        )
    if _WHOLE.fullmatch(text):
        return int(text.replace("_", ""))
    if _FRACTION.fullmatch(text):
        value = float(text.replace("_", ""))
        return value if math.isfinite(value) else text
    if _SPECIAL.fullmatch(text):
        return float(text.replace(".", ""))
    return text


_TAB = re.compile(r" *\t")
#: A second colon on a line: in libyaml's words, then in those of PyYAML's parser, which is used without libyaml.
_COLON = ("mapping values are not allowed in this context", "mapping values are not allowed here")
#: What libyaml says -> what is wrong, so that the fix is clear.
_ADVICE = {
    **dict.fromkeys(_COLON, "the line above lacks its colon, or this one is indented too far"),
    "found character that cannot start any token": "a character that YAML reserves; quote the text that starts with it",
    "found unexpected end of stream": "the file ends inside a quoted text; close the quote",
    "did not find expected ',' or '}'": "a comma or } is missing",
    "did not find expected ',' or ']'": "a comma or ] is missing",
    "did not find expected key": "the indentation does not fit the lines above",
    "did not find expected '-' indicator": "the indentation does not fit the list above",
    "could not find expected ':'": "a key lacks its colon",
    "found undefined tag handle": "a tag; expected plain values, without a tag",
}


def _syntax_problem(error: yaml.MarkedYAMLError, text: str, file: str) -> Problem:
    """The problem at the place that libyaml points at."""
    mark = error.problem_mark or error.context_mark
    if mark is None:
        return Problem(Place(file), "", f"is not YAML: {error.problem}")
    place = Place(file, mark.line + 1, mark.column + 1)
    line = text.split("\n")[mark.line] if mark.line <= text.count("\n") else ""
    tab = _TAB.match(line)
    if tab:
        return Problem(Place(file, place.line, tab.end()), "", "found a tab; YAML takes spaces to indent")
    if error.problem in _COLON and ": " in line[: mark.column]:
        return Problem(place, "", "is not YAML here: a second colon on the line; quote the text that holds it")
    said = error.problem or "the text ends too early"
    return Problem(place, "", f"is not YAML here: {_ADVICE.get(said, said)}")
