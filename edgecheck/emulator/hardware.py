"""What a machine consists of: its system, its core, RAM and disks; and all of it as QEMU's command line."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import psutil

from edgecheck.emulator import programs
from edgecheck.store import recorded

#: Virtio ports by the names that the machine's init uses.
PORTS = ("control", "input", "output", "errors")

#: Everything that QEMU communicates on; each is a socket that it inherits.
WIRES = ("qmp", "console", *PORTS)

#: A machine reads a disk's size once, at its start: every job's disk has this one, nearly all of it a hole.
JOB_DISK_BYTES = 64 << 30

#: quiet: the kernel prints errors and worse, such as the OOM killer's line; panic=-1 with -no-reboot ends QEMU; nokaslr
#: and norandmaps make one boot like another; the kernels of small boards have no transparent huge pages.
KERNEL_ARGUMENTS = (
    "console=ttyAMA0 quiet panic=-1 mitigations=off transparent_hugepage=never cma=0 swiotlb=noforce nokaslr norandmaps"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Image:
    """A built system with the scripts of this edgecheck."""

    system: Path
    kernel: Path
    initramfs: Path
    content: str
    """sha256 over its files: whatever was made with another image is not used with this one."""
    python: str
    """As `3.11`."""
    versions: Mapping[str, str]
    """By package; `linux` is the kernel's release."""
    origin: str
    """`packages`, or the name of the tar."""
    bytes: int
    """What it takes of the disk."""
    replaced: Sequence[str] = ()
    """A sentence for each package that is a newer one than the lock names."""


#: Part of every key: raised when a machine is saved in another way.
_FORMAT = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class MachineSpec:
    """A machine as it is ordered: how much RAM leaves `available_bytes` is found out when it is booted."""

    image: Image
    cpu: str
    """As QEMU's -cpu takes it: `cortex-a72`."""
    available_bytes: int
    """MemAvailable when the job starts; the kernel's share comes on top."""
    disks: Mapping[str, Path]
    """Read-only disks by serial number: `bundle`, which is mounted at /bundle, and `agent`, at /agent."""
    command: tuple[str, ...]
    """argv of what waits in the saved machine for its standard input. The machine is saved when all of it sleeps."""

    def key(self) -> str:
        """Names everything that a saved state depends on, QEMU's build included."""
        parts = {
            "format": _FORMAT,
            "image": self.image.content,
            "cpu": self.cpu,
            "available": self.available_bytes,
            # By content: a disk that was made again has its files elsewhere than a saved machine remembers.
            "disks": {name: recorded(path) for name, path in self.disks.items()},
            "qemu": qemu_identity(),
            "kernel": KERNEL_ARGUMENTS,
            "command": self.command,
        }
        return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()[:16]


def qemu_identity() -> list[str | int]:
    """Distinguishes builds of QEMU without starting one: path, bytes, time of its last change.

    Raises:
        EmulatorError: it is not installed.
    """
    qemu = Path(programs.path(programs.QEMU)).resolve()
    return [str(qemu), qemu.stat().st_size, qemu.stat().st_mtime_ns]


#: The share of the host's memory that a machine may hold at most.
_HOST_SHARE = 0.75


def affordable(available_bytes: int) -> int:
    """How much of it this host can give to one machine; QEMU takes of the host only what the machine touches."""
    return min(available_bytes, int(psutil.virtual_memory().total * _HOST_SHARE))


@dataclass(frozen=True, slots=True)
class Memory:
    """The machine's RAM: all of it, before the kernel takes its share."""

    bytes: int
    file: Path | None = None
    """Where the RAM of a saved machine is; None for memory that is gone when QEMU ends."""
    writable: bool = False
    """Whether the machine writes to `file`, instead of to private pages that start as the file's."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Hardware:
    """One machine: no network, disks, ports."""

    image: Image
    cpu: str
    """As QEMU's -cpu takes it."""
    memory: Memory
    disks: Mapping[str, Path]
    """Read-only disks by serial number, `bundle` and `agent`."""
    scratch: Mapping[str, Path]
    """Disks that the machine may write to, by serial number."""
    options: tuple[str, ...] = ()
    """More words for the kernel's command line; the machine's init reads those that begin with `edgecheck.`."""
    cores: int = 1
    """The clock of a machine with several does not count instructions; each may have a processor of the host."""


def command(hardware: Hardware, wires: Mapping[str, int]) -> list[str]:
    """QEMU's argv; `wires` are descriptors that QEMU inherits, by name.

    One instruction is one nanosecond of the clock of a machine with one core (`-icount shift=0`). `sleep=on`:
    while everything is idle the clock goes on in real time. With `off` it leaps to the next timer, so that a wait for a
    disk can take minutes of it and run into the agent's deadlines.
    """
    return [
        *(programs.path(programs.QEMU), "-machine", "virt,dtb-randomness=off,memory-backend=ram"),
        *("-cpu", hardware.cpu, "-smp", str(hardware.cores), *_clock(hardware.cores)),
        *("-rtc", "base=2024-01-01,clock=vm"),
        *("-nodefaults", "-no-user-config", "-no-reboot", "-nic", "none", "-display", "none"),
        *("-m", f"{hardware.memory.bytes // 1024}K", "-object", json.dumps(_ram(hardware.memory))),
        *("-kernel", str(hardware.image.kernel), "-initrd", str(hardware.image.initramfs)),
        *("-append", " ".join((KERNEL_ARGUMENTS, *hardware.options))),
        *_disk("system", hardware.image.system, read_only=True),
        *(word for name, path in hardware.disks.items() for word in _disk(name, path, read_only=True)),
        *(word for name, path in hardware.scratch.items() for word in _disk(name, path, read_only=False)),
        *_wires(wires),
    ]


def _clock(cores: int) -> tuple[str, str]:
    return ("-icount", "shift=0,sleep=on") if cores == 1 else ("-accel", "tcg,thread=multi")


def _ram(memory: Memory) -> dict[str, object]:
    backend: dict[str, object] = {"id": "ram", "size": memory.bytes, "reserve": False}
    if memory.file is None:
        return {"qom-type": "memory-backend-ram", **backend}
    return {"qom-type": "memory-backend-file", "mem-path": str(memory.file), "share": memory.writable, **backend}


def _disk(name: str, path: Path, *, read_only: bool) -> list[str]:
    file = {"driver": "file", "filename": str(path), "read-only": read_only}
    node = {"node-name": name, "driver": "raw", "read-only": read_only, "cache": {"no-flush": True}, "file": file}
    # A write that fails on the host fails in the machine; by default it would pause the machine.
    device = f"virtio-blk-device,drive={name},serial={name},werror=report,rerror=report"
    return ["-blockdev", json.dumps(node), "-device", device]


def _wires(wires: Mapping[str, int]) -> list[str]:
    words = ["-device", "virtio-serial-device"]
    for name, descriptor in wires.items():
        words += ["-chardev", f"socket,id={name},fd={descriptor}"]
        if name in PORTS:
            words += ["-device", f"virtserialport,chardev={name},name={name}"]
    if "qmp" in wires:
        words += ["-mon", "chardev=qmp,mode=control"]
    return [*words, "-serial", "chardev:console" if "console" in wires else "stdio"]
