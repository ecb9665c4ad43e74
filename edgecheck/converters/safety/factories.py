"""The code behind `factory: package.module:function`: found and hashed without importing it."""

from __future__ import annotations

import hashlib
import sys
from importlib.machinery import PathFinder
from pathlib import Path
from typing import TYPE_CHECKING

from edgecheck.errors import ConversionError

if TYPE_CHECKING:
    from collections.abc import Iterable

_EXAMPLE = "Write it as `factory: package.module:function`."


def sha256(factory: str, home: Path) -> str:
    """One hash for the code that a factory is part of: its top-level module, or every file of its package.

    Args:
        factory: `package.module:function`.
        home: The folder that is looked into before Python's own path.

    Raises:
        ConversionError: the factory is not written as one, or its module is not found.
    """
    digest = hashlib.sha256()
    root, files = _code(factory, home)
    for file in files:
        digest.update(file.relative_to(root).as_posix().encode() + b"\0")
        digest.update(hashlib.sha256(file.read_bytes()).digest())
    return digest.hexdigest()


def parts(factory: str) -> tuple[str, str]:
    """The module's dotted name and the function's.

    Raises:
        ConversionError: it is not written as a factory.
    """
    module, _, function = factory.partition(":")
    if not function.isidentifier() or not all(part.isidentifier() for part in module.split(".")):
        raise ConversionError(f"{factory!r} is no factory.", _EXAMPLE)
    return module, function


def _code(factory: str, home: Path) -> tuple[Path, Iterable[Path]]:
    module, _ = parts(factory)
    top = module.partition(".")[0]
    spec = PathFinder.find_spec(top, [str(home), *(each for each in sys.path if each)])
    if spec is None or (spec.origin is None and not spec.submodule_search_locations):
        raise ConversionError(
            f"The factory's module {top} is not found.", f"It is looked for in {home.resolve()} and on Python's path."
        )
    if spec.submodule_search_locations:
        root = Path(next(iter(spec.submodule_search_locations)))
        return root, sorted(root.rglob("*.py"))
    origin = Path(str(spec.origin))
    return origin.parent, [origin]
