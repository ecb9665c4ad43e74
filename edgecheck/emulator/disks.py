"""A machine's read-only disks beside its system, each built once per content: the runtime bundle and the agent."""

from __future__ import annotations

import hashlib
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

from edgecheck.emulator import disk
from edgecheck.emulator.deadline import Deadline
from edgecheck.emulator.hardware import Hardware, Memory
from edgecheck.emulator.qemu import Qemu
from edgecheck.emulator.running import How, Running
from edgecheck.emulator.store import DISKS
from edgecheck.errors import EmulatorError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from edgecheck.emulator.image import Image
    from edgecheck.emulator.store import Progress, Store

_FILE = "disk.img"
_COMPILED_BYTES = 64 << 20  # room for compiled modules, of which a runtime and the standard library take 10 MB
_MOST_BYTES = 4 << 30  # of the cache, for all disks
_COMPILING = 300.0  # seconds, on a host that is busy
_RAM_BYTES = 1 << 30
_CPU = "max,pauth=off,sve=off,sme=off"  # runs every wheel; without what QEMU is slow at


def bundle(key: str, unpack: Callable[[Path], None], image: Image, store: Store, progress: Progress) -> Path:
    """The disk of a runtime bundle.

    Importing a module from source costs ten times what its compiled form does, so the machine is started once with the
    disk writable and imports the runtime, which leaves the compiled modules on it.

    Args:
        key: Names the bundle's content; the same key gives the same disk.
        unpack: Writes the bundle into the folder that it is given, which is not there yet.
        image: The system that compiles.
        store: Where the disk is kept.
        progress: Told what is being done.

    Raises:
        EmulatorError: no space, or the machine does not start.
    """

    def build(folder: Path) -> Mapping[str, Any]:
        with tempfile.TemporaryDirectory(prefix=".bundle-", dir=folder.parent) as name:
            progress("unpacking the runtime bundle")
            unpack(Path(name) / "files")
            disk.make(Path(name) / "files", folder / _FILE, free_bytes=_COMPILED_BYTES)
        progress("compiling the runtime's modules in the machine")
        _compile(image, folder / _FILE)
        return {"bundle": key}

    wanted = hashlib.sha256(f"{key} {image.python}".encode()).hexdigest()
    found = store.ensure(DISKS, f"bundle-{wanted[:16]}", build, progress).folder / _FILE
    store.keep(DISKS, _MOST_BYTES)
    return found


def agent(folder: Path, store: Store, progress: Progress) -> Path:
    """The disk with the Python package in `folder`: a folder of the same name."""
    files = {f"{folder.name}/{file.name}": file.read_bytes() for file in sorted(folder.glob("*.py"))}
    content = hashlib.sha256()
    for name, text in files.items():
        content.update(name.encode() + b"\0" + text + b"\0")

    def build(place: Path) -> Mapping[str, Any]:
        with tempfile.TemporaryDirectory(prefix=".agent-", dir=place.parent) as scratch:
            (Path(scratch) / folder.name).mkdir()
            for name, text in files.items():
                (Path(scratch) / name).write_bytes(text)
            disk.make(Path(scratch), place / _FILE)
        return {}

    return store.ensure(DISKS, f"agent-{content.hexdigest()[:16]}", build, progress).folder / _FILE


def _compile(image: Image, path: Path) -> None:
    hardware = Hardware(
        image=image,
        cpu=_CPU,
        memory=Memory(_RAM_BYTES),
        disks={},
        scratch={"bundle": path},
        options=("edgecheck.bundle=rw",),
    )
    with Qemu(hardware) as qemu:
        running = Running(qemu, Deadline.after(_COMPILING))
        running.ready()
        running.start(("true",))
        running.go(b"")
        ending = running.ending()
    if ending.how is not How.FINISHED:
        raise EmulatorError(f"The runtime's modules could not be compiled: {ending.reason}")
