"""A factory's package in the process that runs it: imported from the files that its hash covers, and from no others.

The folder that it lies in does not go onto Python's path. There, a file named like a module of the standard library or
of an installed package would run in that one's place, and no pin would know of it.
"""

from __future__ import annotations

import sys
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
from typing import TYPE_CHECKING

from edgecheck.converters.safety import factories
from edgecheck.errors import ConversionError

if TYPE_CHECKING:
    from collections.abc import Sequence
    from types import CodeType, ModuleType

    from edgecheck.converters.safety.factories import Code


def allow(code: Code) -> None:
    """Let this process import the package of a factory, ahead of all that is named like it.

    Raises:
        ConversionError: another package of that name is imported already.
    """
    loaded = sys.modules.get(code.top)
    if loaded is not None and Path(loaded.__file__ or "") not in code.files:
        raise ConversionError(
            f"The factory's package {code.top} is named like one that Python or edgecheck has imported already.",
            "Rename the package.",
        )
    sys.meta_path.insert(0, _OnlyHashed(code))


def missing(error: ModuleNotFoundError, factory: str, home: Path) -> ConversionError | None:
    """What a person should know of a module that a factory's code asked for and did not get.

    Args:
        error: What came of the import.
        factory: `package.module:function`.
        home: The budget's folder.

    Returns:
        None where it was not the factory's code that asked.
    """
    found = factories.code(factory, home)
    name = error.name or ""
    if name.partition(".")[0] == found.top:
        return ConversionError(
            f"The factory's module {name} is not found among the files of {found.top}.",
            f"They lie in {found.place}; what a link to a folder leads to is none of them.",
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
            f"{importers[-1]} imports {name}, which lies beside its package: only the factory's own package is looked "
            f"for in {home.resolve()}.",
            "Move it into the package, or install it.",
        )
    return ConversionError(f"{importers[-1]} imports {name}, which is not installed here.", f"Install {name}.")


def failure(error: Exception, code: Code) -> str:
    """What went wrong in a factory's code, and in which line of it: `RuntimeError: boom (nets/face.py, line 12)`."""
    said = next((line.strip() for line in str(error).splitlines() if line.strip()), "")
    words = f"{type(error).__name__}: {said.rstrip('.')}" if said else type(error).__name__
    if isinstance(error, SyntaxError):  # which names its place itself
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
    """Whether `home` holds a module of that name; a folder without any is none."""
    spec = PathFinder.find_spec(top, [str(home)])
    return spec is not None and (spec.origin is not None or any((home / top).glob("*.py")))


class _FromText(SourceFileLoader):
    """Compiles what was hashed; the bytecode that is kept beside it was not, and may be anybody's."""

    def get_code(self, fullname: str) -> CodeType:
        """The module's code, from its text."""
        path = self.get_filename(fullname)
        made: CodeType = self.source_to_code(self.get_data(path), path)
        return made


_LOADERS = (
    (ExtensionFileLoader, EXTENSION_SUFFIXES),
    (_FromText, SOURCE_SUFFIXES),
    (SourcelessFileLoader, BYTECODE_SUFFIXES),
)
"""In Python's own order: what it would import is what must have been hashed."""


class _OnlyHashed(MetaPathFinder):
    """Answers for one top-level name."""

    def __init__(self, code: Code) -> None:
        self._code = code
        self._files = frozenset(code.files)

    def find_spec(
        self, fullname: str, path: Sequence[str] | None = None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        """Where a module of the package comes from.

        Raises:
            ModuleNotFoundError: Python would import it from a file that the hash does not cover.
        """
        del target
        if fullname.partition(".")[0] != self._code.top:
            return None
        places = [str(self._code.place)] if path is None else list(path)
        found = [spec for place in places if (spec := FileFinder(place, *_LOADERS).find_spec(fullname)) is not None]
        # Python's own finder, whose turn is next, would look into the same places.
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
