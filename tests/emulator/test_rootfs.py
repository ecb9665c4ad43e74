"""What `edgecheck emulator import` says about a tar without a usable system, and that nothing of it is left behind.

Covers `cli/emulator.py`.
"""

from __future__ import annotations

import io
import os
import re
import shutil
import stat
import struct
import tarfile
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from edgecheck.emulator import build, rootfs
from edgecheck.emulator.cache import Cache
from edgecheck.errors import EmulatorError
from tests.cli.command import edgecheck

if TYPE_CHECKING:
    from collections.abc import Callable

pytestmark = pytest.mark.skipif(
    shutil.which("qemu-system-aarch64") is None, reason="QEMU is not installed, which importing asks for first"
)

ARM64, X86_64 = 183, 62


def program(machine: int) -> bytes:
    """The head of an ELF file."""
    return b"\x7fELF\x02\x01\x01" + bytes(9) + struct.pack("<HH", 2, machine) + bytes(44)


SYSTEM = {
    "boot/vmlinuz-6.1.0-1-cloud-arm64": b"kernel",
    "usr/lib/modules/6.1.0-1-cloud-arm64/virtio_blk.ko": b"\x7fELF\0depends=\0",
    "usr/bin/busybox": program(ARM64),
    "usr/bin/python3.11": program(ARM64),
}


def nothing(_: tarfile.TarFile) -> None:
    pass


def add(
    archive: tarfile.TarFile, name: str, content: bytes = b"", kind: bytes = tarfile.REGTYPE, link: str = ""
) -> None:
    member = tarfile.TarInfo(name)
    member.type, member.linkname, member.size = kind, link, len(content)
    archive.addfile(member, io.BytesIO(content))


def written(path: Path, files: dict[str, bytes], edit: Callable[[tarfile.TarFile], None] = nothing) -> Path:
    with tarfile.open(path, "w:gz" if path.suffix == ".gz" else "w") as archive:
        for name, content in files.items():
            add(archive, name, content)
        edit(archive)
    return path


@pytest.fixture
def empty(tmp_path: Path) -> Cache:
    return Cache(tmp_path / "cache")


@pytest.fixture
def good(tmp_path: Path) -> Path:
    return written(tmp_path / "good.tar", SYSTEM)


def left_behind(cache: Cache) -> list[str]:
    """Everything in the cache but its locks."""
    files = [path.relative_to(cache.root) for path in cache.root.rglob("*") if path.is_file()]
    return [str(path) for path in files if ".locks" not in path.parts]


def refused(path: Path, cache: Cache) -> EmulatorError:
    with pytest.raises(EmulatorError) as caught:
        build.import_tar(path, print, cache=cache)
    assert caught.value.hint
    assert "\n" not in str(caught.value)
    assert left_behind(cache) == []
    return caught.value


def test_the_tar_that_the_others_are_made_from_is_imported(good: Path, empty: Cache) -> None:
    assert build.import_tar(good, print, cache=empty).python == "3.11"


@pytest.mark.parametrize(
    ("missing", "message"),
    [
        ("boot/", r"^The system holds no kernel \(boot/vmlinuz-\*\)\.$"),
        ("usr/lib/", r"^The system holds no modules for its kernel 6\.1\.0-1-cloud-arm64\.$"),
        ("usr/bin/busybox", r"^The system holds no busybox"),
        ("usr/bin/python", r"^The system holds no Python"),
    ],
)
def test_what_is_missing_is_named(missing: str, message: str, tmp_path: Path, empty: Cache) -> None:
    files = {name: content for name, content in SYSTEM.items() if not name.startswith(missing)}
    assert re.match(message, str(refused(written(tmp_path / "rootfs.tar", files), empty)))


@pytest.mark.parametrize("name", ["usr/bin/busybox", "usr/bin/python3.11"])
@pytest.mark.parametrize(
    ("content", "kind"),
    [(program(X86_64), "for x86-64"), (program(0x1234), "for another processor"), (b"#!/bin/sh\n", "not a program")],
)
def test_a_system_for_another_processor(name: str, content: bytes, kind: str, tmp_path: Path, empty: Cache) -> None:
    error = refused(written(tmp_path / "rootfs.tar", {**SYSTEM, name: content}), empty)
    assert str(error) == f"The system is not for arm64: its {name} is {kind}."
    assert "--platform linux/arm64" in error.hint


@pytest.mark.parametrize(
    ("edit", "message"),
    [
        (lambda tar: add(tar, "/etc/motd", b"x"), "'/etc/motd' leads out of the system"),
        (lambda tar: add(tar, "usr/../../motd", b"x"), "'usr/../../motd' leads out of the system"),
        (
            lambda tar: add(tar, "usr/motd", kind=tarfile.LNKTYPE, link="/etc/motd"),
            "'usr/motd' is a hard link to '/etc/motd', out of the system",
        ),
        (lambda tar: add(tar, "usr/memory", kind=tarfile.CHRTYPE), "'usr/memory' is a device or a pipe"),
        (lambda tar: add(tar, "boot/vmlinuz-9", kind=tarfile.FIFOTYPE), "'boot/vmlinuz-9' is a device or a pipe"),
    ],
)
def test_what_would_not_stay_in_a_folder(
    edit: Callable[[tarfile.TarFile], None], message: str, tmp_path: Path, empty: Cache
) -> None:
    path = written(tmp_path / "rootfs.tar", SYSTEM, edit)
    assert str(refused(path, empty)) == f"rootfs.tar is not unpacked: {message}."


def test_device_nodes_in_dev_are_left_out(tmp_path: Path, empty: Cache) -> None:
    """Images that were not made by Docker have them."""
    path = written(tmp_path / "rootfs.tar", SYSTEM, lambda tar: add(tar, "./dev/console", kind=tarfile.CHRTYPE))
    assert build.import_tar(path, print, cache=empty).python == "3.11"


@pytest.mark.parametrize("place", ["usr/lib/modules", "usr/share/doc", "usr/share", "lib", "boot/vmlinuz-9", "tmp"])
def test_a_link_out_of_the_system_is_not_followed(place: str, tmp_path: Path, empty: Cache) -> None:
    """Some of these folders are removed from a system: with all that is in them."""
    victim = tmp_path / "victim"
    for name in ("doc", "modules"):
        (victim / name).mkdir(parents=True)
        (victim / name / "file").write_text("mine")
    files = {name: content for name, content in SYSTEM.items() if not name.startswith(place)}
    path = written(tmp_path / "rootfs.tar", files, lambda tar: add(tar, place, kind=tarfile.SYMTYPE, link=str(victim)))
    assert "out of the system" in str(refused(path, empty))
    assert len(list(victim.rglob("file"))) == 2


@pytest.mark.parametrize("name", ["rootfs.tar", "rootfs.tar.gz"])
@pytest.mark.parametrize("kept", [0.0, 0.3, 0.6, 0.9])
def test_a_download_that_was_cut_short(name: str, kept: float, tmp_path: Path, empty: Cache) -> None:
    path = written(tmp_path / name, {**SYSTEM, "usr/lib/noise": os.urandom(50_000)})
    content = path.read_bytes().rstrip(b"\0")
    path.write_bytes(content[: int(len(content) * kept)])
    assert str(refused(path, empty)).startswith(f"{path} cannot be read as a tar: ")


def test_an_image_with_layers_is_recognised(tmp_path: Path, empty: Cache) -> None:
    path = written(tmp_path / "image.tar", {"manifest.json": b"[]", "blobs/sha256/0": b""})
    error = refused(path, empty)
    assert str(error) == "image.tar is an image with layers, as `docker save` writes it, and not a file system."
    assert "--output type=tar" in error.hint


def test_what_was_there_before_stays(good: Path, tmp_path: Path, empty: Cache) -> None:
    first = build.import_tar(good, print, cache=empty)
    bad = written(tmp_path / "bad.tar", {**SYSTEM, "usr/bin/busybox": program(X86_64)})
    with pytest.raises(EmulatorError):
        build.import_tar(bad, print, cache=empty)
    assert build.info(cache=empty).images == (first,)


def test_folders_that_nobody_can_write_to(tmp_path: Path, empty: Cache) -> None:
    def closed(archive: tarfile.TarFile) -> None:
        for name, mode in ((".", 0o555), ("usr", 0o555), ("usr/share/doc/x", 0o555), ("var/lib", 0)):
            folder = tarfile.TarInfo(name)
            folder.type, folder.mode = tarfile.DIRTYPE, mode
            archive.addfile(folder)

    tar = written(tmp_path / "rootfs.tar", SYSTEM, closed)
    rootfs.unpack(tar, tmp_path / "tree", ())
    folders = [path for path in (tmp_path / "tree").rglob("*") if path.is_dir()]
    assert [path for path in (tmp_path / "tree", *folders) if path.stat().st_mode & stat.S_IRWXU != stat.S_IRWXU] == []
    assert build.import_tar(tar, print, cache=empty).python == "3.11"
    assert not list((empty.root / "images").glob(".making-*"))


def test_the_command_says_it_in_two_lines(tmp_path: Path) -> None:
    (tmp_path / "rootfs.tar").write_bytes(b"<html>not found</html>" * 100)
    done = edgecheck("emulator", "import", "rootfs.tar", cwd=tmp_path, XDG_CACHE_HOME=str(tmp_path / "cache"))
    assert done.code == 3
    assert done.out == ""
    assert done.err.splitlines()[0].startswith("edgecheck: rootfs.tar cannot be read as a tar: ")
    assert "Dockerfile.arm64" in done.err
    assert "Traceback" not in done.err
