"""Building the system: from the lock's packages, from a tar, and where it cannot be built.

Also covers `programs.py`.
"""

from __future__ import annotations

import dataclasses
import os
import subprocess
from functools import partial
from pathlib import Path

import pytest

from edgecheck.emulator import boot, build, lock, machine, mirrors, packages, programs, saved
from edgecheck.emulator.cache import Cache
from edgecheck.emulator.hardware import MachineSpec
from edgecheck.errors import EmulatorError
from tests.cli.command import EDGECHECK
from tests.emulator import debian_mirror

pytestmark = pytest.mark.emulator

KERNEL = lock.own().packages[-1].name.removeprefix("linux-image-")


@pytest.fixture
def empty(tmp_path: Path) -> Cache:
    return Cache(tmp_path / "cache")


@pytest.fixture(scope="module")
def obtained(tmp_path_factory: pytest.TempPathFactory) -> packages.Obtained:
    """The packages of the lock, from the mirror that this host uses."""
    own = lock.own()
    return packages.obtain(own, mirrors.mirrors(own.time), tmp_path_factory.mktemp("packages"), print)


@pytest.fixture(scope="module")
def tar(obtained: packages.Obtained, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What stage `machine` of Dockerfile.arm64 makes, without what the machine does not need."""
    place = tmp_path_factory.mktemp("tar")
    packages.unpack(obtained.files, place / "tree")
    status = place / "tree/var/lib/dpkg/status"
    status.parent.mkdir(parents=True, exist_ok=True)
    status.write_text("Package: libc6\nStatus: install ok installed\nVersion: 2.36-9\n\nPackage: x\nVersion: 1\n")
    subprocess.run(["tar", "-C", str(place / "tree"), "-cf", str(place / "rootfs.tar"), "."], check=True)
    return place / "rootfs.tar"


def test_a_second_start_builds_nothing(empty: Cache, obtained: packages.Obtained, tmp_path: Path) -> None:
    """Every host builds the same bytes: a second cache, and packages from another mirror, make no difference."""
    said: list[str] = []
    first = build.ensure(said.append, cache=empty)
    assert said[0] == f"fetching {len(lock.own().packages)} of Debian's packages for the emulated machine"
    assert said[-1] == "writing the system disk"
    said.clear()

    assert build.ensure(said.append, python="3.99", cache=empty) == first
    assert said == []
    assert first.python == "3.11"
    assert first.versions == {**{each.name: each.version for each in lock.own().packages}, "linux": KERNEL}
    assert not first.replaced
    assert build.info(cache=empty).images == (first,)
    again = build.ensure(print, cache=Cache(tmp_path / "other"))
    assert again.content == first.content
    assert again.system.read_bytes() == first.system.read_bytes()


def test_a_damaged_system_is_not_used(empty: Cache, tar: Path) -> None:
    first = build.import_tar(tar, print, cache=empty)
    with first.system.open("r+b") as file:
        file.seek(20_000_000)
        file.write(b"damage")

    assert build.info(cache=empty).images == ()


def test_a_system_of_another_version_is_as_absent(empty: Cache) -> None:
    """A newer edgecheck may write down more about a system than this one can use."""
    known: dict[str, object] = {"python": "3.98", "versions": {"linux": KERNEL}, "origin": "rootfs.tar"}
    newer, older = known | {"libc": "2.36"}, {key: known[key] for key in ("python", "origin")}
    for facts, found in ((known, ["3.98"]), (newer, []), (older, [])):
        empty.images.replace("python3.98-2", partial(_without_content, facts), print)
        assert [image.python for image in build.info(cache=empty).images] == found
        assert build.python_of("3.98", cache=empty) == (found or [lock.own().python])[0]


def _without_content(facts: dict[str, object], folder: Path) -> dict[str, object]:
    for name in ("system.img", "kernel", "drivers.cpio"):
        (folder / name).touch()
    return facts


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


def test_a_mirror_without_packages_leaves_nothing_behind(
    empty: Cache, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    with debian_mirror.serving() as mirror:
        monkeypatch.setenv(mirrors.VARIABLE, mirror.address)
        with pytest.raises(EmulatorError, match=r"is on no mirror any more, and no successor was found: .*HTTP 404"):
            build.ensure(print, cache=empty)

    assert [path.name for path in (empty.root / "images").iterdir()] == [".locks"]


@pytest.mark.parametrize("megabytes", [20, 120])
def test_a_full_disk_is_reported_and_leaves_nothing_behind(tmp_path: Path, megabytes: int) -> None:
    """While packages are fetched, and while they are unpacked; as the command's user sees it."""
    lines = (
        f"mount -t tmpfs -o size={megabytes}m disk {tmp_path} || exit 99",
        f"COLUMNS=200 {EDGECHECK} emulator build",
        "code=$?",
        f"cd {tmp_path}/edgecheck/emulator/images && ls -A",
        "exit $code",
    )
    command = ["unshare", "--mount", *(["--map-root-user"] if os.getuid() else []), "sh", "-c", "\n".join(lines)]
    environment = os.environ | {"XDG_CACHE_HOME": str(tmp_path)}
    done = subprocess.run(command, check=False, capture_output=True, text=True, env=environment)
    if "unshare" in done.stderr or done.returncode == 99:
        pytest.skip("no private mounts here")
    assert done.returncode == 3, done.stderr
    said = f"The cache folder {tmp_path}/edgecheck/emulator/images is full: No space left on device."
    assert said in done.stderr
    assert "Free some space there, or set XDG_CACHE_HOME to a folder that has it." in done.stderr
    assert done.stdout.split() == [".locks"]


def test_everything_that_is_missing_is_reported_together(empty: Cache, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(programs, "find", lambda _: None)

    with pytest.raises(EmulatorError, match="needs qemu-system-aarch64 and mke2fs") as caught:
        build.ensure(print, cache=empty)

    assert caught.value.hint == "sudo apt-get install --no-install-recommends qemu-system-arm e2fsprogs"


@pytest.mark.parametrize(
    ("installer", "command"),
    [
        ("dnf", "sudo dnf install qemu-system-aarch64-core e2fsprogs"),
        ("brew", "brew install qemu e2fsprogs"),
    ],
)
def test_the_command_that_installs_is_the_hosts(monkeypatch: pytest.MonkeyPatch, installer: str, command: str) -> None:
    monkeypatch.setattr(programs, "find", lambda name: name if name == installer else None)

    assert programs.remedy(programs.QEMU, programs.MKE2FS) == command


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
