"""QEMU's command line, word for word; nothing is started."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from edgecheck.emulator import programs
from edgecheck.emulator.hardware import Hardware, Image, Memory, command

IMAGE = Image(
    system=Path("/cache/system.img"),
    kernel=Path("/cache/kernel"),
    initramfs=Path("/cache/initramfs"),
    content="c0ffee",
    python="3.11",
    versions={"linux": "6.1.0"},
    origin="packages",
    bytes=1,
)
RAM = (
    '{"qom-type": "memory-backend-file", "mem-path": "/cache/ram", "share": false,'
    ' "id": "ram", "size": 536870912, "reserve": false}'
)
KERNEL_ARGUMENTS = (
    "console=ttyAMA0 quiet panic=-1 mitigations=off transparent_hugepage=never cma=0 swiotlb=noforce nokaslr norandmaps"
)


@pytest.fixture(autouse=True)
def _qemu(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(programs, "path", lambda name: f"/usr/bin/{name}")


def machine(memory: Memory, **more: object) -> Hardware:
    return Hardware(
        image=IMAGE,
        cpu="cortex-a72",
        memory=memory,
        disks={"bundle": Path("/cache/a,b \u00e9.img")},
        scratch={"job": Path("/tmp/job.img")},
        **more,  # type: ignore[arg-type]
    )


def test_a_machine_with_two_cores_counts_nothing() -> None:
    words = command(machine(Memory(1 << 29), cores=2), {})

    assert words[words.index("-smp") :][:4] == ["-smp", "2", "-accel", "tcg,thread=multi"]
    assert "-icount" not in words


def test_the_whole_command() -> None:
    wires = {"qmp": 3, "console": 4, "control": 5}
    words = command(machine(Memory(1 << 29, Path("/cache/ram"))), wires)

    node = '{"node-name": "%s", "driver": "raw", "read-only": %s, "cache": {"no-flush": true}, "file": %s}'
    file = '{"driver": "file", "filename": "%s", "read-only": %s}'
    assert words == [
        "/usr/bin/qemu-system-aarch64",
        *("-machine", "virt,dtb-randomness=off,memory-backend=ram", "-cpu", "cortex-a72", "-smp", "1"),
        *("-icount", "shift=0,sleep=on", "-rtc", "base=2024-01-01,clock=vm"),
        *("-nodefaults", "-no-user-config", "-no-reboot", "-nic", "none", "-display", "none"),
        *("-m", "524288K", "-object"),
        RAM,
        *("-kernel", "/cache/kernel", "-initrd", "/cache/initramfs", "-append"),
        KERNEL_ARGUMENTS,
        *("-blockdev", node % ("system", "true", file % ("/cache/system.img", "true"))),
        *("-device", "virtio-blk-device,drive=system,serial=system,werror=report,rerror=report"),
        *("-blockdev", node % ("bundle", "true", file % ("/cache/a,b \\u00e9.img", "true"))),
        *("-device", "virtio-blk-device,drive=bundle,serial=bundle,werror=report,rerror=report"),
        *("-blockdev", node % ("job", "false", file % ("/tmp/job.img", "false"))),
        *("-device", "virtio-blk-device,drive=job,serial=job,werror=report,rerror=report"),
        *("-device", "virtio-serial-device"),
        *("-chardev", "socket,id=qmp,fd=3", "-chardev", "socket,id=console,fd=4", "-chardev", "socket,id=control,fd=5"),
        *("-device", "virtserialport,chardev=control,name=control"),
        *("-mon", "chardev=qmp,mode=control", "-serial", "chardev:console"),
    ]


@pytest.mark.parametrize(
    ("memory", "kind"),
    [
        (Memory(1 << 20), {"qom-type": "memory-backend-ram"}),
        (Memory(1 << 20, Path("/r")), {"qom-type": "memory-backend-file", "mem-path": "/r", "share": False}),
        (
            Memory(1 << 20, Path("/r"), writable=True),
            {"qom-type": "memory-backend-file", "mem-path": "/r", "share": True},
        ),
    ],
)
def test_only_a_machine_that_is_being_saved_writes_to_its_file(memory: Memory, kind: dict[str, object]) -> None:
    words = command(machine(memory), {})

    assert json.loads(words[words.index("-object") + 1]) == {**kind, "id": "ram", "size": 1 << 20, "reserve": False}


def test_a_shell_talks_to_the_terminal() -> None:
    words = command(machine(Memory(1 << 20), options=("edgecheck.shell=yes",)), {})

    assert words[-2:] == ["-serial", "stdio"]
    assert words[words.index("-append") + 1].endswith(" norandmaps edgecheck.shell=yes")
