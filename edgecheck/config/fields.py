"""The kinds of value that budgets and profiles hold: how each is read, and its JSON Schema."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Annotated, Any, TypeAlias

from pydantic import BaseModel, ConfigDict, Field, model_validator
from pydantic_core import core_schema

from edgecheck.config.problems import did_you_mean
from edgecheck.core.units import NUMBER, SUFFIXES, TAKES, Unit, parse, shown

if TYPE_CHECKING:
    from collections.abc import Callable


class TakesError(ValueError):
    """A value is of the wrong kind; the text says what is taken, and its place says what was found."""


class TakesTextError(TakesError):
    """As `TakesError`, where text is taken, which a bare number or true is not."""


class Section(BaseModel):
    """A mapping with known keys only."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class FileKeys(Section):
    """A whole file: a key without a value counts as absent where it may be absent."""

    @model_validator(mode="before")
    @classmethod
    def _without_empty_keys(cls, raw: object) -> object:
        if not isinstance(raw, dict):
            return raw
        optional = {field.alias or name for name, field in cls.model_fields.items() if not field.is_required()}
        return {name: value for name, value in raw.items() if value is not None or name not in optional}


@dataclass(frozen=True, slots=True, eq=False)
class Reads:
    """Pydantic metadata: a function that reads the YAML value, and the JSON Schema that says the same."""

    reader: Callable[[Any], Any]
    schema: dict[str, Any]

    def __get_pydantic_core_schema__(self, _source: object, _handler: object) -> core_schema.CoreSchema:
        return core_schema.no_info_plain_validator_function(self.reader)

    def __get_pydantic_json_schema__(self, _core: object, _handler: object) -> dict[str, Any]:
        return self.schema


def key(description: str, example: object, *, default: Any = ..., alias: str | None = None) -> Any:
    """A key's description and example, for editors and for messages."""
    return Field(default, description=description, examples=[example], alias=alias)


def _read_quantity(raw: object, unit: Unit) -> float:
    if raw is None or isinstance(raw, (bool, list, dict)):
        raise TakesError(TAKES[unit])
    return parse(raw, unit)


def _read_share(raw: object) -> float:
    value = _read_quantity(raw, Unit.RATIO)
    if value > 1:
        raise ValueError(f"{shown(raw)} is more than the whole; takes a share from 0 to 1, such as 0.99 or 99%")
    return value


def _quantity_schema(unit: Unit, **bounds: float) -> dict[str, Any]:
    names = sorted(SUFFIXES[unit], key=len, reverse=True)
    text = {"type": "string", "pattern": rf"^\s*\+?{NUMBER}\s*({'|'.join(map(re.escape, names))})\s*$"}
    number = {"type": "number", "minimum": 0, **bounds} if "" in names else {"const": 0}
    return {"anyOf": [number, text], "description": f"Takes {TAKES[unit]}."}


def quantity(unit: Unit) -> Reads:
    """A value with a unit."""
    return Reads(partial(_read_quantity, unit=unit), _quantity_schema(unit))


def _read_text(raw: object) -> str:
    if not isinstance(raw, str) or not raw.strip() or not raw.isprintable():
        raise TakesTextError("text on one line")
    return raw


def text_like(pattern: str, takes: str) -> Reads:
    """Text of a certain form, which `takes` describes."""
    form = re.compile(pattern)

    def read(raw: object) -> str:
        if not isinstance(raw, str) or not form.fullmatch(raw):
            raise TakesTextError(takes)
        return raw

    return Reads(read, {"type": "string", "pattern": f"^(?:{pattern})$"})


def one_of(*words: str) -> Reads:
    """One of a few words."""

    def read(raw: object) -> str:
        takes = words[0] if len(words) == 1 else f"one of {', '.join(words)}"
        if not isinstance(raw, str):
            raise TakesTextError(takes)
        if raw not in words:
            raise ValueError(f"found {shown(raw)}{did_you_mean(raw, words) or f'; takes {takes}'}")
        return raw

    return Reads(read, {"type": "string", "enum": list(words)})


def whole(least: int, most: int) -> Reads:
    """A whole number within bounds."""

    def read(raw: object) -> int:
        if isinstance(raw, bool) or not isinstance(raw, int) or not least <= raw <= most:
            raise TakesError(f"a whole number from {least:,} to {most:,}")
        return raw

    return Reads(read, {"type": "integer", "minimum": least, "maximum": most})


def _read_truth(raw: object) -> bool:
    if not isinstance(raw, bool):
        raise TakesError("true or false")
    return raw


Text: TypeAlias = Annotated[str, Reads(_read_text, {"type": "string", "minLength": 1})]
Bytes: TypeAlias = Annotated[float, quantity(Unit.BYTES)]
Seconds: TypeAlias = Annotated[float, quantity(Unit.SECONDS)]
Hertz: TypeAlias = Annotated[float, quantity(Unit.HERTZ)]
Number: TypeAlias = Annotated[float, quantity(Unit.COUNT)]
Share: TypeAlias = Annotated[float, Reads(_read_share, _quantity_schema(Unit.RATIO, maximum=1))]
Truth: TypeAlias = Annotated[bool, Reads(_read_truth, {"type": "boolean"})]
