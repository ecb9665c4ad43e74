"""Building the system: from this host's packages, from a tar, and where it cannot be built.

Also covers packages.py and programs.py.

Also covers `packages.py`.
"""

from __future__ import annotations

import dataclasses
import subprocess
from pathlib import Path

import pytest

from edgecheck.emulator import boot, build, machine, packages, programs, saved
from edgecheck.emulator.cache import Cache
from edgecheck.emulator.hardware import MachineSpec
from edgecheck.errors import EmulatorError

pytestmark = pytest.mark.emulator


@pytest.fixture
def empty(tmp_path: Path) -> Cache:
    return Cache(tmp_path / "cache")


@pytest.fixture(scope="module")
def archive(tmp_path_factory: pytest.TempPathFactory) -> packages.Archive:
    """The package lists for arm64, which take seconds to read."""
    archive = packages.Archive(tmp_path_factory.mktemp("apt"))
    archive.refresh()
    return archive


@pytest.fixture(scope="module")
def tar(archive: packages.Archive, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What stage `machine` of Dockerfile.arm64 makes, without what the machine does not need."""
    place = tmp_path_factory.mktemp("tar")
    newest = archive.dependency("linux-image-cloud-arm64", r"linux-image-[0-9]\S*-cloud-arm64")
    names = ("python3-minimal", "libpython3-stdlib", "libstdc++6", "libgomp1", "busybox-static")
    files = {*archive.download(names, closure=True), *archive.download((newest,), closure=False)}
    packages.unpack(sorted(files), place / "tree")
    status = place / "tree/var/lib/dpkg/status"
    status.parent.mkdir(parents=True, exist_ok=True)
    status.write_text("Package: libc6\nStatus: install ok installed\nVersion: 2.36-9\n\nPackage: x\nVersion: 1\n")
    subprocess.run(["tar", "-C", str(place / "tree"), "-cf", str(place / "rootfs.tar"), "."], check=True)
    return place / "rootfs.tar"


def test_a_second_start_builds_nothing(empty: Cache) -> None:
    said: list[str] = []
    first = build.ensure(said.append, cache=empty)
    assert said[0] == "reading the package lists for arm64"
    assert said[-1] == "writing the system disk"
    said.clear()

    assert build.ensure(said.append, cache=empty) == first
    assert said == []
    assert first.python == "3.11"
    assert first.versions["linux"].endswith("-cloud-arm64")
    assert build.info(cache=empty).images == (first,)
    assert [entry.folder.name for entry in empty.images.entries()] == ["python3.11-1"]


def test_a_damaged_system_is_not_used(empty: Cache, tar: Path) -> None:
    first = build.import_tar(tar, print, cache=empty)
    with first.system.open("r+b") as file:
        file.seek(20_000_000)
        file.write(b"damage")

    assert build.info(cache=empty).images == ()


def test_a_tar_gives_the_same_machine(empty: Cache, tar: Path, tmp_path: Path) -> None:
    image = build.import_tar(tar, print, cache=empty)

    assert build.ensure(print, cache=empty) == image
    assert image.origin == "rootfs.tar"
    assert image.versions == {"libc6": "2.36-9", "x": "1", "linux": image.versions["linux"]}
    spec = MachineSpec(image=image, cpu="cortex-a53", available_bytes=160 << 20, disks={}, command=("busybox", "sh"))
    state = saved.ensure(spec, empty, print)
    (tmp_path / "job").mkdir()
    with machine.run(spec, state, machine.Job(tmp_path / "job", b"python3 --version; exit\n", 60)) as running:
        assert list(running.lines()) == ["Python 3.11.2"]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (None, "cannot be read as a tar: .*No such file"),
        (b"<html>not found</html>", "cannot be read as a tar: "),
        (b"\0" * 10240, "holds no Python"),
    ],
)
def test_a_file_without_a_system_is_refused(empty: Cache, tmp_path: Path, content: bytes | None, message: str) -> None:
    path = tmp_path / "rootfs.tar"
    if content is not None:
        path.write_bytes(content)

    with pytest.raises(EmulatorError, match=message):
        build.import_tar(path, print, cache=empty)


def test_another_python_than_the_hosts_sources_have(empty: Cache) -> None:
    with pytest.raises(EmulatorError, match=r"has Python 3\.99; this host's package sources have 3\.") as caught:
        build.ensure(print, python="3.99", cache=empty)

    assert caught.value.hint == packages.HINT
    assert [path.name for path in (empty.root / "images").iterdir()] == [".locks"]


def test_a_host_without_apt_is_sent_to_the_tar(empty: Cache, monkeypatch: pytest.MonkeyPatch) -> None:
    find = programs.find
    monkeypatch.setattr(programs, "find", lambda name: None if name == "apt-get" else find(name))

    with pytest.raises(EmulatorError, match="needs a Debian host") as caught:
        build.ensure(print, cache=empty)

    assert caught.value.hint == packages.HINT


def test_everything_that_is_missing_is_reported_together(empty: Cache, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(programs, "find", lambda _: None)

    with pytest.raises(EmulatorError, match="needs qemu-system-aarch64 and mke2fs") as caught:
        build.ensure(print, cache=empty)

    assert caught.value.hint == "sudo apt-get install --no-install-recommends qemu-system-arm e2fsprogs"


def test_a_package_that_is_nowhere(archive: packages.Archive) -> None:
    with pytest.raises(EmulatorError, match="have no edgecheck-nonsense for arm64"):
        archive.version("edgecheck-nonsense")


def test_another_script_is_another_machine(empty: Cache, tar: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first = build.import_tar(tar, print, cache=empty)
    scripts = boot.scripts()
    monkeypatch.setattr(boot, "scripts", lambda: scripts + b"\0\0\0\0")

    second = build.ensure(print, cache=empty)

    assert second.system == first.system
    assert second.content != first.content
    assert second.initramfs.stat().st_size == first.initramfs.stat().st_size + 4
    assert dataclasses.replace(second, content="", initramfs=Path(), bytes=0) == dataclasses.replace(
        first, content="", initramfs=Path(), bytes=0
    )
