"""Makers that fail in the ways in which converters fail; imported by child processes only."""

from __future__ import annotations

import atexit
import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from importlib import import_module
from pathlib import Path

from edgecheck.converters.interface import Made, Request
from edgecheck.errors import ConversionError


def well(request: Request, folder: Path) -> Made:
    """Write a file, and leave rubbish in the temporary folder."""
    tempfile.mkstemp(prefix="rubbish-")
    (folder / "made.bin").write_bytes(b"made of " + request.variant.encode())
    return Made((folder / "made.bin",), "by hand", ("a note",))


def crash_afterwards(request: Request, folder: Path) -> Made:
    """Succeed, and crash when Python exits."""
    atexit.register(os.abort)
    return well(request, folder)


def where(request: Request, folder: Path) -> Made:
    """Write down the path on which modules are found."""
    del request
    (folder / "made.bin").write_text("\n".join(sys.path), encoding="utf-8")
    return Made((folder / "made.bin",), "by hand")


def hungry(request: Request, folder: Path) -> Made:
    """Take 300 MB, and free them."""
    taken = bytearray(os.urandom(1 << 20) * 300)
    del taken
    return well(request, folder)


def crash(request: Request, folder: Path) -> Made:
    """Crash like a library that follows a bad pointer."""
    os.kill(os.getpid(), signal.SIGSEGV)
    return well(request, folder)


def aborted(request: Request, folder: Path) -> Made:
    """Abort like a library whose assertion fails."""
    sys.stderr.write("F0000 tensor.cc:12] Check failed: rank == 4\nsome more noise\n")
    sys.stderr.flush()
    os.kill(os.getpid(), signal.SIGABRT)
    return well(request, folder)


def killed(request: Request, folder: Path) -> Made:
    """End like a process that the kernel kills for lack of memory."""
    os.kill(os.getpid(), signal.SIGKILL)
    return well(request, folder)


def exited(request: Request, folder: Path) -> Made:
    """End the process without an answer."""
    sys.stderr.write("license not found\n")
    sys.stderr.flush()
    os._exit(7)


def raised(request: Request, folder: Path) -> Made:
    """Raise an unexpected error."""
    raise ValueError("\n\nloc(somewhere): the axis is wrong\nand much more")


def refused(request: Request, folder: Path) -> Made:
    """Raise an error for the user."""
    raise ConversionError("The model is upside down.", "Turn it over.")


def absent(request: Request, folder: Path) -> Made:
    """Import a package that is not installed."""
    import_module("surely_not_installed.part")
    return well(request, folder)


def slow(request: Request, folder: Path) -> Made:
    """Start another process, write down both ids, and never end."""
    child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
    (folder / "writing").write_text(f"{os.getpid()} {child.pid}", encoding="utf-8")
    (folder / "writing").rename(folder / "pids")
    time.sleep(600)
    return well(request, folder)


def in_another_session(request: Request, folder: Path) -> Made:
    """Leave a process behind that has left the group."""
    child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"], start_new_session=True)
    (folder / "pids").write_text(f"{os.getpid()} {child.pid}", encoding="utf-8")
    time.sleep(600)
    return well(request, folder)


def many(request: Request, folder: Path) -> Made:
    """Start 20 processes."""
    for _ in range(20):
        subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
    time.sleep(600)
    return well(request, folder)


def reaching_out(request: Request, folder: Path) -> Made:
    """Try to leave the seal; what succeeded becomes the notes."""
    tries: dict[str, Callable[[], object]] = {
        "wrote": lambda: request.model.write_bytes(b""),
        "connected": socket.socket,
        "signalled": lambda: os.kill(int(os.environ["EDGECHECK_TESTER"]), 0),
    }
    notes = []
    for name, attempt in tries.items():
        try:
            attempt()
            notes.append(name)
        except OSError:
            pass
    (folder / "environ").write_bytes(Path("/proc/self/environ").read_bytes())
    return Made((folder / "environ",), "by hand", tuple(notes))
