"""The files of one model, opened as they are asked for and accounted for together."""

from __future__ import annotations

import os
from contextlib import ExitStack
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

from edgecheck.anatomy.accounting.ledger import Label, Ledger
from edgecheck.anatomy.accounting.region import Region
from edgecheck.anatomy.encodings.span import Damage, Span, mapped

if TYPE_CHECKING:
    from types import TracebackType

    from edgecheck.anatomy.values import FileBytes, Stream

_MOST_FILES = 10_000


class Files:
    """A context in which the model's files are mapped.

    Args:
        path: The model: a file, beside which others may lie, or a folder.
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
        """The file called `name` in the model's folder; zeros fewer than `alignment` are padding there.

        Raises:
            Damage: the name leads outside the folder, or nothing is there.
        """
        if name not in self._open:
            place = self._inside(name)
            if not place.is_file():
                raise Damage(f"it keeps weights in {name}, which is not beside it")
            span = self._stack.enter_context(mapped(place))
            ledger = Ledger(alignment)
            self._open[name] = (span, ledger, Region(span, len(self._open), ledger, self.streams))
        return self._open[name][2]

    def claim_rest(self, label: Label) -> None:
        """Open every file of the folder that nobody asked for, and enter it whole under `label`."""
        for place in sorted(self.folder.rglob("*")):
            name = place.relative_to(self.folder).as_posix()
            if name in self._open or not place.is_file():
                continue
            if len(self._open) == _MOST_FILES:
                raise Damage(f"its folder holds more than {_MOST_FILES:,} files")
            region = self.open(name)
            region.claim(0, region.span.size, label)

    def settle(self) -> tuple[FileBytes, ...]:
        """The account of every file that was opened, in that order."""
        return tuple(ledger.settle(name, span) for name, (span, ledger, _) in self._open.items())

    def _inside(self, name: str) -> Path:
        pure = PurePosixPath(name)
        place = self.folder / pure
        if pure.is_absolute() or ".." in pure.parts or "\0" in name:
            raise Damage(f"it points to {name!r}, outside its folder")
        if not Path(os.path.realpath(place)).is_relative_to(os.path.realpath(self.folder)):
            raise Damage(f"{name} is a link that leads outside the model's folder")
        return place
