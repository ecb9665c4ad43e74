"""The code behind `factory: package.module:function`: found and hashed without importing it."""

from __future__ import annotations

import hashlib
import sys
from importlib.machinery import BYTECODE_SUFFIXES, EXTENSION_SUFFIXES, SOURCE_SUFFIXES, PathFinder
from pathlib import Path
from typing import NamedTuple

from edgecheck.errors import ConversionError

_EXAMPLE = "Write it as `factory: package.module:function`."
_IMPORTABLE = (*EXTENSION_SUFFIXES, *SOURCE_SUFFIXES, *BYTECODE_SUFFIXES)


class Code(NamedTuple):
    """What a factory is part of: a top-level package, or one module."""

    top: str
    """Its name."""
    place: Path
    """The folder that it lies in."""
    root: Path
    """The folder that the files' names in the hash begin at: the package's own, or that of the module."""
    files: tuple[Path, ...]
    """Everything in it that Python could import, but for the bytecode that it keeps in `__pycache__`."""


def sha256(factory: str, home: Path) -> str:
    """One hash for the code that a factory is part of: its top-level module, or every file of its package.

    Args:
        factory: `package.module:function`.
        home: The folder that is looked into before Python's own path.

    Raises:
        ConversionError: the factory is not written as one, or its module is not found.
    """
    digest = hashlib.sha256()
    found = code(factory, home)
    for file in found.files:
        digest.update(file.relative_to(found.root).as_posix().encode() + b"\0")
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


def code(factory: str, home: Path) -> Code:
    """Where a factory's code lies, in `home` or on Python's path.

    Raises:
        ConversionError: the factory is not written as one, or its module is not found.
    """
    module, _ = parts(factory)
    top = module.partition(".")[0]
    spec = PathFinder.find_spec(top, [str(home.resolve()), *(each for each in sys.path if each)])
    if spec is None or (spec.origin is None and not spec.submodule_search_locations):
        raise ConversionError(
            f"The factory's module {top} is not found.", f"It is looked for in {home.resolve()} and on Python's path."
        )
    if spec.submodule_search_locations:
        root = Path(next(iter(spec.submodule_search_locations)))
        return Code(top, root.parent, root, tuple(sorted(file for file in root.rglob("*") if _is_code(file))))
    origin = Path(str(spec.origin))
    return Code(top, origin.parent, origin.parent, (origin,))


def _is_code(file: Path) -> bool:
    """Whether Python could import it, as it is; a folder may be named like that too."""
    if not file.name.endswith(_IMPORTABLE) or (file.parent.name == "__pycache__" and file.suffix == ".pyc"):
        return False
    return file.is_file()
