"""From requirements and a platform to a bundle, made once; and from a bundle to its files.

The host's cache, below `cache_folder()`:

    archives/<key>/<digest>.tar.gz     a bundle, by its requirements and its platform
    unpacked/<digest>/files/           its files, for `local` with `bundle: profile`
"""

from __future__ import annotations

import hashlib
import json
import shutil
import subprocess
import sys
from collections.abc import Callable, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from platformdirs import user_cache_path

from edgecheck.bundles import unpacker
from edgecheck.bundles.archive import pack
from edgecheck.bundles.bundle import Bundle, LeftOut, bundle_from
from edgecheck.bundles.contents import RULES
from edgecheck.bundles.device_platform import DevicePlatform
from edgecheck.bundles.pip_process import Pip
from edgecheck.bundles.requirements import Requirements, requirements_for
from edgecheck.bundles.resolve import Resolved, resolve
from edgecheck.deadline import Deadline
from edgecheck.errors import BundleError
from edgecheck.store import Entry, Store

#: Seconds that resolving and packing may take, a slow connection included.
PATIENCE = 900.0

#: Part of every key, as the rules for what is left out are: raised when the archive's layout changes.
_EDITION = 3


def _silent(_: str) -> None:
    """Report no progress."""


def cache_folder() -> Path:
    """Where bundles are kept by default; it can be removed at any time."""
    return user_cache_path("edgecheck") / "bundles"


def bundle_for(
    requirements: Sequence[str],
    platform: DevicePlatform,
    *,
    progress: Callable[[str], None] = _silent,
    cache: Path | None = None,
    patience: float = PATIENCE,
) -> Bundle:
    """The bundle with `requirements`, and psutil, for `platform`; the second time it needs no network.

    Args:
        requirements: What the profile's `runtimes` say, such as `tflite-runtime==2.14.0`.
        platform: The device's.
        progress: Called with what is being done, a phrase at a time.
        cache: A folder to use instead of `cache_folder()`.
        patience: Seconds it may take.

    Raises:
        BundleError: no wheels fit the device (the message says which would), the index cannot be reached, the disk is
            full, or a wheel is damaged.
    """
    deadline = Deadline.after(patience)
    required = requirements_for(requirements, platform)

    def build(folder: Path) -> dict[str, Any]:
        scratch, wheels = folder.parent / "pip", folder.parent / "wheels"
        scratch.mkdir()
        wheels.mkdir()
        pip = Pip(markers=platform.markers, scratch=scratch, deadline=deadline, progress=progress)
        resolved = resolve(required, platform, pip, wheels)
        progress("packing")
        return _packed(resolved, platform, folder).facts()

    entry = _archives(cache).ensure(_key(required, platform), build, progress, deadline)
    return _bundle(entry)


def _archives(cache: Path | None) -> Store:
    folder = (cache or cache_folder()) / "archives"
    return Store(folder=folder, what="runtime bundle", error=BundleError, reads=_bundle)


def _bundle(entry: Entry) -> Bundle:
    return bundle_from(entry.facts, entry.folder)


def _key(required: Requirements, platform: DevicePlatform) -> str:
    text = json.dumps([_EDITION, RULES, required.lines, asdict(platform)])
    return hashlib.sha256(text.encode()).hexdigest()


def _packed(resolved: Resolved, platform: DevicePlatform, folder: Path) -> Bundle:
    # Pins instead of the requirements, and no version of libc: the same wheels are the same bundle, whoever needs them.
    pins = [f"{each.wheel.name}=={each.wheel.version}" for each in resolved.wheels]
    about = {"requirements": pins, "python": platform.python, "machine": platform.machine, "libc": platform.libc}
    archive = folder / "bundle.tar.gz"
    packed = pack(resolved.wheels, about, archive)
    unused = tuple(
        LeftOut(f"{each.wheel.name}, which only conversion tools import", sum(member.size for member in each.members))
        for each in resolved.unused
    )
    return Bundle(
        path=archive.rename(folder / f"{packed.digest}.tar.gz"),
        digest=packed.digest,
        sha256=packed.sha256,
        size=packed.size,
        unpacked_size=packed.unpacked_size,
        requirements=resolved.required.lines,
        platform=platform,
        wheels=tuple(each.wheel for each in resolved.wheels),
        left_out=(*packed.left_out, *unused),
        notes=resolved.required.notes,
    )


def unpacked(
    bundle: Bundle,
    *,
    progress: Callable[[str], None] = _silent,
    cache: Path | None = None,
    patience: float = PATIENCE,
) -> Path:
    """The folder with the bundle's files, to put on `sys.path`: unpacked once per cache, not to be written to.

    Raises:
        BundleError: the archive is damaged, or the disk is full.
    """

    def build(folder: Path) -> dict[str, Any]:
        progress("unpacking the runtime")
        unpack(bundle, folder / "files")
        _compile_bytecode(folder / "files", bundle.platform)
        return {}

    store = Store(folder=(cache or cache_folder()) / "unpacked", what="unpacked runtime", error=BundleError)
    return store.ensure(bundle.digest, build, progress, Deadline.after(patience)).folder / "files"


def unpack(bundle: Bundle, folder: Path) -> None:
    """Write the bundle's files into the new folder `folder`.

    Raises:
        BundleError: the archive is damaged; `folder` is incomplete then.
        OSError: the disk is full.
    """
    folder.mkdir(parents=True)
    try:
        with bundle.path.open("rb") as source:
            unpacker.extract(source, folder, bundle.digest)
    except unpacker.DamagedError as error:
        raise BundleError(
            f"The runtime bundle {bundle.path.name} is damaged: {error}.", f"Remove {bundle.path} and try again."
        ) from error


def _compile_bytecode(folder: Path, platform: DevicePlatform) -> None:
    """Compile an unpacked bundle's modules, if this host has a Python of the device's version.

    Byte code is the same on every machine. Without it each process compiles numpy as it imports it, which costs time
    and shows in its RAM.
    """
    version = platform.python.rstrip("t")
    here = f"{sys.version_info.major}.{sys.version_info.minor}"
    interpreter = sys.executable if version == here else shutil.which(f"python{version}")
    if interpreter is not None:
        argv = [interpreter, "-I", str(Path(unpacker.__file__)), "--compile", str(folder)]
        subprocess.run(argv, check=False, capture_output=True)
