"""Reads `[tool.edgecheck]` of a `pyproject.toml` as the tree that `edgecheck.yaml` would give, with lines.

The parser gives no places: a value's line is that of the nearest key above it that begins a line.
"""

from __future__ import annotations

import re
import sys
from pathlib import Path
from typing import Any

from edgecheck.config.files import read_text, shown_path
from edgecheck.config.problems import Place, Problem, RefusedError
from edgecheck.config.tree import Entry, ListNode, MappingNode, Mark, Node, Scalar

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

_TABLE = ("tool", "edgecheck")
#: A table's header, or a key at the beginning of a line.
_HEADER = re.compile(r"\s*\[\s*([^\[\]]+?)\s*\]\s*(?:#.*)?")
_KEY = re.compile(r"""\s*((?:[\w-]+|"[^"]*"|'[^']*')(?:\s*\.\s*(?:[\w-]+|"[^"]*"|'[^']*'))*)\s*=""")
_PART = re.compile(r"""[\w-]+|"[^"]*"|'[^']*'""")


def has_table(path: Path) -> bool:
    """Whether the file has the table; one that cannot be read or is not TOML has none that concerns us."""
    try:
        text = path.read_text(encoding="utf-8")
        return "edgecheck" in text and isinstance(_table(tomllib.loads(text)), dict)
    except (OSError, ValueError):
        return False


def read_table(path: Path) -> Node:
    """The table's tree.

    Raises:
        RefusedError: the file cannot be read, or is not TOML.
    """
    text = read_text(path)
    file = shown_path(path)
    try:
        data = tomllib.loads(text)
    except ValueError as error:  # its message has the line and the column
        raise RefusedError(Problem(Place(file), "", f"is not TOML: {error}")) from error
    places = _Places(file, text)
    return _node(_table(data), (), places)


def _table(data: dict[str, Any]) -> Any:
    tool = data.get(_TABLE[0])
    return tool.get(_TABLE[1]) if isinstance(tool, dict) else None


class _Places:
    """Where keys are, by the keys that lead to them from the table."""

    def __init__(self, file: str, text: str) -> None:
        self._file = file
        self._lines: dict[tuple[str, ...], tuple[int, int]] = {}
        table: tuple[str, ...] = ()
        for number, line in enumerate(text.splitlines(), start=1):
            if header := _HEADER.fullmatch(line):
                table = _parts(header[1])
                self._add(table, number, line)
            elif found := _KEY.match(line):
                self._add((*table, *_parts(found[1])), number, line)

    def _add(self, keys: tuple[str, ...], number: int, line: str) -> None:
        if keys[: len(_TABLE)] == _TABLE:
            column = len(line) - len(line.lstrip()) + 1
            self._lines.setdefault(keys[len(_TABLE) :], (number, column))

    def mark(self, keys: tuple[str, ...]) -> Mark:
        """The place of a key, or of the nearest one around it."""
        while keys and keys not in self._lines:
            keys = keys[:-1]
        line, column = self._lines.get(keys, (1, 1))
        return Mark(Place(self._file, line, column), 0, 0)


def _parts(written: str) -> tuple[str, ...]:
    return tuple(part.strip("\"'") for part in _PART.findall(written))


def _node(value: Any, keys: tuple[str, ...], places: _Places) -> Node:
    mark = places.mark(keys)
    if isinstance(value, dict):
        return MappingNode(
            mark,
            {
                name: Entry(places.mark((*keys, name)), _node(inner, (*keys, name), places))
                for name, inner in value.items()
            },
        )
    if isinstance(value, list):
        return ListNode(mark, tuple(_node(item, keys, places) for item in value))
    plain = value if isinstance(value, (str, int, float, bool)) else str(value)
    return Scalar(mark, str(value), plain)
