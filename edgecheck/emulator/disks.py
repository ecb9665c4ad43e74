"""Disks of a machine, made without root and without a loop device: those for jobs, of the runtime and of the agent.

The disks of a runtime bundle and of an agent are read-only, built once per content, and have byte code where this host
can compile it as the machine would.
"""

from __future__ import annotations

import contextlib
import hashlib
import io
import os
import re
import shlex
import shutil
import subprocess
import tarfile
from collections.abc import Callable, Mapping
from importlib import resources
from pathlib import Path
from typing import Any

from edgecheck.emulator import ext4, programs
from edgecheck.emulator.cache import Cache
from edgecheck.emulator.hardware import Hardware, Image, Memory
from edgecheck.emulator.qemu import Patience, Qemu
from edgecheck.emulator.running import How, Running
from edgecheck.errors import EmulatorError
from edgecheck.store import Progress

_FILE = "disk.img"

#: Part of every key: raised when a bundle's disk is made in another way.
_RECIPE = 4

#: Of the cache, for all disks.
_MOST_BYTES = 4 << 30


def bundle(key: str, unpack: Callable[[Path], None], image: Image, cache: Cache, progress: Progress) -> Path:
    """The disk of a runtime bundle.

    Args:
        key: Names the bundle's content; the same key means the same disk.
        unpack: Writes the bundle into the new folder at a path.
        image: The system that compiles.
        cache: Where the disk is kept.
        progress: Called with what is being done.

    Raises:
        EmulatorError: no space, or the machine does not start.
    """

    def build(folder: Path) -> Mapping[str, Any]:
        files = folder.parent / "files"
        progress("unpacking the runtime bundle")
        unpack(files)
        _add_bytecode(files, image, folder.parent, progress)
        ext4.write(files, folder / _FILE)
        return {"bundle": key}

    name = hashlib.sha256(f"{_RECIPE} {key} {image.content}".encode()).hexdigest()
    found = cache.disks.ensure(f"bundle-{name[:16]}", build, progress).folder / _FILE
    cache.disks.trim(_MOST_BYTES)
    return found


def agent(folder: Path, cache: Cache, progress: Progress) -> Path:
    """The disk with the Python package in `folder`: a folder of the same name."""
    files = _modules(folder)

    def build(place: Path) -> Mapping[str, Any]:
        copy = place.parent / "files"
        for name, text in files.items():
            (copy / name).parent.mkdir(parents=True, exist_ok=True)
            (copy / name).write_bytes(text)
        ext4.write(copy, place / _FILE)
        return {}

    return cache.disks.ensure(f"agent-{agent_content(folder)[:16]}", build, progress).folder / _FILE


def agent_content(folder: Path) -> str:
    """A digest of the Python package in `folder`, in hexadecimal."""
    content = hashlib.sha256()
    for name, text in _modules(folder).items():
        content.update(name.encode() + b"\0" + text + b"\0")
    return content.hexdigest()


def _modules(folder: Path) -> dict[str, bytes]:
    files = sorted(folder.rglob("*.py"))
    return {f"{folder.name}/{file.relative_to(folder).as_posix()}": file.read_bytes() for file in files}


_BLOCK = 4096
_INODE = 256
_SPARE_FILES = 512


def make(folder: Path, image: Path, *, free_bytes: int = 0) -> None:
    """Write `image`, an ext4 file system with the content of `folder` and `free_bytes` of free space.

    For disks that the machine writes to; others are written by `ext4.write`. No journal: the image is thrown away, or
    read-only afterwards.

    Raises:
        EmulatorError: mke2fs is missing, or the disk is full.
    """
    data, files = _content(folder)
    inodes = files + _SPARE_FILES
    size = int((data + free_bytes) * 1.02) + inodes * (_INODE + _BLOCK // 4) + (8 << 20)
    programs.run(
        (
            *(programs.MKE2FS, "-q", "-F", "-t", "ext4", "-b", str(_BLOCK), "-I", str(_INODE), "-N", str(inodes)),
            *("-m", "0", "-O", "^has_journal,^resize_inode", "-E", "root_owner=0:0,lazy_itable_init=0"),
            *("-d", str(folder), str(image), f"{size // 1024}K"),
        )
    )


def _content(folder: Path) -> tuple[int, int]:
    """Bytes in complete blocks, and the number of files and folders."""
    data = files = 0
    for place, folders, names in os.walk(folder):
        files += len(folders) + len(names)
        data += _BLOCK * len(folders)
        for name in names:
            size = os.lstat(os.path.join(place, name)).st_size  # noqa: PTH118 - thousands of files: no object for each
            data += -(-size // _BLOCK) * _BLOCK
    return data, files


# Importing a module from source costs ten times what its compiled form does. The machine's Python compiles, or the
# host's if it is of that very version, which takes a tenth of the time and gives the same bytes: the disk is the same
# on every host, and so are the figures.

#: The folder of compiled modules on a bundle's disk.
_MODULES = ".pycache"


def _add_bytecode(files: Path, image: Image, scratch: Path, progress: Progress) -> None:
    """Compile what jobs import into the folder `.pycache` of a bundle's `files`.

    Raises:
        EmulatorError: no space, or the machine does not start.
    """
    if _here(files, image, scratch):
        return
    bare = scratch / "bare.img"
    ext4.write(files, bare)
    progress("compiling the runtime's modules in the machine")
    _unpack(_in_the_machine(image, bare), files)


#: Seconds, apart from those in which QEMU waits for a processor.
_COMPILING = 300.0

_COMPILING_RAM = 1 << 30

#: Runs every wheel; without features that are slow in QEMU.
_COMPILING_CPU = "max,pauth=off,sve=off,sme=off"


#: In the machine: packs the compiled modules and sends them, as `Running.file` reads them.
_PACK = "cd /tmp && busybox tar -cf t .pycache && busybox wc -c < t && busybox cat t && read -r _"


#: Of the machine: where Debian has the standard library, of a Python version.
_LIBRARY = "/usr/lib/python{}"


def _here(files: Path, image: Image, scratch: Path) -> bool:
    """Compile the modules of a bundle and of the machine's standard library on this host, into `files`.

    False if this host has no Python of the machine's version, or the standard library cannot be read from its disk.
    """
    python, debugfs = _same_python(image), programs.find(programs.DEBUGFS)
    library = _LIBRARY.format(image.python)
    root = scratch / "root"
    if python is None or debugfs is None:
        return False
    (root / library[1:]).parent.mkdir(parents=True)
    copy = f"rdump {library} {shlex.quote(str((root / library[1:]).parent))}"
    # Its status says nothing, and without root it complains of each file's owner.
    subprocess.run([debugfs, "-R", copy, str(image.system)], check=False, capture_output=True)
    if not (root / library[1:] / "os.py").is_file():
        return False
    (root / "bundle").symlink_to(files)
    with resources.as_file(resources.files("edgecheck.emulator") / "guest" / "warm.py") as script:
        argv = [python, "-I", "-S", "-B", str(script), str(root), str(files / _MODULES), library]
        done = subprocess.run(argv, check=False, capture_output=True)
    if done.returncode:
        shutil.rmtree(files / _MODULES, ignore_errors=True)
    return done.returncode == 0


def _same_python(image: Image) -> str | None:
    """A Python on this host of the very version of the machine's: another one may compile to other bytes."""
    version = re.match(r"[\d.]+", image.versions.get(f"python{image.python}-minimal", ""))
    ask = "import platform; print(platform.python_implementation(), platform.python_version())"
    for each in dict.fromkeys(filter(None, (shutil.which(f"python{image.python}"), f"/usr/bin/python{image.python}"))):
        with contextlib.suppress(OSError):
            said = subprocess.run([each, "-I", "-S", "-c", ask], check=False, capture_output=True, text=True).stdout
            if version and said.split() == ["CPython", version[0]]:
                return each
    return None


def _in_the_machine(image: Image, path: Path) -> bytes:
    """A tar of the modules of the runtime on a disk and of the standard library, compiled in the machine."""
    hardware = Hardware(
        image=image,
        cpu=_COMPILING_CPU,
        memory=Memory(_COMPILING_RAM),
        disks={"bundle": path},
        scratch={},
        options=("edgecheck.compile=yes",),
        cores=2,
    )
    with Qemu(hardware) as qemu:
        running = Running(qemu, Patience(_COMPILING, qemu.pid))
        running.ready()
        running.start(("busybox", "sh", "-c", _PACK))
        running.go(b"")
        packed = running.file()
        ending = running.ending()
    if ending.how is not How.FINISHED or ending.status != 0:
        reason = ending.reason or ending.errors.strip() or f"exit status {ending.status}."
        raise EmulatorError(f"The runtime's modules could not be compiled: {reason}")
    return packed


def _unpack(packed: bytes, folder: Path) -> None:
    """Write the compiled modules into `folder`."""
    with tarfile.open(fileobj=io.BytesIO(packed)) as tar:
        for member in tar:
            content = tar.extractfile(member)
            if content is not None:
                place = folder / member.name
                place.parent.mkdir(parents=True, exist_ok=True)
                place.write_bytes(content.read())
