"""The files of one model, opened when a reader needs them and accounted for together."""

from __future__ import annotations

import os
from collections import Counter, defaultdict
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path, PurePosixPath
from types import TracebackType

from edgecheck.anatomy.accounting.ledger import Label, Ledger, Used, divide
from edgecheck.anatomy.accounting.limits import Missing, Work, cut, quoted
from edgecheck.anatomy.accounting.region import Region
from edgecheck.anatomy.encodings.span import Damage, Span, mapped
from edgecheck.anatomy.encodings.streams import Unpacked
from edgecheck.anatomy.values import FileBytes, Place, Stream, Tensor

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
        self._streams: list[tuple[Stream, Unpacked]] = []
        self._work = Work()
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
                raise Missing(name)
            span = self._stack.enter_context(mapped(place, self._work))
            ledger = Ledger(alignment, self._work)
            self._open[name] = (span, ledger, Region(span, len(self._open), ledger, self._streams))
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

    @property
    def streams(self) -> tuple[Stream, ...]:
        """The compressed parts that were read."""
        return tuple(stream for stream, _ in self._streams)

    def settle(self, tensors: tuple[Tensor, ...]) -> tuple[tuple[FileBytes, ...], tuple[Tensor, ...]]:
        """The accounts of the opened files, in the order of opening; and the tensors, whose bytes add up to them.

        Where tensors overlap, each byte is stored by the first of them; one that has none left shares the bytes of
        another.
        """
        accounts = tuple(ledger.settle(name, span) for name, (span, ledger, _) in self._open.items())
        return accounts, self._divided(tensors) if any(account.overlaps for account in accounts) else tensors

    def _divided(self, tensors: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
        ranked = sorted(tensors, key=lambda tensor: bool(tensor.shares))  # those that are known to share come last
        extents: dict[int, list[Used]] = defaultdict(list)
        for number, tensor in enumerate(ranked):
            for place in tensor.places:
                extents[place.file].append(Used(*self._in_file(place), number))
        stored: Counter[int] = Counter()
        owners: dict[int, int] = {}
        for each in extents.values():
            divided = divide(each)
            stored.update(divided.stored)
            owners = divided.owners | owners
        made = {}
        for number, tensor in enumerate(ranked):
            owner = ranked[owners.get(number, number)]
            shares = owner.name if not stored[number] and owner is not tensor else ""
            made[id(tensor)] = replace(tensor, stored=stored[number], shares=shares)
        return tuple(made[id(tensor)] for tensor in tensors)

    def _in_file(self, place: Place) -> tuple[int, int]:
        """Start and stop of a place, in the file."""
        if place.stream < 0:
            return place.start, place.start + place.size
        stream, content = self._streams[place.stream]
        return stream.start + content.place(place.start), stream.start + content.place(place.start + place.size)

    def _inside(self, name: str) -> Path:
        try:
            os.fsencode(name)
        except UnicodeEncodeError:  # half of a surrogate pair
            raise Damage(f"it points to {quoted(name)}, which cannot be the name of a file") from None
        pure = PurePosixPath(name)
        place = self.folder / pure
        if pure.is_absolute() or ".." in pure.parts or "\0" in name:
            raise Damage(f"it points to {quoted(name)}, outside its folder")
        if not Path(os.path.realpath(place)).is_relative_to(os.path.realpath(self.folder)):
            raise Damage(f"{cut(name)} is a link that leads outside the model's folder")
        return place
