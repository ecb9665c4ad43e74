"""What a machine is to be, before it is known how much RAM that takes."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import psutil

from edgecheck.emulator import programs
from edgecheck.emulator.hardware import KERNEL_ARGUMENTS
from edgecheck.emulator.store import recorded

if TYPE_CHECKING:
    from collections.abc import Mapping

    from edgecheck.emulator.image import Image

_HOST_SHARE = 0.75  # of the host's memory, that a machine may hold at most

_FORMAT = 1  # raised when a saved state is something else


@dataclass(frozen=True, slots=True)
class MachineSpec:
    """One core, so much memory, these disks."""

    image: Image
    cpu: str
    """As QEMU's -cpu takes it: `cortex-a72`."""
    available_bytes: int
    """MemAvailable when the job starts; the kernel's own share comes on top."""
    disks: Mapping[str, Path]
    """Read-only disks by serial number: `bundle`, which is mounted at /bundle, and `agent`, at /agent."""

    command: tuple[str, ...]
    """argv of what waits in the saved machine for its standard input. The machine is saved when all of it sleeps."""

    def key(self) -> str:
        """Names everything that a saved state depends on, QEMU's own build included."""
        qemu = Path(programs.path(programs.QEMU)).resolve()
        parts = {
            "format": _FORMAT,
            "image": self.image.content,
            "cpu": self.cpu,
            "available": self.available_bytes,
            # By content: a disk that was made anew has its files elsewhere than a saved machine remembers.
            "disks": {name: recorded(path) for name, path in self.disks.items()},
            "qemu": [str(qemu), qemu.stat().st_size, qemu.stat().st_mtime_ns],
            "kernel": KERNEL_ARGUMENTS,
            "command": self.command,
        }
        return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()[:16]


def affordable(available_bytes: int) -> int:
    """What of it this host can give to one machine; QEMU takes of the host only what the machine touches."""
    return min(available_bytes, int(psutil.virtual_memory().total * _HOST_SHARE))
