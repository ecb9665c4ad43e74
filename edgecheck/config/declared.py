"""Finds, in pydantic models, the key that a location in a file stands for."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, get_args

from pydantic import BaseModel

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from pydantic.fields import FieldInfo


@dataclass(frozen=True, slots=True)
class Declared:
    """The nearest declared key on the way to a location."""

    field: FieldInfo | None
    """None at the root."""
    is_exact: bool
    """Whether the location is this key's own value, not something inside."""
    models: tuple[type[BaseModel], ...]
    """The sections that may stand there."""

    @property
    def keys(self) -> list[str]:
        """The keys of those sections."""
        return [key for model in self.models for key in _by_key(model)]

    @property
    def example(self) -> str:
        """A valid value as YAML in one line; empty where none is declared."""
        examples = (self.field.examples if self.field else None) or [""]
        return as_yaml(examples[0])


def declared(model: type[BaseModel], location: Sequence[str | int]) -> Declared:
    """The declared key for pydantic's `location`, where parts in angle brackets name branches of unions."""
    models: tuple[type[BaseModel], ...] = (model,)
    field, is_exact = None, True
    for part in location:
        inner = next((known for candidate in models if (known := _by_key(candidate).get(str(part)))), None)
        if inner is not None:
            field, is_exact, models = inner, True, tuple(_models_in(inner.annotation))
        elif not str(part).startswith("<"):
            is_exact = False
    return Declared(field, is_exact, models)


def as_yaml(value: object) -> str:
    """A plain value as YAML in one line."""
    if isinstance(value, dict):
        return "{" + ", ".join(f"{name}: {as_yaml(item)}" for name, item in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(map(as_yaml, value)) + "]"
    return str(value)


def _by_key(model: type[BaseModel]) -> dict[str, FieldInfo]:
    return {field.alias or name: field for name, field in model.model_fields.items()}


def _models_in(annotation: Any) -> Iterator[type[BaseModel]]:
    inner = get_args(getattr(annotation, "__value__", annotation))
    if not inner and isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
    for argument in inner:
        yield from _models_in(argument)
