"""What a machine consists of, as QEMU's command line."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING

from edgecheck.emulator import programs

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from edgecheck.emulator.image import Image

PORTS = ("control", "input", "output", "errors")
"""Virtio ports by the name that the machine's init knows."""
WIRES = ("qmp", "console", *PORTS)
"""Everything that QEMU speaks on; each is a socket that it inherits."""

JOB_DISK_BYTES = 64 << 30
"""A machine learns a disk's size once, at its start: every job's disk has this one, nearly all of it a hole."""

# quiet: the kernel prints what is an error or worse, as the OOM killer's line is; panic=-1 with -no-reboot ends QEMU;
# nokaslr and norandmaps make one boot like another; the kernels of small boards have no transparent huge pages.
KERNEL_ARGUMENTS = (
    "console=ttyAMA0 quiet panic=-1 mitigations=off transparent_hugepage=never cma=0 swiotlb=noforce nokaslr norandmaps"
)


@dataclass(frozen=True, slots=True)
class Memory:
    """The machine's RAM: all of it, before the kernel takes its share."""

    bytes: int
    file: Path | None = None
    """Where the RAM of a saved machine is; None for memory that is gone when QEMU ends."""
    writable: bool = False
    """Whether the machine writes to `file`, or to pages of its own that start as the file's."""


@dataclass(frozen=True, slots=True)
class Hardware:
    """One machine: one core, no network, disks, ports."""

    image: Image
    cpu: str
    """As QEMU's -cpu takes it."""
    memory: Memory
    disks: Mapping[str, Path]
    """Read-only disks by serial number, `bundle` and `agent`."""
    scratch: Mapping[str, Path]
    """Disks that the machine may write to, and whose content is lost or kept by whoever gave them."""
    options: tuple[str, ...] = ()
    """More words for the kernel's command line; the machine's init reads those that begin with `edgecheck.`."""


def command(hardware: Hardware, wires: Mapping[str, int]) -> list[str]:
    """QEMU's argv; `wires` are descriptors that QEMU inherits, by name.

    One instruction is one nanosecond of the machine's clock (`-icount shift=0`), which therefore counts. `sleep=on`:
    while all is idle the clock goes on in real time. With `off` it leaps to the next timer, so that a wait for a disk
    can take minutes of it and run into the agent's deadlines.
    """
    return [
        *(programs.path(programs.QEMU), "-machine", "virt,dtb-randomness=off,memory-backend=ram"),
        *("-cpu", hardware.cpu, "-smp", "1", "-icount", "shift=0,sleep=on", "-rtc", "base=2024-01-01,clock=vm"),
        *("-nodefaults", "-no-user-config", "-no-reboot", "-nic", "none", "-display", "none"),
        *("-m", f"{hardware.memory.bytes // 1024}K", "-object", json.dumps(_ram(hardware.memory))),
        *("-kernel", str(hardware.image.kernel), "-initrd", str(hardware.image.initramfs)),
        *("-append", " ".join((KERNEL_ARGUMENTS, *hardware.options))),
        *_disk("system", hardware.image.system, read_only=True),
        *(word for name, path in hardware.disks.items() for word in _disk(name, path, read_only=True)),
        *(word for name, path in hardware.scratch.items() for word in _disk(name, path, read_only=False)),
        *_wires(wires),
    ]


def _ram(memory: Memory) -> dict[str, object]:
    backend: dict[str, object] = {"id": "ram", "size": memory.bytes, "reserve": False}
    if memory.file is None:
        return {"qom-type": "memory-backend-ram", **backend}
    return {"qom-type": "memory-backend-file", "mem-path": str(memory.file), "share": memory.writable, **backend}


def _disk(name: str, path: Path, *, read_only: bool) -> list[str]:
    file = {"driver": "file", "filename": str(path), "read-only": read_only}
    node = {"node-name": name, "driver": "raw", "read-only": read_only, "cache": {"no-flush": True}, "file": file}
    # A write that the host cannot take fails in the machine; the default would stop it.
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
