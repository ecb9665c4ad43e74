"""The code behind `factory: package.module:function`: found and hashed, then imported from just those files.

edgecheck itself only hashes it. The child process imports it, and does so without putting the folder of the package on
Python's path: there, a file named like a module of the standard library or of an installed package would replace it,
and no pin would cover that file.
"""

from __future__ import annotations

import hashlib
import sys
from collections.abc import Sequence
from importlib.abc import MetaPathFinder
from importlib.machinery import (
    BYTECODE_SUFFIXES,
    EXTENSION_SUFFIXES,
    SOURCE_SUFFIXES,
    ExtensionFileLoader,
    FileFinder,
    ModuleSpec,
    PathFinder,
    SourceFileLoader,
    SourcelessFileLoader,
)
from pathlib import Path
from traceback import walk_tb
from types import CodeType
from typing import NamedTuple

from edgecheck.errors import ConversionError

_IMPORTABLE = (*EXTENSION_SUFFIXES, *SOURCE_SUFFIXES, *BYTECODE_SUFFIXES)


class Code(NamedTuple):
    """What a factory belongs to: a top-level package, or one module."""

    top: str
    """Its name."""
    place: Path
    """The folder that contains it."""
    root: Path
    """The folder to which the files' names in the hash are relative: the package, or the folder of the module."""
    files: tuple[Path, ...]
    """Everything in it that Python could import, except for the bytecode in `__pycache__`."""


def sha256(factory: str, home: Path) -> str:
    """One hash for the code that a factory belongs to: its top-level module, or every file of its package.

    Args:
        factory: `package.module:function`.
        home: The folder that is searched before Python's own path.

    Raises:
        ConversionError: the text is not `module:function`, or its module is not found.
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
        ConversionError: the text is not `module:function`.
    """
    module, _, function = factory.partition(":")
    if not function.isidentifier() or not all(part.isidentifier() for part in module.split(".")):
        raise ConversionError(
            f"{factory!r} does not name a factory.", "Write it as `factory: package.module:function`."
        )
    return module, function


def code(factory: str, home: Path) -> Code:
    """The code of a factory, in `home` or on Python's path.

    Raises:
        ConversionError: the text is not `module:function`, or its module is not found.
    """
    module, _ = parts(factory)
    top = module.partition(".")[0]
    spec = PathFinder.find_spec(top, [str(home.resolve()), *(each for each in sys.path if each)])
    if spec is None or (spec.origin is None and not spec.submodule_search_locations):
        raise ConversionError(
            f"The factory's module {top} was not found.", f"Searched: {home.resolve()} and Python's path."
        )
    if spec.submodule_search_locations:
        root = Path(next(iter(spec.submodule_search_locations)))
        return Code(top, root.parent, root, tuple(sorted(file for file in root.rglob("*") if _is_code(file))))
    origin = Path(str(spec.origin))
    return Code(top, origin.parent, origin.parent, (origin,))


def _is_code(file: Path) -> bool:
    """Whether Python could import this file."""
    if not file.name.endswith(_IMPORTABLE) or (file.parent.name == "__pycache__" and file.suffix == ".pyc"):
        return False
    return file.is_file()


# What follows is used by the child process that runs the factory.


def allow(code: Code) -> None:
    """Let this process import the package of a factory, in preference to anything of the same name.

    Raises:
        ConversionError: another package of that name is imported already.
    """
    loaded = sys.modules.get(code.top)
    if loaded is not None and Path(loaded.__file__ or "") not in code.files:
        raise ConversionError(
            f"The factory's package {code.top} has the name of one that Python or edgecheck has already imported.",
            "Rename the package.",
        )
    sys.meta_path.insert(0, _OnlyHashed(code))


def missing(error: ModuleNotFoundError, factory: str, home: Path) -> ConversionError | None:
    """The error to show when a factory's code imported a module that was not found.

    Args:
        error: What the import raised.
        factory: `package.module:function`.
        home: The budget's folder.

    Returns:
        None if the import was not in the factory's code.
    """
    found = code(factory, home)
    name = error.name or ""
    if name.partition(".")[0] == found.top:
        return ConversionError(
            f"The factory's module {name} was not found among the files of {found.top}.",
            f"They are in {found.place}; links to folders are not followed.",
        )
    importers = [
        module
        for frame, _ in walk_tb(error.__traceback__)
        if (module := str(frame.f_globals.get("__name__"))).partition(".")[0] == found.top
    ]
    if not name or not importers:
        return None
    if _lies_in(home.resolve(), name.partition(".")[0]):
        return ConversionError(
            f"{importers[-1]} imports {name}, which is next to its package: from {home.resolve()}, only the factory's "
            "package is imported.",
            "Move it into the package, or install it.",
        )
    return ConversionError(f"{importers[-1]} imports {name}, which is not installed here.", f"Install {name}.")


def failure(error: Exception, code: Code) -> str:
    """An error in a factory's code, with its line there: `RuntimeError: boom (nets/face.py, line 12)`."""
    said = next((line.strip() for line in str(error).splitlines() if line.strip()), "")
    words = f"{type(error).__name__}: {said.rstrip('.')}" if said else type(error).__name__
    if isinstance(error, SyntaxError):  # which already names its line
        return words
    lines = [
        (Path(frame.f_code.co_filename), line)
        for frame, line in walk_tb(error.__traceback__)
        if Path(frame.f_code.co_filename) in code.files
    ]
    if not lines:
        return words
    file, line = lines[-1]
    return f"{words} ({file.relative_to(code.place)}, line {line})"


def _lies_in(home: Path, top: str) -> bool:
    """Whether `home` contains a module of that name, or a folder of Python files."""
    spec = PathFinder.find_spec(top, [str(home)])
    return spec is not None and (spec.origin is not None or any((home / top).glob("*.py")))


class _FromText(SourceFileLoader):
    """Compiles the text, which was hashed; the cached bytecode was not, and may be from anybody."""

    def get_code(self, fullname: str) -> CodeType:
        """Compile the module's text."""
        path = self.get_filename(fullname)
        compiled: CodeType = self.source_to_code(self.get_data(path), path)
        return compiled


#: In Python's own order: what it would import is what must have been hashed.
_LOADERS = (
    (ExtensionFileLoader, EXTENSION_SUFFIXES),
    (_FromText, SOURCE_SUFFIXES),
    (SourcelessFileLoader, BYTECODE_SUFFIXES),
)


class _OnlyHashed(MetaPathFinder):
    """Finds the modules below one top-level name."""

    def __init__(self, code: Code) -> None:
        self._code = code
        self._files = frozenset(code.files)

    def find_spec(self, fullname: str, path: Sequence[str] | None = None, target: object = None) -> ModuleSpec | None:
        """The module's spec, if it is part of the package.

        Raises:
            ModuleNotFoundError: Python would import it from a file that the hash does not cover.
        """
        del target
        if fullname.partition(".")[0] != self._code.top:
            return None
        places = [str(self._code.place)] if path is None else list(path)
        found = [spec for place in places if (spec := FileFinder(place, *_LOADERS).find_spec(fullname)) is not None]
        # Python's own finder, which comes next, would search the same folders.
        if not found:
            return None
        first = next((spec for spec in found if spec.loader is not None), found[0])
        if not self._is_hashed(first):
            raise ModuleNotFoundError(f"No module named {fullname!r} among the hashed files", name=fullname)
        return first

    def _is_hashed(self, spec: ModuleSpec) -> bool:
        if spec.loader is not None:
            return Path(str(spec.origin)) in self._files
        folders = [Path(each) for each in spec.submodule_search_locations or ()]  # a package without an __init__.py
        return any(folder in file.parents for folder in folders for file in self._files)
