"""The files of one model, opened when a reader needs them and accounted for together."""

from __future__ import annotations

import os
from contextlib import ExitStack
from pathlib import Path, PurePosixPath
from types import TracebackType

from edgecheck.anatomy.accounting.ledger import Label, Ledger
from edgecheck.anatomy.accounting.region import Region
from edgecheck.anatomy.encodings.span import Damage, Span, mapped
from edgecheck.anatomy.values import FileBytes, Stream

#: Files that a model's folder may hold.
_MOST_FILES = 10_000


class Files:
    """A context in which the model's files are mapped.

    Args:
        path: The model: a folder, or a file, which may have others next to it.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.folder = path if path.is_dir() else path.parent
        self.streams: list[Stream] = []
        self._stack = ExitStack()
        self._open: dict[str, tuple[Span, Ledger, Region]] = {}

    def __enter__(self) -> Files:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stack.close()

    def main(self, alignment: int = 1) -> Region:
        """The model's own file."""
        return self.open(self.path.name, alignment)

    def open(self, name: str, alignment: int = 1) -> Region:
        """The file called `name` in the model's folder; fewer than `alignment` zeros between its parts are padding.

        Raises:
            Damage: the name leads outside the folder, or the file is missing.
        """
        if name not in self._open:
            place = self._inside(name)
            if not place.is_file():
                raise Damage(f"it keeps weights in {name}, which is missing from its folder")
            span = self._stack.enter_context(mapped(place))
            ledger = Ledger(alignment)
            self._open[name] = (span, ledger, Region(span, len(self._open), ledger, self.streams))
        return self._open[name][2]

    def claim_rest(self, label: Label) -> None:
        """Open every other file in the folder, and claim all of it for `label`."""
        for place in sorted(self.folder.rglob("*")):
            name = place.relative_to(self.folder).as_posix()
            if name in self._open or not place.is_file():
                continue
            if len(self._open) == _MOST_FILES:
                raise Damage(f"its folder holds more than {_MOST_FILES:,} files")
            region = self.open(name)
            region.claim(0, region.span.size, label)

    def settle(self) -> tuple[FileBytes, ...]:
        """The accounts of the opened files, in the order of opening."""
        return tuple(ledger.settle(name, span) for name, (span, ledger, _) in self._open.items())

    def _inside(self, name: str) -> Path:
        pure = PurePosixPath(name)
        place = self.folder / pure
        if pure.is_absolute() or ".." in pure.parts or "\0" in name:
            raise Damage(f"it points to {name!r}, outside its folder")
        if not Path(os.path.realpath(place)).is_relative_to(os.path.realpath(self.folder)):
            raise Damage(f"{name} is a link that leads outside the model's folder")
        return place
