"""The writer of read-only disks: the same bytes for the same files, and a file system that e2fsprogs accepts."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from edgecheck.emulator import ext4, programs
from edgecheck.errors import EmulatorError


def fill(folder: Path, names: Callable[[list[str]], list[str]] = list) -> Path:
    """Folders of one and of several blocks, empty files, links within and beyond an inode."""
    folder.mkdir()
    for name in names([f"a file with a long name, number {number}" for number in range(300)]):
        path = folder / "many" / name
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(name.encode() * (len(name) * 7))
    (folder / "empty").touch()
    (folder / "deep/er").mkdir(parents=True)
    (folder / "deep/er/tool").write_bytes(b"#!/bin/sh\n")
    (folder / "deep/er/tool").chmod(0o700)
    (folder / "short").symlink_to("deep/er/tool")
    (folder / "long").symlink_to("x" * 100)
    (folder / "café").write_bytes(bytes(5000))
    return folder


def test_the_order_modes_and_times_of_the_host_are_not_seen(tmp_path: Path) -> None:
    one, other = fill(tmp_path / "one"), fill(tmp_path / "other", lambda names: names[::-1])
    (other / "empty").chmod(0o600)
    os.utime(other / "empty", (1, 1))
    for folder in (one, other):
        ext4.write(folder, folder.with_suffix(".img"))

    assert one.with_suffix(".img").read_bytes() == other.with_suffix(".img").read_bytes()
    (other / "empty").write_bytes(b"1")
    ext4.write(other, other.with_suffix(".img"))
    assert one.with_suffix(".img").read_bytes() != other.with_suffix(".img").read_bytes()


def test_what_is_neither_file_nor_folder_nor_link_is_refused(tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()
    os.mkfifo(tmp_path / "folder/pipe")

    with pytest.raises(EmulatorError, match=r"pipe cannot be copied to .*: it is not a file, folder or link"):
        ext4.write(tmp_path / "folder", tmp_path / "x.img")


def test_a_file_that_is_too_large_is_refused_as_that(tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()
    with (tmp_path / "folder/model").open("wb") as sparse:
        sparse.truncate(ext4.LARGEST + 1)

    with pytest.raises(EmulatorError, match=r"model cannot be copied to .*: it is larger than \d+ MiB") as caught:
        ext4.write(tmp_path / "folder", tmp_path / "x.img")
    assert caught.value.hint


@pytest.mark.slow
def test_e2fsprogs_finds_nothing_wrong_and_every_file(tmp_path: Path) -> None:
    check, debug = programs.find("e2fsck"), programs.find("debugfs")
    if check is None or debug is None:
        pytest.skip("e2fsprogs is not installed")
    folder, image = fill(tmp_path / "folder"), tmp_path / "x.img"
    with (folder / "large").open("wb") as file:  # an extent holds 128 MiB, and so does a group of blocks
        file.write(b"begin")
        file.seek(150 << 20)
        file.write(b"end")
    ext4.write(folder, image)

    done = subprocess.run([check, "-fn", image], check=False, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout
    (tmp_path / "back").mkdir()
    subprocess.run([debug, "-R", f"rdump / {tmp_path / 'back'}", image], check=True, capture_output=True)
    (tmp_path / "back/lost+found").rmdir()
    assert listing(tmp_path / "back") == listing(folder)


def listing(folder: Path) -> dict[str, bytes | str]:
    paths = sorted(folder.rglob("*"))
    return {
        str(path.relative_to(folder)): str(path.readlink())
        if path.is_symlink()
        else b""
        if path.is_dir()
        else path.read_bytes()
        for path in paths
    }
