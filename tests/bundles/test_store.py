from __future__ import annotations

import json
import resource
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from edgecheck.bundles import Bundle, DevicePlatform, bundle_for, cache_folder, has_bytecode, unpacked
from edgecheck.bundles.locks import locked
from edgecheck.bundles.store import Store
from edgecheck.errors import BundleError

PI = DevicePlatform("3.11", "aarch64")
ROOT = Path(__file__).parents[2]


@pytest.fixture
def mine(cache: Path, tmp_path: Path) -> tuple[Path, Bundle]:
    """A cache of one's own that holds one small bundle."""
    made = bundle_for([], PI, cache=cache)
    own = tmp_path / "cache"
    (own / "known").mkdir(parents=True)
    shutil.copy(made.path, own)
    key = Store(cache).key(["psutil"], PI)
    shutil.copy(cache / f"known/{key}.json", own / "known")
    return own, replace(made, path=own / made.path.name)


def files(folder: Path) -> list[str]:
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())


def test_the_default_cache_is_the_users() -> None:
    assert cache_folder().parts[-2:] == ("edgecheck", "bundles")


@pytest.mark.usefixtures("_offline")
def test_the_second_time_needs_no_network(mine: tuple[Path, Bundle]) -> None:
    own, made = mine
    told: list[str] = []
    assert bundle_for([], PI, cache=own, progress=told.append) == made
    assert bundle_for(["psutil"], PI, cache=own, progress=told.append) == made
    assert told == []


@pytest.mark.usefixtures("_offline")
def test_the_first_time_says_that_there_is_none(tmp_path: Path) -> None:
    with pytest.raises(BundleError) as caught:
        bundle_for(["psutil"], PI, cache=tmp_path)
    assert caught.value.message == (
        "The package index cannot be reached, and this runtime bundle was not made here before."
    )
    assert caught.value.hint.endswith("A bundle needs the network only once.")
    assert [name for name in files(tmp_path) if not name.startswith("locks/")] == []


@pytest.mark.parametrize("damage", ["flip", "cut", "remove", "record", "empty record", "foreign record"])
def test_a_damaged_cache_is_made_anew(mine: tuple[Path, Bundle], damage: str) -> None:
    own, made = mine
    record = next((own / "known").iterdir())
    content = bytearray(made.path.read_bytes())
    match damage:
        case "flip":
            content[len(content) // 2] ^= 0xFF
            made.path.write_bytes(content)
        case "cut":
            made.path.write_bytes(content[:-1])
        case "remove":
            made.path.unlink()
        case "record":
            record.write_text(record.read_text(encoding="utf-8")[:-20], encoding="utf-8")
        case "empty record":
            record.write_text("", encoding="utf-8")
        case _:
            record.write_text(json.dumps({"digest": 7}), encoding="utf-8")
    assert bundle_for([], PI, cache=own) == made
    assert made.path.read_bytes() == bytes(content) or damage in {"flip", "cut"}
    assert Store(own).find(record.stem) == made


def test_the_same_wheels_are_the_same_bundle_whoever_asks(mine: tuple[Path, Bundle], tmp_path: Path) -> None:
    _, made = mine
    again = bundle_for(list(made.pins), replace(PI, libc_version=(2, 39)), cache=tmp_path / "other")
    assert again.path.read_bytes() == made.path.read_bytes()
    assert again.path.name == made.path.name == f"{made.digest}.tar.gz"
    assert again.wheels == made.wheels


def test_processes_at_once_make_it_once(tmp_path: Path) -> None:
    script = (
        "import pathlib, sys; from edgecheck.bundles import *\n"
        f"told, cache = [], pathlib.Path({str(tmp_path)!r})\n"
        "made = bundle_for([], DevicePlatform('3.11', 'aarch64'), cache=cache, progress=told.append)\n"
        "folder = unpacked(made, cache=cache)\n"
        "assert (folder / 'psutil/__init__.py').exists()\n"
        "print(made.sha256, 'packing' in told)"
    )
    argv = [sys.executable, "-c", script]
    running = [subprocess.Popen(argv, cwd=ROOT, stdout=subprocess.PIPE, text=True) for _ in range(4)]
    answers = [process.communicate()[0].split() for process in running]
    assert [process.returncode for process in running] == [0] * 4
    assert len({digest for digest, _ in answers}) == 1
    assert [packed for _, packed in answers].count("True") == 1


def test_a_killed_process_leaves_nothing_that_stays(mine: tuple[Path, Bundle]) -> None:
    own, _ = mine
    script = (
        "import os, pathlib, signal; from edgecheck.bundles import *\n"
        "def die(text):\n"
        "    if text == 'packing': os.kill(os.getpid(), signal.SIGKILL)\n"
        f"bundle_for([], DevicePlatform('3.10', 'aarch64'), cache=pathlib.Path({str(own)!r}), progress=die)\n"
    )
    done = subprocess.run([sys.executable, "-c", script], cwd=ROOT, check=False)
    assert done.returncode == -signal.SIGKILL
    left = list((own / "making").iterdir())
    assert len(left) == 1
    bundle_for([], DevicePlatform("3.9", "aarch64"), cache=own)  # another bundle's maker sweeps
    assert list((own / "making").iterdir()) == []


def test_what_another_process_is_making_is_not_swept(mine: tuple[Path, Bundle]) -> None:
    own, _ = mine
    name = "a" * 64
    with Store(own).making(name, time.monotonic() + 60, lambda _: None) as folder:
        (folder / "half").touch()
        bundle_for([], DevicePlatform("3.9", "aarch64"), cache=own)
        assert (folder / "half").exists()
    assert not folder.exists()


def test_waiting_for_another_process_is_told_and_ends(tmp_path: Path) -> None:
    told: list[str] = []
    store = Store(tmp_path)
    with (
        locked(tmp_path / "locks/name", time.monotonic() + 60, lambda: None),
        pytest.raises(BundleError, match="does not finish"),
        store.making("name", time.monotonic() + 0.3, told.append),
    ):
        pass
    assert told == ["another edgecheck is making this bundle: waiting for it"]


def test_a_disk_without_room(mine: tuple[Path, Bundle], tmp_path: Path) -> None:
    """Files of at most 20 kB: what the kernel says is another error than a full disk's, with the same meaning."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    before = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, hard))
    try:
        with pytest.raises(BundleError, match=r"[Tt]here is no room") as caught:
            bundle_for([], DevicePlatform("3.10", "aarch64"), cache=tmp_path / "full")
        with pytest.raises(BundleError, match="There is no room for a runtime bundle in"):
            unpacked(mine[1], cache=mine[0])
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
        signal.signal(signal.SIGXFSZ, before)
    assert caught.value.hint == "Free some, or set XDG_CACHE_HOME."
    assert list((mine[0] / "making").iterdir()) == []
    assert not (mine[0] / "unpacked").exists()


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    folder = tmp_path / "disk"
    folder.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=300k", "tmpfs", folder], check=False, capture_output=True
    )
    if mounted.returncode:
        pytest.skip("needs the right to mount")
    try:
        yield folder
    finally:
        subprocess.run(["umount", folder], check=True)


def test_a_full_disk(small_disk: Path, mine: tuple[Path, Bundle]) -> None:
    told: list[str] = []
    with pytest.raises(BundleError, match=r"[Tt]here is no room") as caught:
        bundle_for([], DevicePlatform("3.10", "aarch64"), cache=small_disk, progress=told.append)
    assert caught.value.hint == "Free some, or set XDG_CACHE_HOME."
    with pytest.raises(BundleError, match="There is no room for a runtime bundle in"):
        unpacked(mine[1], cache=small_disk)
    assert [name for name in files(small_disk) if not name.startswith("locks/")] == []


def test_a_cache_that_cannot_be_written(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(BundleError) as caught:
        bundle_for([], PI, cache=tmp_path / "file")
    assert caught.value.message == f"The cache folder {tmp_path / 'file'} cannot be used: Not a directory."
    assert "XDG_CACHE_HOME" in caught.value.hint


def test_unpacked_once_and_whole(mine: tuple[Path, Bundle], here: Callable[..., DevicePlatform]) -> None:
    own, made = mine
    told: list[str] = []
    folder = unpacked(made, cache=own, progress=told.append)
    assert unpacked(made, cache=own, progress=told.append) == folder == own / "unpacked" / made.digest
    assert told == ["unpacking the runtime"]
    sizes = [path.stat().st_size for path in folder.rglob("*") if path.is_file() and path.suffix != ".pyc"]
    assert sum(sizes) - (folder / "edgecheck-bundle.json").stat().st_size == made.unpacked_size
    expected = here().python == made.platform.python or shutil.which(f"python{made.platform.python}") is not None
    assert has_bytecode(folder) == expected


def test_a_damaged_archive_is_not_unpacked(mine: tuple[Path, Bundle]) -> None:
    own, made = mine
    made.path.write_bytes(made.path.read_bytes()[:-100])
    with pytest.raises(BundleError, match="is damaged: the archive is damaged"):
        unpacked(made, cache=own)
    assert not (own / "unpacked").exists()
    assert list((own / "making").iterdir()) == []
