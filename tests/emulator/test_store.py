"""The cache: whole or not there, built once, whatever happens meanwhile."""

from __future__ import annotations

import multiprocessing
import os
import shutil
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from edgecheck.emulator.store import Store, digest
from edgecheck.errors import EmulatorError


class Recipe:
    """Builds an entry of one file, and counts how often."""

    def __init__(self, content: bytes = b"x" * 3_000_000) -> None:
        self.content = content
        self.count = 0

    def __call__(self, folder: Path) -> Mapping[str, Any]:
        self.count += 1
        (folder / "file").write_bytes(self.content)
        return {"count": self.count}


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path / "cache")


def test_an_entry_is_built_once(store: Store) -> None:
    recipe = Recipe()
    first, second = (store.ensure("kind", "key", recipe, print) for _ in range(2))

    assert first == second
    assert recipe.count == 1
    assert first.facts == {"count": 1}
    assert (first.folder / "file").read_bytes() == recipe.content


@pytest.mark.parametrize("damage", ["one byte", "truncated", "gone", "entry gone", "entry cut"])
def test_a_damaged_entry_is_built_anew(store: Store, damage: str) -> None:
    recipe = Recipe()
    folder = store.ensure("kind", "key", recipe, print).folder
    if damage == "one byte":
        with (folder / "file").open("r+b") as file:
            file.seek(1_500_000)
            file.write(b"y")
    elif damage == "truncated":
        os.truncate(folder / "file", 5)
    elif damage == "gone":
        (folder / "file").unlink()
    elif damage == "entry gone":
        (folder / "entry.json").unlink()
    else:
        os.truncate(folder / "entry.json", 30)

    assert store.get("kind", "key") is None
    assert store.ensure("kind", "key", recipe, print).facts == {"count": 2}
    assert store.get("kind", "key") is not None


def test_a_copied_cache_is_believed_after_it_was_read(store: Store, tmp_path: Path) -> None:
    first = store.ensure("kind", "key", Recipe(), print)
    shutil.copytree(store.root, tmp_path / "copy")  # as CI systems restore caches: other inodes, other times
    copy = Store(tmp_path / "copy")

    found = copy.get("kind", "key")

    assert found is not None
    assert found.content == first.content
    (found.folder / "file").write_bytes(b"y" * 3_000_000)
    assert copy.get("kind", "key") is None


def test_a_failed_build_leaves_nothing(store: Store) -> None:
    def fail(folder: Path) -> Mapping[str, Any]:
        (folder / "half").write_bytes(b"made")
        raise EmulatorError("no luck")

    with pytest.raises(EmulatorError, match="no luck"):
        store.ensure("kind", "key", fail, print)
    assert list((store.root / "kind").iterdir()) == []


def test_what_a_killed_build_left_is_removed_by_the_next(store: Store) -> None:
    context = multiprocessing.get_context("fork")
    process = context.Process(target=store.ensure, args=("kind", "key", _kill_oneself, print))
    process.start()
    process.join(20)
    assert process.exitcode == -9
    assert len(list((store.root / "kind").iterdir())) == 1

    store.ensure("kind", "key", Recipe(), print)

    assert [path.name for path in (store.root / "kind").iterdir()] == ["key"]


def _kill_oneself(folder: Path) -> Mapping[str, Any]:
    (folder / "half").write_bytes(b"made")
    os.kill(os.getpid(), 9)
    return {}


def test_of_two_processes_one_builds(store: Store, tmp_path: Path) -> None:
    program = """
import sys
from pathlib import Path
from edgecheck.emulator.store import Store

def build(folder):
    with Path(sys.argv[2]).open("a") as log:
        log.write("built\\n")
    (folder / "file").write_bytes(b"x" * 5_000_000)
    return {}

Store(Path(sys.argv[1])).ensure("kind", "key", build, print)
"""
    argv = [sys.executable, "-c", program, str(store.root), str(tmp_path / "log")]
    processes = [subprocess.Popen(argv, stdout=subprocess.DEVNULL) for _ in range(3)]

    assert [process.wait(60) for process in processes] == [0, 0, 0]
    assert (tmp_path / "log").read_text() == "built\n"


def test_a_full_disk_is_told_and_leaves_nothing(tmp_path: Path) -> None:
    program = """
import sys
from pathlib import Path
from edgecheck.emulator.store import Store
from edgecheck.errors import EmulatorError

store = Store(Path(sys.argv[1]))
try:
    store.ensure("kind", "key", lambda folder: {"n": (folder / "f").write_bytes(b"x" * 9_000_000)}, print)
except EmulatorError as error:
    print(error.message)
    print(error.hint)
print(sorted(path.name for path in (store.root / "kind").iterdir()))
"""
    (tmp_path / "small").mkdir()
    script = f'mount -t tmpfs -o size=4m small {tmp_path}/small && exec {sys.executable} -c "$0" {tmp_path}/small'
    unshare = ["unshare", "--mount", *(["--map-root-user"] if os.getuid() else []), "sh", "-c", script, program]
    done = subprocess.run(unshare, check=False, capture_output=True, text=True, timeout=60)
    if "unshare" in done.stderr or "mount:" in done.stderr:
        pytest.skip("no private mounts here")

    assert done.stdout.splitlines() == [
        f"The emulator's cache {tmp_path}/small cannot be written: No space left on device.",
        "Free some space there, or set XDG_CACHE_HOME to a folder that has it.",
        "[]",
    ], done.stderr


def test_the_least_recently_used_go_first(store: Store) -> None:
    for at, key in enumerate("abc"):
        folder = store.ensure("kind", key, Recipe(key.encode() * 1_000_000), print).folder
        os.utime(folder, (at, at))
    os.utime(store.root / "kind" / "a", (9, 9))

    for _ in range(3):  # looking at what there is must not count as using it
        store.keep("kind", 2_100_000)

    assert sorted(path.name for path in (store.root / "kind").iterdir()) == ["a", "c"]


def test_a_digest_sees_place_size_and_content_but_not_holes(tmp_path: Path) -> None:
    def sparse(name: str, place: int, size: int, content: bytes = b"x") -> str:
        with (tmp_path / name).open("wb") as file:
            file.truncate(size)
            file.seek(place)
            file.write(content)
        return digest(tmp_path / name)

    def dense(size: int, place: int) -> str:
        (tmp_path / "dense").write_bytes(bytes(place) + b"x" + bytes(size - place - 1))
        return digest(tmp_path / "dense")

    first = sparse("a", 5_000_000, 9_000_000)
    assert dense(9_000_000, 5_000_000) == first
    assert sparse("b", 5_000_001, 9_000_000) != first
    assert sparse("c", 5_000_000, 9_000_001) != first
    assert sparse("d", 5_000_000, 9_000_000, b"y") != first
    assert sparse("e", 0, 1 << 36)  # 64 GiB of holes are no work
