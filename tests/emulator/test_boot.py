"""Which kernel and which modules are taken from a tree, and in which order they are loaded."""

from __future__ import annotations

import lzma
from pathlib import Path

import pytest

from edgecheck.emulator import boot
from edgecheck.errors import EmulatorError

RELEASE = "6.1.0-56-cloud-arm64"


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    drivers = tmp_path / "lib/modules" / RELEASE / "kernel/drivers"
    drivers.mkdir(parents=True)
    (tmp_path / "boot").mkdir()
    for release in ("6.1.0-9-cloud-arm64", RELEASE):
        (tmp_path / "boot" / f"vmlinuz-{release}").write_bytes(release.encode())
    needs = {"virtio_mmio": "virtio,virtio_ring", "virtio_blk": "virtio", "virtio": "virtio_ring", "virtio_ring": ""}
    for name, dependencies in needs.items():
        (drivers / f"{name}.ko").write_bytes(f"\x7fELF\0license=GPL\0depends={dependencies}\0name={name}\0".encode())
    packed = lzma.compress(b"\x7fELF\0depends=virtio\0")
    (drivers / "virtio-console.ko.xz").write_bytes(packed)
    return tmp_path


def test_the_newest_kernel_by_number(tree: Path) -> None:
    found = boot.find_kernel(tree)

    assert found.release == RELEASE
    assert found.image.read_bytes() == RELEASE.encode()


def test_modules_come_after_those_they_need(tree: Path) -> None:
    modules = boot.modules(boot.find_kernel(tree))

    assert [name for name, _ in modules] == ["virtio_ring", "virtio", "virtio_mmio", "virtio_blk", "virtio_console"]
    assert all(content.startswith(b"\x7fELF") for _, content in modules)  # unpacked where the distribution packs them


def test_a_missing_kernel_and_missing_modules_are_reported(tree: Path, tmp_path: Path) -> None:
    with pytest.raises(EmulatorError, match="no kernel"):
        boot.find_kernel(tmp_path / "lib")
    (tree / "boot" / "vmlinuz-7.0").touch()
    with pytest.raises(EmulatorError, match=r"no modules for its kernel 7\.0"):
        boot.find_kernel(tree)


def test_the_archive_is_what_the_kernel_reads() -> None:
    archive = boot.drivers(b"busy", [("a", b"12345")])
    entries = {}
    place = 0
    while place < len(archive):
        fields = [int(archive[place + 6 + at * 8 : place + 14 + at * 8], 16) for at in range(13)]
        assert archive[place : place + 6] == b"070701"
        start = place + 110 + fields[11]
        content = start + -start % 4
        entries[archive[place + 110 : start - 1].decode()] = (fields[1], archive[content : content + fields[6]])
        place = content + fields[6]
        place += -place % 4

    assert entries["modules/order"] == (0o100644, b"a.ko\n")
    assert entries["modules/a.ko"] == (0o100644, b"12345")
    assert entries["bin/busybox"] == (0o100755, b"busy")
    assert entries["dev/console"] == (0o020600, b"")
    assert list(entries)[-1] == "TRAILER!!!"
    assert len(archive) % 4 == 0  # another archive may follow
