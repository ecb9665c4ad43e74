"""What a pickle may import without being asked about: short lists, in files beside this one."""

from __future__ import annotations

from functools import cache
from pathlib import Path


def is_harmless(module: str, name: str, kind: str) -> bool:
    """Whether importing and calling `module.name` runs nothing but what it is there for.

    Args:
        module: As the pickle names it.
        name: The class or function; a dotted one, which would reach into something, is never harmless.
        kind: Which list: `sklearn` or `torch`.
    """
    return name in _listed(kind).get(module, frozenset())


@cache
def _listed(kind: str) -> dict[str, frozenset[str]]:
    text = Path(__file__).with_name(f"harmless_{kind}.txt").read_text(encoding="utf-8")
    lines = (line.partition(":") for line in text.splitlines() if line and not line.startswith("#"))
    return {module: frozenset(names.split()) for module, _, names in lines}
