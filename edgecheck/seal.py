"""The seal around a process that opens somebody else's model: no network, no writing outside its folders.

`command` puts a seal in front of a command line; `sealing` is the program that it puts there. A seal holds for
everything that the command starts, and nothing removes it.

Two parts of the Linux kernel make it, both open to any user and in containers:

- Landlock (https://docs.kernel.org/userspace-api/landlock.html) forbids to create, change or remove files, and to
  signal or trace processes outside of the seal.
- seccomp (https://docs.kernel.org/userspace-api/seccomp_filter.html) refuses sockets, and the system calls with which a
  process could reach into others or change the machine.

Where Landlock is missing, bubblewrap does its part with namespaces; where that is missing too, the process is not
sealed, and whoever asked has to say so. Reading stays allowed: frameworks read from all over the system.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path

from edgecheck import sealing
from edgecheck.sealing import UNSEALED

__all__ = ["UNSEALED", "command", "environment", "exit_code", "kind"]

#: Environment variables that a sealed process may see: where things are, in which language, and how libraries compute.
#: Everything else, tokens and keys of a CI job above all, stays outside.
_VISIBLE = re.compile(
    "PATH|HOME|LANG|LANGUAGE|LC_[A-Z]+|TZ|TZDIR|TMPDIR|LD_LIBRARY_PATH|LD_PRELOAD|VIRTUAL_ENV|CONDA_PREFIX|COLUMNS"
    "|(PYTHON|CUDA|NVIDIA|TF|TORCH|PYTORCH|KERAS|ORT|XLA|OMP|KMP|GOMP|MKL|OPENBLAS|BLIS|NUMEXPR|XNNPACK|TFLITE|GLIBC"
    "|MALLOC|EDGECHECK|COVERAGE|VK|OCL|OPENCL|LITERT|OPENVINO|OV)_?[A-Z0-9_]*"
)
_SECRET = re.compile("TOKEN|SECRET|PASSWORD|PASSWD|CREDENTIAL|_KEY|APIKEY|AUTH")

#: Starts `sealing` without site packages, and from its compiled bytecode: a script would be compiled every time.
_BOOT = "import sys; sys.path.append(sys.argv[1]); from sealing import main; main(sys.argv[2:])"


@cache
def kind() -> str:
    """What seals processes on this machine: `landlock`, `bubblewrap`, or nothing."""
    if sealing.version() > 0 and sealing.knows_calls():
        return "landlock"
    return "bubblewrap" if _bubblewrap_works() else ""


def environment(variables: Mapping[str, str]) -> dict[str, str]:
    """Those of `variables` that a sealed process may see."""
    return {name: value for name, value in variables.items() if _VISIBLE.fullmatch(name) and not _SECRET.search(name)}


def command(line: Sequence[str], writable: Sequence[str], *, largest_file: int = 0) -> list[str]:
    """The command `line` in a seal; as it is where nothing here can seal it.

    Args:
        line: An absolute path and its arguments.
        writable: Files and folders that it may change; those that do not exist are left out.
        largest_file: Bytes that a file may have; 0: no limit.
    """
    match kind():
        case "landlock":
            return [*_script(writable, largest_file), *line]
        case "bubblewrap":
            return [*_bubblewrap(writable), *_script(None, largest_file), *line]
        case _:
            return list(line)


def exit_code(code: int) -> int:
    """How a sealed command ended, as `subprocess` says it, from how the process in front of it ended.

    bwrap(1) ends with 128 and the number of the signal that ended the command.
    """
    return 128 - code if kind() == "bubblewrap" and code > 128 else code  # noqa: PLR2004 - see above


def _script(writable: Sequence[str] | None, largest_file: int) -> list[str]:
    """`sealing` with its arguments, but for the command."""
    paths = ["-"] if writable is None else [str(len(writable)), *writable]
    folder = str(Path(sealing.__file__).parent)
    return [sys.executable, "-I", "-S", "-c", _BOOT, folder, str(largest_file), *paths]


def _bubblewrap(writable: Sequence[str]) -> list[str]:
    """bwrap(1): everything read-only but for `writable`, no network, processes outside out of reach.

    Its own /dev has no disks, which root could write to, and a /dev/shm that nobody else sees.
    """
    binds = [part for path in writable if Path(path).exists() for part in ("--bind", path, path)]
    devices = [part for path in sealing.devices() if Path(path).exists() for part in ("--dev-bind", path, path)]
    # root keeps what reading others' models takes; anybody else has nothing to keep
    kept = ["--cap-add", "CAP_DAC_OVERRIDE", "--cap-add", "CAP_DAC_READ_SEARCH"] if os.getuid() == 0 else []
    start = ["bwrap", "--ro-bind", "/", "/", "--dev", "/dev", *devices, "--proc", "/proc", *binds, *kept]
    return [*start, "--unshare-net", "--unshare-pid", "--unshare-ipc", "--die-with-parent", "--"]


def _bubblewrap_works() -> bool:
    if sys.platform != "linux" or shutil.which("bwrap") is None:
        return False
    # user namespaces may be switched off, and so may filters of system calls
    line = [*_bubblewrap(()), *_script(None, 0), "/bin/sh", "-c", ":"]
    return subprocess.run(line, capture_output=True, check=False).returncode == 0
