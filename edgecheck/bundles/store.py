"""The host's cache of bundles: whole and checked, or not there.

bundles/<digest>.tar.gz       the archives
bundles/known/<key>.json      what was resolved for requirements and a platform
bundles/unpacked/<digest>/    for `local` and for the emulated machine's disk
bundles/making/<name>/        what is not finished; the next process that passes removes what a dead one left
bundles/locks/<name>
"""

from __future__ import annotations

import errno
import hashlib
import json
import shutil
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING, Any

from edgecheck.bundles.archive import RULES
from edgecheck.bundles.bundle import Bundle, LeftOut, Wheel
from edgecheck.bundles.device_platform import DevicePlatform
from edgecheck.bundles.digests import sha256_of
from edgecheck.bundles.locks import free, locked
from edgecheck.errors import BundleError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

#: Part of every key, as the rules for what is left out are: a change of the archive's layout makes the bundles anew.
_EDITION = 2


@dataclass(frozen=True, slots=True)
class Store:
    """A cache folder."""

    root: Path

    def key(self, requirements: Sequence[str], platform: DevicePlatform) -> str:
        """The name under which a resolution is kept."""
        text = json.dumps([_EDITION, RULES, list(requirements), asdict(platform)])
        return hashlib.sha256(text.encode()).hexdigest()

    def find(self, key: str) -> Bundle | None:
        """The bundle that was made for `key`, if its archive is there and still holds what was written."""
        try:
            kept = json.loads(self._record(key).read_text(encoding="utf-8"))
            bundle = _read(kept, self.root)
            intact = bundle.path.stat().st_size == bundle.size and sha256_of(bundle.path) == bundle.sha256
        except (FileNotFoundError, ValueError, TypeError, KeyError):
            return None
        return bundle if intact else None

    def keep(self, key: str, bundle: Bundle) -> Bundle:
        """Move a finished archive to its place and note what it is for."""
        moved = replace(bundle, path=self.root / f"{bundle.digest}.tar.gz")
        bundle.path.replace(moved.path)
        record = bundle.path.with_suffix(".json")
        record.write_text(json.dumps(_written(moved), indent=1), encoding="utf-8")
        self._record(key).parent.mkdir(exist_ok=True)
        record.replace(self._record(key))
        return moved

    def unpacked(self, bundle: Bundle) -> Path:
        """Where the bundle's files lie, or would."""
        return self.root / "unpacked" / bundle.digest

    @contextmanager
    def making(self, name: str, deadline: float, progress: Callable[[str], None]) -> Iterator[Path]:
        """An empty folder in which this process alone makes `name`; it is removed in the end.

        Raises:
            BundleError: another process is at it beyond `deadline`, or the cache cannot be written.
        """
        with translated(self.root):
            lock = self.root / "locks" / name
            with locked(lock, deadline, lambda: progress("another edgecheck is making this bundle: waiting for it")):
                folder = self.root / "making" / name
                shutil.rmtree(folder, ignore_errors=True)  # of a process that was killed
                self._sweep()
                folder.mkdir(parents=True)
                try:
                    yield folder
                finally:
                    shutil.rmtree(folder, ignore_errors=True)

    def _sweep(self) -> None:
        with suppress(FileNotFoundError):
            for folder in list((self.root / "making").iterdir()):
                with free(self.root / "locks" / folder.name) as abandoned:
                    if abandoned:
                        shutil.rmtree(folder, ignore_errors=True)

    def _record(self, key: str) -> Path:
        return self.root / "known" / f"{key}.json"


@contextmanager
def translated(folder: Path) -> Iterator[None]:
    """What the file system refuses in the block, as an error for a person.

    Raises:
        BundleError: the disk is full, or `folder` cannot be written.
    """
    try:
        yield
    except OSError as error:
        if error.errno in {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}:
            raise BundleError(
                f"There is no room for a runtime bundle in {folder}.", "Free some, or set XDG_CACHE_HOME."
            ) from error
        raise BundleError(
            f"The cache folder {folder} cannot be used: {error.strerror or error}.",
            "Make it writable, or set XDG_CACHE_HOME to a folder that is.",
        ) from error


def _written(bundle: Bundle) -> dict[str, Any]:
    return {**asdict(bundle), "path": bundle.path.name}


def _read(kept: dict[str, Any], root: Path) -> Bundle:
    platform = kept["platform"]
    return Bundle(
        path=root / str(kept["path"]),
        digest=kept["digest"],
        sha256=kept["sha256"],
        size=kept["size"],
        unpacked_size=kept["unpacked_size"],
        requirements=tuple(kept["requirements"]),
        platform=DevicePlatform(**{**platform, "libc_version": tuple(platform["libc_version"])}),
        wheels=tuple(Wheel(**row) for row in kept["wheels"]),
        left_out=tuple(LeftOut(**row) for row in kept["left_out"]),
        notes=tuple(kept["notes"]),
    )
