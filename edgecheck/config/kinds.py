"""The kinds of value that budgets, profiles and projects hold, apart from sections: how each is read and described."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

from edgecheck.config.problems import Problem, did_you_mean, path_text
from edgecheck.config.schema import INVALID, Kind, Spot
from edgecheck.config.tree import ListNode, MappingNode, Scalar, to_python
from edgecheck.core.units import NUMBER, SUFFIXES, TAKES, Unit, parse, shown

if TYPE_CHECKING:
    from edgecheck.config.schema import Definitions
    from edgecheck.config.tree import Node


class TakesError(ValueError):
    """A value is of the wrong kind. The text says what is taken; what was found is added to it."""


class TakesTextError(TakesError):
    """As `TakesError`, where text is taken: a bare number, true and false are not text."""


@dataclass(eq=False, repr=False)
class Value:
    """A single value: a function that reads it, and the JSON Schema that says the same."""

    reader: Callable[[Any], Any]
    described: dict[str, Any]

    def read(self, spot: Spot) -> Any:
        """See `Kind.read`."""
        try:
            return self.reader(to_python(spot.node))
        except TakesError as error:
            return spot.add(f"{spot.found(takes_text=isinstance(error, TakesTextError))}; expected {error}")
        except ValueError as error:
            return spot.add(str(error))

    def schema(self, _definitions: Definitions) -> dict[str, Any]:
        """See `Kind.schema`."""
        return self.described


@dataclass(eq=False, repr=False)
class ListOf:
    """A list of values of one kind."""

    kind: Kind

    def read(self, spot: Spot) -> Any:
        """See `Kind.read`."""
        if not isinstance(spot.node, ListNode):
            return spot.add(f"{spot.found()}; expected a list{spot.such_as}")
        before = len(spot.problems)
        values = [self.kind.read(spot.inside(at, item)) for at, item in enumerate(spot.node.items)]
        return INVALID if len(spot.problems) > before else values

    def schema(self, definitions: Definitions) -> dict[str, Any]:
        """See `Kind.schema`."""
        return {"type": "array", "items": self.kind.schema(definitions)}


@dataclass(eq=False, repr=False)
class MappingOf:
    """A mapping whose keys are the user's, and whose values are of one kind."""

    key: Value
    kind: Kind

    def read(self, spot: Spot) -> Any:
        """See `Kind.read`."""
        if not isinstance(spot.node, MappingNode):
            return spot.add(f"{spot.found()}; expected a mapping{spot.such_as}")
        before, values = len(spot.problems), {}
        for name, entry in spot.node.entries.items():
            values[name] = self.kind.read(spot.inside(name, entry.node))
            try:
                self.key.reader(name)
            except TakesError as error:
                path = path_text((*spot.parts, name))
                spot.problems.append(Problem(entry.key.place, path, f"found the key {shown(name)}; expected {error}"))
        return INVALID if len(spot.problems) > before else values

    def schema(self, definitions: Definitions) -> dict[str, Any]:
        """See `Kind.schema`."""
        values, keys = self.kind.schema(definitions), self.key.described
        if "pattern" in keys:
            return {"type": "object", "patternProperties": {keys["pattern"]: values}}
        names = {word: value for word, value in keys.items() if word != "type"}
        return {"type": "object", "propertyNames": names, "additionalProperties": values}


@dataclass(eq=False, repr=False)
class Either:
    """One of several kinds, chosen by how the value is written."""

    kinds: tuple[Kind, ...]
    choose: Callable[[Node], Kind]
    #: The name that the JSON Schema has it under, once; empty: it is written out.
    name: str = ""

    def read(self, spot: Spot) -> Any:
        """See `Kind.read`."""
        return self.choose(spot.node).read(spot)

    def schema(self, definitions: Definitions) -> dict[str, Any]:
        """See `Kind.schema`."""
        described = {"oneOf": [kind.schema(definitions) for kind in self.kinds]}
        if not self.name:
            return described
        definitions[self.name] = described
        return {"$ref": f"#/$defs/{self.name}"}


@dataclass(eq=False, repr=False)
class OrNothing:
    """A value, or a key without one, which reads as None."""

    kind: Kind

    def read(self, spot: Spot) -> Any:
        """See `Kind.read`."""
        return None if isinstance(spot.node, Scalar) and spot.node.value is None else self.kind.read(spot)

    def schema(self, definitions: Definitions) -> dict[str, Any]:
        """See `Kind.schema`."""
        return {"anyOf": [self.kind.schema(definitions), {"type": "null"}]}


def mapping_or(other: Kind, mapping: Kind, name: str = "") -> Either:
    """`mapping` for a mapping, else `other`."""
    return Either((other, mapping), lambda node: mapping if isinstance(node, MappingNode) else other, name)


def list_or(other: Kind, several: Kind) -> Either:
    """`several` for a list, else `other`."""
    return Either((several, other), lambda node: several if isinstance(node, ListNode) else other)


def _read_quantity(raw: object, unit: Unit) -> float:
    if raw is None or isinstance(raw, (bool, list, dict)):
        raise TakesError(TAKES[unit])
    return parse(raw, unit)


def _read_share(raw: object) -> float:
    value = _read_quantity(raw, Unit.RATIO)
    if value > 1:
        raise ValueError(f"{shown(raw)} is more than 1; expected a share from 0 to 1, such as 0.99 or 99%")
    return value


def _quantity_schema(unit: Unit, **bounds: float) -> dict[str, Any]:
    names = sorted(SUFFIXES[unit], key=len, reverse=True)
    text = {
        "type": "string",
        "pattern": rf"^\s*\+?{NUMBER}\s*({'|'.join(map(re.escape, names))})\s*$",
        "patternErrorMessage": f"Expected {TAKES[unit]}.",  # VS Code's and yaml-language-server's word for it
    }
    number = {"type": "number", "minimum": 0, **bounds} if "" in names else {"const": 0}
    return {"anyOf": [number, text], "description": f"Takes {TAKES[unit]}."}


def quantity(unit: Unit) -> Value:
    """A value with a unit."""
    return Value(partial(_read_quantity, unit=unit), _quantity_schema(unit))


def _read_text(raw: object) -> str:
    if not isinstance(raw, str) or not raw.strip() or not raw.isprintable():
        raise TakesTextError("text on one line")
    return raw


def text_like(pattern: str, takes: str) -> Value:
    """Text of a certain form, which `takes` describes."""

    def read(raw: object) -> str:
        if not isinstance(raw, str) or not re.fullmatch(pattern, raw):
            raise TakesTextError(takes)
        return raw

    return Value(read, {"type": "string", "pattern": f"^(?:{pattern})$"})


def one_of(*words: str) -> Value:
    """One of a few words."""

    def read(raw: object) -> str:
        takes = words[0] if len(words) == 1 else f"one of {', '.join(words)}"
        if not isinstance(raw, str):
            raise TakesTextError(takes)
        if raw not in words:
            raise ValueError(f"found {shown(raw)}{did_you_mean(raw, words) or f'; expected {takes}'}")
        return raw

    return Value(read, {"type": "string", "enum": list(words)})


def whole_number(least: int, most: int) -> Value:
    """A whole number within bounds."""

    def read(raw: object) -> int:
        if isinstance(raw, bool) or not isinstance(raw, int) or not least <= raw <= most:
            raise TakesError(f"a whole number from {least:,} to {most:,}")
        return raw

    return Value(read, {"type": "integer", "minimum": least, "maximum": most})


def _read_truth(raw: object) -> bool:
    if not isinstance(raw, bool):
        raise TakesError("true or false")
    return raw


TEXT = Value(_read_text, {"type": "string", "minLength": 1})
BYTES = quantity(Unit.BYTES)
SECONDS = quantity(Unit.SECONDS)
HERTZ = quantity(Unit.HERTZ)
NUMBERS = quantity(Unit.COUNT)
SHARE = Value(_read_share, _quantity_schema(Unit.RATIO, maximum=1))
TRUTH = Value(_read_truth, {"type": "boolean"})
