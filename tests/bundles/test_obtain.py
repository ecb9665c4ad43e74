"""Bundles from the cache and into it. The contract of the store itself is in tests/test_store.py.

Covers `bundle.py`, `pip_on_behalf.py`.
"""

from __future__ import annotations

import resource
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from edgecheck.bundles import Bundle, DevicePlatform, bundle_for, cache_folder, unpacked
from edgecheck.errors import BundleError

PI = DevicePlatform("3.11", "aarch64")
ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="session")
def small(cache: Path) -> Bundle:
    """A bundle of 0.5 MB; of the session, so that it is made before a test goes offline."""
    return bundle_for([], PI, cache=cache)


@pytest.fixture
def mine(small: Bundle, tmp_path: Path) -> tuple[Path, Bundle]:
    """A private cache that holds one small bundle."""
    cache = tmp_path / "cache"
    kept = shutil.copytree(small.path.parent, cache / "archives" / small.path.parent.name)
    return cache, replace(small, path=kept / small.path.name)


def left(cache: Path) -> list[str]:
    """Everything in a cache but its locks."""
    return sorted(
        str(path.relative_to(cache)) for path in cache.rglob("*") if path.is_file() and path.parent.name != ".locks"
    )


def test_the_default_cache_is_the_users() -> None:
    assert cache_folder().parts[-2:] == ("edgecheck", "bundles")


@pytest.mark.usefixtures("_offline")
def test_the_second_time_needs_no_network(mine: tuple[Path, Bundle]) -> None:
    cache, made = mine
    said: list[str] = []
    assert bundle_for([], PI, cache=cache, progress=said.append) == made
    assert bundle_for(["psutil"], PI, cache=cache, progress=said.append) == made
    assert said == []


@pytest.mark.usefixtures("_offline")
def test_the_first_time_says_that_it_needs_the_network(tmp_path: Path) -> None:
    with pytest.raises(BundleError) as caught:
        bundle_for(["psutil"], PI, cache=tmp_path)
    assert caught.value.message == (
        "The package index cannot be reached, and this runtime bundle was not made here before."
    )
    assert caught.value.hint.endswith("A bundle needs the network only once.")
    assert left(tmp_path) == []


def test_a_damaged_archive_is_made_again(mine: tuple[Path, Bundle]) -> None:
    cache, made = mine
    content = made.path.read_bytes()
    made.path.write_bytes(content[:-1])
    assert bundle_for([], PI, cache=cache) == made
    assert made.path.read_bytes() == content


def test_the_same_wheels_are_the_same_bundle_whoever_needs_them(mine: tuple[Path, Bundle], tmp_path: Path) -> None:
    _, made = mine
    again = bundle_for(list(made.pins), replace(PI, libc_version=(2, 39)), cache=tmp_path / "other")
    assert again.path.read_bytes() == made.path.read_bytes()
    assert again.path.name == made.path.name == f"{made.digest}.tar.gz"
    assert again.wheels == made.wheels


def test_processes_at_once_make_it_once(tmp_path: Path) -> None:
    script = (
        "import pathlib, sys; from edgecheck.bundles import *\n"
        f"said, cache = [], pathlib.Path({str(tmp_path)!r})\n"
        "made = bundle_for([], DevicePlatform('3.11', 'aarch64'), cache=cache, progress=said.append)\n"
        "folder = unpacked(made, cache=cache)\n"
        "assert (folder / 'psutil/__init__.py').exists()\n"
        "print(made.sha256, 'packing' in said)"
    )
    argv = [sys.executable, "-c", script]
    running = [subprocess.Popen(argv, cwd=ROOT, stdout=subprocess.PIPE, text=True) for _ in range(4)]
    answers = [process.communicate()[0].split() for process in running]
    assert [process.returncode for process in running] == [0] * 4
    assert len({digest for digest, _ in answers}) == 1
    assert [packed for _, packed in answers].count("True") == 1


def test_what_a_killed_process_downloaded_goes_with_the_next_bundle(mine: tuple[Path, Bundle]) -> None:
    cache, _ = mine
    script = (
        "import os, pathlib, signal; from edgecheck.bundles import *\n"
        "def die(text):\n"
        "    if text == 'packing': os.kill(os.getpid(), signal.SIGKILL)\n"
        f"bundle_for([], DevicePlatform('3.10', 'aarch64'), cache=pathlib.Path({str(cache)!r}), progress=die)\n"
    )
    done = subprocess.run([sys.executable, "-c", script], cwd=ROOT, check=False)
    assert done.returncode == -signal.SIGKILL
    assert [name for name in left(cache) if name.endswith(".whl")]
    bundle_for([], DevicePlatform("3.9", "aarch64"), cache=cache)
    assert not [name for name in left(cache) if name.endswith(".whl")]


@contextmanager
def file_size_limit(most_bytes: int) -> Iterator[None]:
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    before = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (most_bytes, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
        signal.signal(signal.SIGXFSZ, before)


def test_no_space_for_what_pip_downloads_and_for_what_is_unpacked(mine: tuple[Path, Bundle], tmp_path: Path) -> None:
    with file_size_limit(20_000):
        with pytest.raises(BundleError, match=r"is full[:.]") as caught:
            bundle_for([], DevicePlatform("3.10", "aarch64"), cache=tmp_path / "full")
        with pytest.raises(BundleError, match="unpacked is full: File too large"):
            unpacked(mine[1], cache=mine[0])
    assert caught.value.hint == "Free some space there, or set XDG_CACHE_HOME to a folder that has it."
    assert left(tmp_path / "full") == left(mine[0] / "unpacked") == []


def test_unpacked_once_and_completely(mine: tuple[Path, Bundle], here: Callable[..., DevicePlatform]) -> None:
    cache, made = mine
    said: list[str] = []
    folder = unpacked(made, cache=cache, progress=said.append)
    assert unpacked(made, cache=cache, progress=said.append) == folder == cache / "unpacked" / made.digest / "files"
    assert said == ["unpacking the runtime"]
    sizes = [path.stat().st_size for path in folder.rglob("*") if path.is_file() and path.suffix != ".pyc"]
    assert sum(sizes) - (folder / "edgecheck-bundle.json").stat().st_size == made.unpacked_size
    can_compile = here().python == made.platform.python or shutil.which(f"python{made.platform.python}") is not None
    assert bool(list(folder.glob("*/__pycache__/*.pyc"))) == can_compile


def test_a_damaged_archive_is_not_unpacked(mine: tuple[Path, Bundle]) -> None:
    cache, made = mine
    made.path.write_bytes(made.path.read_bytes()[:-100])
    with pytest.raises(BundleError, match="is damaged: the archive is damaged"):
        unpacked(made, cache=cache)
    assert left(cache / "unpacked") == []
