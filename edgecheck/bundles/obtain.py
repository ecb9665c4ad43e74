"""From requirements and a platform to a bundle, made once; and from a bundle to its files."""

from __future__ import annotations

import shutil
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

from platformdirs import user_cache_path

from edgecheck.bundles import unpacker
from edgecheck.bundles.archive import pack
from edgecheck.bundles.bundle import Bundle, LeftOut
from edgecheck.bundles.pip_process import Pip
from edgecheck.bundles.requirements import wanted
from edgecheck.bundles.resolve import resolve
from edgecheck.bundles.store import Store, translated
from edgecheck.errors import BundleError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from edgecheck.bundles.device_platform import DevicePlatform
    from edgecheck.bundles.resolve import Resolved

#: Seconds that resolving and packing may take, a slow connection included.
PATIENCE = 900.0


def _silent(_: str) -> None:
    """Nobody wants to know."""


def cache_folder() -> Path:
    """Where bundles are kept unless told otherwise; it can be removed at any time."""
    return user_cache_path("edgecheck") / "bundles"


def bundle_for(
    requirements: Sequence[str],
    platform: DevicePlatform,
    *,
    progress: Callable[[str], None] = _silent,
    cache: Path | None = None,
    patience: float = PATIENCE,
) -> Bundle:
    """The bundle with `requirements`, and psutil, for `platform`; made before, it comes without network.

    Args:
        requirements: What the profile's `runtimes` say, such as `tflite-runtime==2.14.0`.
        platform: The device's.
        progress: Told what is being done, a phrase at a time.
        cache: A folder of one's own instead of `cache_folder()`.
        patience: Seconds it may take.

    Raises:
        BundleError: no wheels fit the device (the message says which would), the index cannot be reached, the disk is
            full, or a wheel is damaged.
    """
    store = Store(cache or cache_folder())
    asked = wanted(requirements, platform)
    key = store.key(asked.requirements, platform)
    with translated(store.root):
        if found := store.find(key):
            return found
    deadline = time.monotonic() + patience
    with store.making(key, deadline, progress) as folder:
        if found := store.find(key):  # made while this process waited
            return found
        resolved = resolve(asked, platform, _pip(folder, platform, deadline, progress), folder / "wheels")
        progress("packing")
        return store.keep(key, _packed(resolved, platform, folder))


def _pip(folder: Path, platform: DevicePlatform, deadline: float, progress: Callable[[str], None]) -> Pip:
    scratch = folder / "pip"
    scratch.mkdir()
    (folder / "wheels").mkdir()
    return Pip(platform.markers, scratch, deadline, progress)


def _packed(resolved: Resolved, platform: DevicePlatform, folder: Path) -> Bundle:
    # pins and not what was asked for, and no version of libc: the same wheels are the same bundle, whoever wants them
    pins = [f"{each.wheel.name}=={each.wheel.version}" for each in resolved.wheels]
    about = {"requirements": pins, "python": platform.python, "machine": platform.machine, "libc": platform.libc}
    archive = folder / "bundle.tar.gz"
    packed = pack(resolved.wheels, about, archive)
    unused = tuple(
        LeftOut(f"{each.wheel.name}, which only conversion tools import", sum(member.size for member in each.members))
        for each in resolved.unused
    )
    return Bundle(
        path=archive,
        digest=packed.digest,
        sha256=packed.sha256,
        size=packed.size,
        unpacked_size=packed.unpacked_size,
        requirements=resolved.asked.requirements,
        platform=platform,
        wheels=tuple(each.wheel for each in resolved.wheels),
        left_out=(*packed.left_out, *unused),
        notes=resolved.asked.notes,
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
    store = Store(cache or cache_folder())
    folder = store.unpacked(bundle)
    with translated(store.root):
        if folder.exists():
            return folder
    deadline = time.monotonic() + patience
    with store.making(f"unpacked-{bundle.digest}", deadline, progress) as making:
        if not folder.exists():
            progress("unpacking the runtime")
            unpack(bundle, making / "files")
            folder.parent.mkdir(exist_ok=True)
            (making / "files").rename(folder)
    return folder


def unpack(bundle: Bundle, folder: Path) -> None:
    """Put the bundle's files into `folder`, which is not there yet, and compile them if this host can.

    Raises:
        BundleError: the archive is damaged; `folder` is not complete then.
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
    compile_bytecode(folder, bundle.platform)


def compile_bytecode(folder: Path, platform: DevicePlatform) -> bool:
    """Compile an unpacked bundle's modules with a Python of the device's version; whether this host has one.

    Byte code is the same on every machine. Without it each process compiles numpy as it imports it, which costs time
    and shows in its RAM; so where this gives False, the device must do it: `unpacker.py --compile FOLDER`.
    """
    version = platform.python.rstrip("t")
    here = f"{sys.version_info.major}.{sys.version_info.minor}"
    interpreter = sys.executable if version == here else shutil.which(f"python{version}")
    if interpreter is None:
        return False
    argv = [interpreter, "-I", str(Path(unpacker.__file__)), "--compile", str(folder)]
    return subprocess.run(argv, check=False, capture_output=True).returncode == 0


def has_bytecode(folder: Path) -> bool:
    """Whether an unpacked bundle's modules are compiled."""
    return next(folder.glob("*/__pycache__/*.pyc"), None) is not None
