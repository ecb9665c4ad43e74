"""Checks a tree against a pydantic model, and says what is wrong in this tool's words, each at its place."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar, get_args

from pydantic import BaseModel, ValidationError

from edgecheck.config.fields import TakesError, TakesTextError
from edgecheck.config.problems import Problem, did_you_mean, path_text
from edgecheck.config.tree import MappingNode, Scalar, at, child, found, to_python

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from pydantic.fields import FieldInfo
    from pydantic_core import ErrorDetails

    from edgecheck.config.tree import Node

# RF-SECTION declared: Finds, in pydantic models, the key that a location in a file stands for.


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


_M = TypeVar("_M", bound=BaseModel)


def validate(model: type[_M], root: Node, problems: list[Problem]) -> _M | None:
    """The validated model; None after every problem was added to `problems`."""
    try:
        return model.model_validate(to_python(root))
    except ValidationError as error:
        problems += [_problem(detail, model, root) for detail in _details(error)]
        return None


def problems_of_part(model: type[BaseModel], root: Node) -> list[Problem]:
    """What is wrong in a file that other files complete: all but missing keys."""
    try:
        model.model_validate(to_python(root))
    except ValidationError as error:
        return [_problem(detail, model, root) for detail in _details(error) if detail["type"] != "missing"]
    return []


def _details(error: ValidationError) -> list[ErrorDetails]:
    return error.errors(include_url=False)


def _problem(detail: ErrorDetails, model: type[BaseModel], root: Node) -> Problem:
    location = detail["loc"]
    parts = _parts_in_tree(root, location)
    node = at(root, parts)
    if detail["type"] == "missing":
        return Problem(node.mark.place, path_text([*parts, location[-1]]), _missing(declared(model, location)))
    if detail["type"] == "extra_forbidden":
        return _unknown_key(root, parts, declared(model, location[:-1]).keys)
    return Problem(node.mark.place, path_text(parts), _wrong_value(detail, node, declared(model, location)))


def _parts_in_tree(root: Node, location: Sequence[str | int]) -> list[str | int]:
    """Those parts of pydantic's location that are in the file; the others name branches of unions."""
    parts: list[str | int] = []
    node = root
    for part in location:
        inner = child(node, part)
        if inner is not None:
            parts.append(part)
            node = inner
    return parts


def _missing(key: Declared) -> str:
    meaning = ((key.field.description if key.field else "") or "a value").split(";")[0].rstrip(".")
    return f"is missing: {meaning[0].lower()}{meaning[1:]}, such as {key.example}"


def _unknown_key(root: Node, parts: Sequence[str | int], known: Sequence[str]) -> Problem:
    parent, name = at(root, parts[:-1]), str(parts[-1])
    place = parent.entries[name].key.place if isinstance(parent, MappingNode) else parent.mark.place
    advice = did_you_mean(name, known) or f"; takes {', '.join(known)}"
    return Problem(place, path_text(parts), f"the key is not known{advice}")


def _wrong_value(detail: ErrorDetails, node: Node, key: Declared) -> str:
    error = detail.get("ctx", {}).get("error")
    if isinstance(error, TakesError):
        return f"{_found(node, reads_as=isinstance(error, TakesTextError))}; takes {error}"
    if error is not None:
        return str(error)
    shape = "a list" if detail["type"] == "list_type" else "a mapping"
    if key.is_exact and key.example:
        return f"{_found(node)}; takes {shape} such as {key.example}"
    keys = f" with the keys {', '.join(key.keys[:3])} and so on" if key.keys else ""
    return f"{_found(node)}; takes {shape}{keys}"


def _found(node: Node, *, reads_as: bool = False) -> str:
    """What was found, and on demand how YAML reads it where text was meant."""
    if isinstance(node, Scalar) and node.value is None:
        return "is empty"
    if reads_as and isinstance(node, Scalar) and isinstance(node.value, (int, float)):
        kind = "true or false" if isinstance(node.value, bool) else "a number"
        return f'found {found(node)}, which YAML reads as {kind} (it is text in quotes: "{found(node)}")'
    return f"found {found(node)}"
