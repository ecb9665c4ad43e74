"""Checks a tree against a pydantic model, and says what is wrong in this tool's words, each at its place."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

from pydantic import BaseModel, ValidationError

from edgecheck.config.declared import declared
from edgecheck.config.fields import TakesError, TakesTextError
from edgecheck.config.problems import Problem, did_you_mean, path_text
from edgecheck.config.tree import MappingNode, Scalar, at, child, found, to_python

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pydantic_core import ErrorDetails

    from edgecheck.config.declared import Declared
    from edgecheck.config.tree import Node

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
