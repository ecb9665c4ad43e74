"""The host's programs that the emulator runs: how they are found, and the error when one is missing or fails."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path

from edgecheck.errors import EmulatorError

QEMU = "qemu-system-aarch64"
MKE2FS = "mke2fs"
DEBUGFS = "debugfs"  # of the same package

#: By the program that installs packages, in the order of looking for one: its command, and its packages by program.
_INSTALLERS: Mapping[str, tuple[str, Mapping[str, str]]] = {
    "apt-get": (
        "sudo apt-get install --no-install-recommends",
        {QEMU: "qemu-system-arm", MKE2FS: "e2fsprogs"},
    ),
    "dnf": ("sudo dnf install", {QEMU: "qemu-system-aarch64-core", MKE2FS: "e2fsprogs"}),
    "zypper": ("sudo zypper install", {QEMU: "qemu-arm", MKE2FS: "e2fsprogs"}),
    "pacman": ("sudo pacman -S", {QEMU: "qemu-system-aarch64", MKE2FS: "e2fsprogs"}),
    "apk": ("sudo apk add", {QEMU: "qemu-system-aarch64", MKE2FS: "e2fsprogs"}),
    "brew": ("brew install", {QEMU: "qemu", MKE2FS: "e2fsprogs"}),
}

#: mke2fs is in a folder that is not on an ordinary user's PATH; Homebrew does not link it.
_PLACES = (
    *os.get_exec_path(),
    *("/usr/local/sbin", "/usr/sbin", "/sbin"),
    *("/opt/homebrew/opt/e2fsprogs/sbin", "/usr/local/opt/e2fsprogs/sbin"),
)


def find(name: str) -> str | None:
    """The program's path, or None."""
    return shutil.which(name, path=os.pathsep.join(_PLACES))


def require(*names: str) -> None:
    """Check that every program is installed.

    Raises:
        EmulatorError: it names all programs that are missing.
    """
    if missing := [name for name in names if find(name) is None]:
        raise EmulatorError(
            f"The emulated machine needs {' and '.join(missing)}, which this host does not have.", remedy(*missing)
        )


def remedy(*names: str) -> str:
    """The command that installs programs here; on a host without a known installer, Debian's."""
    installer = next((each for each in _INSTALLERS if find(each)), "apt-get")
    command, packages = _INSTALLERS[installer]
    return " ".join((command, *dict.fromkeys(packages.get(name, name) for name in names)))


def path(name: str) -> str:
    """The program's path. Raises as `require`."""
    require(name)
    return find(name) or name


def run(argv: Sequence[str], *, cwd: Path | None = None, env: Mapping[str, str] | None = None) -> str:
    """Run a program; returns its stdout, with messages in English because some of them are parsed.

    Raises:
        EmulatorError: it failed; its last lines are in the message.
    """
    done = subprocess.run(
        [path(argv[0]), *argv[1:]],
        cwd=cwd,
        env={**os.environ, "LC_ALL": "C", **(env or {})},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        errors="replace",
        check=False,
    )
    if done.returncode:
        raise EmulatorError(f"{argv[0]} failed: {_ending(done.stderr or done.stdout)}", _hint(done.stderr))
    return done.stdout


def _ending(text: str) -> str:
    return " / ".join(line.strip() for line in text.strip().splitlines()[-3:]) or "it printed nothing"


def _hint(text: str) -> str:
    full = "No space left on device" in text or "Could not allocate block" in text
    return "Free some space (edgecheck cache shows what edgecheck keeps) and try again." if full else ""
