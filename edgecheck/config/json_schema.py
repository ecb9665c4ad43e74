"""The JSON Schemas that editors use, from the very models that validate."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from edgecheck.config.budget_model import BudgetKeys
from edgecheck.config.profile_model import ProfileKeys

if TYPE_CHECKING:
    from pydantic import BaseModel

_DRAFT = "https://json-schema.org/draft/2020-12/schema"


def schema_of(model: type[BaseModel]) -> dict[str, Any]:
    """The model's schema, without the titles that pydantic makes of names and without defaults that say nothing."""
    schema = model.model_json_schema(by_alias=True)
    return {"$schema": _DRAFT, "title": schema["title"], **_telling(schema)}


def budget_schema() -> dict[str, Any]:
    """Of a budget."""
    return schema_of(BudgetKeys)


def profile_schema() -> dict[str, Any]:
    """Of a device profile."""
    return schema_of(ProfileKeys)


def _telling(node: Any) -> Any:
    if isinstance(node, dict):
        return {name: _telling(value) for name, value in node.items() if not _is_noise(name, value)}
    return [_telling(item) for item in node] if isinstance(node, list) else node


def _is_noise(name: str, value: Any) -> bool:
    """Whether it is a title, or a default that is empty or in base units: descriptions say those for people."""
    if name == "title":
        return isinstance(value, str)
    return name == "default" and (value in (None, "", []) or isinstance(value, (dict, float)))
