"""The content of a YAML file, each value with its place, so that every later problem can point at it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TypeAlias

from edgecheck.config.problems import Place
from edgecheck.core.units import shown

#: Characters; a longer text is cut when a message quotes it.
_LONGEST = 64


@dataclass(frozen=True, slots=True)
class Mark:
    """A span of a file's text."""

    place: Place
    #: Characters from the beginning of the text, for edits in place.
    start: int
    end: int


@dataclass(frozen=True, slots=True)
class Scalar:
    """One value: text, a number, true, false or nothing."""

    mark: Mark
    #: As written, without quotes.
    text: str
    value: str | int | float | bool | None


@dataclass(frozen=True, slots=True)
class ListNode:
    """Values in order."""

    mark: Mark
    items: tuple[Node, ...]


@dataclass(frozen=True, slots=True)
class Entry:
    """One key of a mapping with its value."""

    key: Mark
    node: Node


@dataclass(frozen=True, slots=True)
class MappingNode:
    """Values by key, in the order of the file."""

    mark: Mark
    entries: Mapping[str, Entry]


Node: TypeAlias = "Scalar | ListNode | MappingNode"


def to_python(node: Node) -> object:
    """The bare value: dicts, lists and scalars."""
    if isinstance(node, MappingNode):
        return {key: to_python(entry.node) for key, entry in node.entries.items()}
    if isinstance(node, ListNode):
        return [to_python(item) for item in node.items]
    return node.value


def found(node: Node) -> str:
    """How a message names this value."""
    if isinstance(node, MappingNode):
        return "a mapping"
    if isinstance(node, ListNode):
        return "a list"
    is_plain = node.text.isprintable() and node.text.strip() and len(node.text) <= _LONGEST
    return node.text if is_plain else shown(node.text)


def text_of(node: Node | None) -> str:
    """The text of a node that is one printable line; else nothing."""
    if isinstance(node, Scalar) and isinstance(node.value, str) and node.value.isprintable():
        return node.value.strip() and node.value
    return ""


def child(node: Node, part: str | int) -> Node | None:
    """The value at a key or a list position; None if there is none."""
    if isinstance(node, MappingNode) and isinstance(part, str):
        entry = node.entries.get(part)
        return entry.node if entry else None
    if isinstance(node, ListNode) and isinstance(part, int) and part < len(node.items):
        return node.items[part]
    return None


def at(node: Node, parts: Sequence[str | int]) -> Node:
    """The value that `parts` lead to, or the last existing one on the way."""
    for part in parts:
        inner = child(node, part)
        if inner is None:
            break
        node = inner
    return node


def exactly(node: Node, *parts: str | int) -> Node | None:
    """The value that `parts` lead to; None if there is none."""
    inner: Node | None = node
    for part in parts:
        inner = None if inner is None else child(inner, part)
    return inner


def overlay(lower: Node, upper: Node) -> Node:
    """`upper` laid over `lower`: mappings key by key, and of everything else only the upper one."""
    if not (isinstance(lower, MappingNode) and isinstance(upper, MappingNode)):
        return upper
    merged = dict(lower.entries)
    for key, entry in upper.entries.items():
        below = merged.get(key)
        merged[key] = replace(entry, node=overlay(below.node, entry.node)) if below else entry
    return replace(upper, entries=merged)
