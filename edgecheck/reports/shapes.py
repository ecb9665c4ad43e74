"""Dataclasses from JSON values, by their annotations: the inverse of `json_report.plain`.

By hand, since pydantic would add 150 ms to the start and accept unknown keys unless configured otherwise.
"""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import MISSING, fields, is_dataclass
from enum import Enum
from functools import cache
from pathlib import PurePath
from types import NoneType, UnionType
from typing import Any, TypeVar, Union, cast, get_args, get_origin, get_type_hints

from edgecheck.core.samples import Samples

_T = TypeVar("_T")
_HALVES = re.compile("[\ud800-\udfff]")

_TAKES = {str: "text", bool: "true or false", int: "a whole number", float: "a number", NoneType: "null"}


class ShapeError(ValueError):
    """A value is not of the expected type; the text begins with its place in the document."""


def built(kind: type[_T], raw: object, place: str) -> _T:
    """`raw` as a value of type `kind`.

    Args:
        kind: A frozen dataclass, an enum, a path, or one of JSON's types.
        raw: As `json.loads` returned it.
        place: In the document, for messages: `checks[0].run`.

    Raises:
        ShapeError: it is of another type, or a key is missing or unknown.
    """
    return cast("_T", _built(kind, raw, place))


def _built(kind: Any, raw: object, place: str) -> object:
    origin = get_origin(kind)
    if origin in (Union, UnionType):
        return None if raw is None else _built(next(one for one in get_args(kind) if one is not NoneType), raw, place)
    if origin is tuple:
        return _tuple(get_args(kind), raw, place)
    if origin is Sequence:  # of figures
        return Samples(cast("tuple[float, ...]", _tuple((*get_args(kind), ...), raw, place)))
    if isinstance(kind, type) and issubclass(kind, Enum):
        return _member(kind, raw, place)
    if kind is PurePath:
        return PurePath(scalar(str, raw, place))
    if is_dataclass(kind):
        return _value(cast("type", kind), raw, place)
    return scalar(kind, raw, place)


def _tuple(kinds: tuple[Any, ...], raw: object, place: str) -> tuple[object, ...]:
    items = listed(raw, place)
    if kinds[-1] is not Ellipsis and len(items) != len(kinds):
        raise ShapeError(f"{place}: takes {len(kinds)} values, found {len(items)}")
    each = kinds if kinds[-1] is not Ellipsis else (kinds[0],) * len(items)
    if kinds == (float, ...) and set(map(type, items)) <= {int, float} and all(map(math.isfinite, items)):
        return tuple(items)  # hundreds of thousands of samples: checked together
    if kinds == (float, int) and type(items[0]) in (int, float) and type(items[1]) is int and math.isfinite(items[0]):
        return tuple(items)
    return tuple(_built(kind, item, f"{place}[{at}]") for at, (kind, item) in enumerate(zip(each, items, strict=True)))


def _member(kind: type[Enum], raw: object, place: str) -> Enum:
    try:
        return kind(raw)
    except ValueError:
        known = ", ".join(str(member.value) for member in kind)
        raise ShapeError(f"{place}: found {_shown(raw)}; expected one of {known}") from None


def _value(kind: type, raw: object, place: str) -> object:
    given = mapping(raw, place)
    kinds, required = _fields(kind)
    if unknown := set(given) - set(kinds):
        raise ShapeError(f"{place}: the key {_shown(min(unknown))} is not known")
    if missing := required - set(given):
        raise ShapeError(f"{place}: {min(missing)} is missing")
    return kind(**{name: _built(kinds[name], value, f"{place}.{name}") for name, value in given.items()})


@cache
def _fields(kind: type) -> tuple[dict[str, Any], frozenset[str]]:
    required = {one.name for one in fields(kind) if one.default is MISSING and one.default_factory is MISSING}
    # The core imports paths for its annotations only.
    return get_type_hints(kind, localns={"PurePath": PurePath}), frozenset(required)


def scalar(kind: Any, raw: object, place: str) -> Any:
    """A string, a number or a boolean; a float may be written without a fraction, and must be finite."""
    right = isinstance(raw, (int, float)) if kind is float else isinstance(raw, kind)
    if not right or (isinstance(raw, bool) and kind is not bool):
        raise ShapeError(f"{place}: found {_shown(raw)}; expected {_TAKES[kind]}")
    if isinstance(raw, float) and not math.isfinite(raw):
        raise ShapeError(f"{place}: the number is too large")
    # Half a surrogate pair is not a character: neither a terminal nor a file accepts it.
    return _HALVES.sub("\N{REPLACEMENT CHARACTER}", raw) if isinstance(raw, str) else raw


def mapping(raw: object, place: str) -> dict[str, Any]:
    """A JSON object."""
    if not isinstance(raw, dict):
        raise ShapeError(f"{place}: found {_shown(raw)}; expected an object")
    return raw


def listed(raw: object, place: str) -> list[Any]:
    """A JSON array."""
    if not isinstance(raw, list):
        raise ShapeError(f"{place}: found {_shown(raw)}; expected an array")
    return raw


def _shown(raw: object) -> str:
    if isinstance(raw, (dict, list)):
        return "an object" if isinstance(raw, dict) else "an array"
    text = repr(raw)
    return text if len(text) <= 40 else f"{text[:40]}…"  # noqa: PLR2004 - long enough to recognise it
