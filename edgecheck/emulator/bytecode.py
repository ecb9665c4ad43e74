"""Byte code of a runtime bundle and of the standard library, put on the bundle's disk.

Importing a module from source costs ten times what its compiled form does. The machine's Python compiles, or the host's
if it is of that very version, which takes a tenth of the time and gives the same bytes: the disk is the same on every
host, and so are the figures.
"""

from __future__ import annotations

import contextlib
import io
import re
import shlex
import shutil
import subprocess
import tarfile
from importlib import resources
from pathlib import Path

from edgecheck.emulator import ext4, programs
from edgecheck.emulator.hardware import Hardware, Image, Memory
from edgecheck.emulator.patience import Patience
from edgecheck.emulator.qemu import Qemu
from edgecheck.emulator.running import How, Running
from edgecheck.errors import EmulatorError
from edgecheck.store import Progress

#: The folder of compiled modules on a bundle's disk.
_MODULES = ".pycache"


def add(files: Path, image: Image, scratch: Path, progress: Progress) -> None:
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
