"""The contract of every host cache: an entry is complete and intact, or absent; it is built once, whatever happens.

Covers `deadline.py`.
"""

from __future__ import annotations

import json
import multiprocessing
import os
import resource
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from edgecheck.deadline import Deadline
from edgecheck.errors import BundleError
from edgecheck.store import Entry, Store, recorded, sha256_of

ROOT = Path(__file__).parents[1]


class Recipe:
    """Builds an entry of one file, and counts how often."""

    def __init__(self, content: bytes = b"x" * 3_000_000) -> None:
        self.content = content
        self.count = 0

    def __call__(self, folder: Path) -> Mapping[str, Any]:
        self.count += 1
        (folder / "file").write_bytes(self.content)
        return {"count": self.count}


def store_in(folder: Path) -> Store:
    return Store(folder=folder, what="thing", error=BundleError)


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return store_in(tmp_path / "cache")


def content(store: Store) -> list[str]:
    """Names of everything in the store but its locks."""
    return sorted(path.name for path in store.folder.iterdir() if path.name != ".locks")


def die(folder: Path) -> Mapping[str, Any]:
    (folder / "half").write_bytes(b"made")
    os.kill(os.getpid(), signal.SIGKILL)
    return {}


def test_an_entry_is_built_once(store: Store) -> None:
    recipe = Recipe()
    first, second = (store.ensure("key", recipe, print) for _ in range(2))
    assert first == second
    assert recipe.count == 1
    assert first.facts == {"count": 1}
    assert (first.folder / "file").read_bytes() == recipe.content
    assert first.files["file"]["sha256"] == recorded(first.folder / "file") == sha256_of(first.folder / "file")
    assert first.size >= 3_000_000
    assert time.time() - 60 < first.made_at <= time.time()
    assert list(store.entries()) == [first]


def test_a_replaced_entry_is_built_again_and_the_old_one_stays_until_then(store: Store) -> None:
    old = store.ensure("key", Recipe(b"old"), print)

    def build(folder: Path) -> Mapping[str, Any]:
        assert store.get("key") == old
        return Recipe(b"new")(folder)

    new = store.replace("key", build, print)
    assert (new.folder / "file").read_bytes() == b"new"
    assert new.content != old.content


def cut(path: Path) -> None:
    os.truncate(path, 30)


def flip(path: Path) -> None:
    with path.open("r+b") as file:
        file.seek(1_500_000)
        file.write(b"y")


def empty(path: Path) -> None:
    path.write_bytes(b"")


def foreign(path: Path) -> None:
    path.write_text(json.dumps({"facts": 7, "files": []}), encoding="utf-8")


@pytest.mark.parametrize(
    ("name", "damage"),
    [
        *(("file", each) for each in (cut, flip, empty, Path.unlink)),
        *(("entry.json", each) for each in (cut, empty, foreign, Path.unlink)),
    ],
)
def test_a_damaged_entry_is_built_again(store: Store, name: str, damage: Callable[[Path], None]) -> None:
    recipe = Recipe()
    damage(store.ensure("key", recipe, print).folder / name)
    assert store.get("key") is None
    assert list(store.entries()) == []
    assert store.ensure("key", recipe, print).facts == {"count": 2}
    assert store.get("key") is not None


def test_a_change_within_one_tick_of_the_clock_is_seen(store: Store) -> None:
    """Before Linux 6.13 both leave the same times."""
    for number in range(20):
        file = store.ensure(str(number), Recipe(b"x"), print).folder / "file"
        file.write_bytes(b"y")
        assert store.get(str(number)) is None


def test_a_file_that_was_left_alone_is_read_once(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    read: list[str] = []

    def digest(path: Path) -> str:
        read.append(path.name)
        return sha256_of(path)

    counting = Store(folder=store.folder, what="thing", error=BundleError, digest=digest)
    counting.ensure("key", Recipe(), print)
    time.sleep(0.05)
    for _ in range(3):
        assert counting.get("key") is not None
    assert 1 <= len(read) <= 2, "once when it was built, and once more where that was within one tick of the clock"


def test_a_copied_cache_is_believed_after_it_was_read(store: Store, tmp_path: Path) -> None:
    first = store.ensure("key", Recipe(), print)
    shutil.copytree(store.folder, tmp_path / "copy")  # as CI systems restore caches: other inodes, other times
    copy = store_in(tmp_path / "copy")
    found = copy.get("key")
    assert found is not None
    assert found.content == first.content
    (found.folder / "file").write_bytes(b"y" * 3_000_000)
    assert copy.get("key") is None


def test_temporary_files_of_a_build_go_with_it(store: Store) -> None:
    def build(folder: Path) -> Mapping[str, Any]:
        (folder.parent / "temporary").write_bytes(b"x")
        return Recipe()(folder)

    store.ensure("key", build, print)
    assert content(store) == ["key"]


@pytest.mark.parametrize("error", [BundleError("no luck"), KeyboardInterrupt("no luck"), ValueError("no luck")])
def test_a_build_that_fails_or_is_interrupted_leaves_nothing(store: Store, error: BaseException) -> None:
    def fail(folder: Path) -> Mapping[str, Any]:
        (folder / "half").write_bytes(b"made")
        raise error

    with pytest.raises(type(error), match="no luck"):
        store.ensure("key", fail, print)
    assert content(store) == []


def test_an_interruption_while_a_build_is_cleaned_up_leaves_nothing(tmp_path: Path) -> None:
    program = """
import os, signal, sys, threading
from pathlib import Path
from edgecheck.errors import BundleError
from edgecheck.store import Store

with Store(folder=Path(sys.argv[1]), what="thing", error=BundleError).making("key") as scratch:
    for number in range(20_000):
        (scratch / str(number)).touch()
    threading.Timer(0.02, os.kill, (os.getpid(), signal.SIGINT)).start()
"""
    argv = [sys.executable, "-c", program, str(tmp_path / "cache")]
    done = subprocess.run(argv, check=False, capture_output=True, text=True, cwd=ROOT)
    assert "KeyboardInterrupt" in done.stderr
    assert list((tmp_path / "cache").iterdir()) == []


@pytest.mark.parametrize("next_key", ["key", "other"])
def test_what_a_killed_build_left_is_not_used_and_goes_with_the_next_build(store: Store, next_key: str) -> None:
    process = multiprocessing.get_context("fork").Process(target=store.ensure, args=("key", die, print))
    process.start()
    process.join(20)
    assert process.exitcode == -signal.SIGKILL
    (left,) = content(store)
    assert left.startswith(".making-key-")
    assert store.get("key") is None
    store.ensure(next_key, Recipe(), print)
    assert content(store) == [next_key]


def test_what_another_process_is_building_stays(store: Store) -> None:
    with store.locked("key", print), store.making("key") as scratch:
        (scratch / "half").touch()
        store.ensure("other", Recipe(), print)
        store.trim(0)
        assert (scratch / "half").exists()
    assert content(store) == []


def test_of_several_processes_one_builds_and_the_others_wait(store: Store, tmp_path: Path) -> None:
    program = """
import sys, time
from pathlib import Path
from edgecheck.errors import BundleError
from edgecheck.store import Store

def build(folder):
    time.sleep(1)
    print("built")
    (folder / "file").write_bytes(b"x" * 5_000_000)
    return {}

Store(folder=Path(sys.argv[1]), what="thing", error=BundleError).ensure("key", build, print)
"""
    argv = [sys.executable, "-c", program, str(store.folder)]
    processes = [subprocess.Popen(argv, stdout=subprocess.PIPE, text=True, cwd=ROOT) for _ in range(3)]
    said = [process.communicate(timeout=60)[0] for process in processes]
    assert [process.returncode for process in processes] == [0, 0, 0]
    assert said.count("built\n") == 1
    waited = "waiting for another edgecheck that is making the same thing\n"  # once, however long it takes
    assert set(said) <= {"built\n", waited, ""}  # nothing from one that was started too late


def test_waiting_for_another_process_is_reported_once_and_ends(store: Store) -> None:
    said: list[str] = []
    with store.locked("key", print), pytest.raises(BundleError) as caught:
        store.ensure("key", Recipe(), said.append, Deadline.after(0.3))
    assert said == ["waiting for another edgecheck that is making the same thing"]
    assert caught.value.message == "Another edgecheck is making the same thing and did not finish in time."
    assert caught.value.hint == f"It holds {store.folder}/.locks/key."


def test_the_entries_that_were_unused_for_longest_go_first(store: Store) -> None:
    for at, key in enumerate("abc"):
        os.utime(store.ensure(key, Recipe(key.encode() * 1_000_000), print).folder, (at, at))
    os.utime(store.folder / "a", (9, 9))
    for _ in range(3):  # listing entries must not count as using them
        store.trim(2_100_000)
    assert content(store) == ["a", "c"]
    store.ensure("c", Recipe(), print)
    store.trim(1_100_000)
    assert content(store) == ["c"]


def test_an_entry_of_another_version_is_as_absent(store: Store) -> None:
    """It has facts that this one does not know; it is built again, and until then takes space like the others."""

    def read(entry: Entry) -> int:
        (count,) = entry.facts.values()
        return int(count)

    ours = replace(store, reads=read)
    store.ensure("key", lambda folder: {**Recipe()(folder), "added": "later"}, print)
    assert ours.get("key") is None
    assert list(ours.entries()) == []
    assert ours.ensure("key", Recipe(), print).facts == {"count": 1}

    store.ensure("other", lambda folder: {**Recipe()(folder), "added": "later"}, print)
    ours.trim(1_000_000)
    assert content(store) == []


@pytest.fixture
def small_files() -> Iterator[None]:
    """Files of at most 20 kB: the kernel's error differs from a full disk's and means the same."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    before = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
        signal.signal(signal.SIGXFSZ, before)


@pytest.mark.usefixtures("small_files")
def test_a_file_size_limit_is_reported_and_leaves_nothing(store: Store) -> None:
    with pytest.raises(BundleError) as caught:
        store.ensure("key", Recipe(), print)
    assert caught.value.message == f"The cache folder {store.folder} is full: File too large."
    assert content(store) == []


PROGRAM = """
import sys
from pathlib import Path
from edgecheck.errors import BundleError
from edgecheck.store import Store

folder, key, size = Path(sys.argv[1]), sys.argv[2], int(sys.argv[3])
store = Store(folder=folder, what="thing", error=BundleError)
try:
    print(store.ensure(key, lambda folder: {"n": (folder / "file").write_bytes(b"x" * size)}, print).facts)
except BundleError as error:
    print(error.message, error.hint)
print(sorted(path.name for path in folder.iterdir()))
"""


def on_a_small_disk(disk: Path, script: str) -> list[str]:
    """What a script prints that calls `build KEY BYTES`; the store has a disk of 4 MB that only the script sees."""
    disk.mkdir()
    build = f'build() {{ {sys.executable} -c "$program" {disk} "$@"; }}'
    lines = ("set -e", 'program="$0"', build, f"mount -t tmpfs -o size=4m disk {disk}", script)
    unshare = ["unshare", "--mount", *(["--map-root-user"] if os.getuid() else []), "sh", "-c", "\n".join(lines)]
    done = subprocess.run([*unshare, PROGRAM], check=False, capture_output=True, text=True, cwd=ROOT)
    if "unshare" in done.stderr or "mount:" in done.stderr:
        pytest.skip("no private mounts here")
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()


def test_a_full_disk_is_reported_and_leaves_nothing(tmp_path: Path) -> None:
    disk = tmp_path / "disk"
    said = (
        f"The cache folder {disk} is full: No space left on device. "
        "Free some space there, or set XDG_CACHE_HOME to a folder that has it."
    )
    assert on_a_small_disk(disk, "build key 9000000") == [said, "['.locks']"]


def test_a_read_only_cache_gives_what_it_has(tmp_path: Path) -> None:
    disk = tmp_path / "disk"
    lines = on_a_small_disk(disk, f"build key 9\nmount -o remount,ro {disk}\nbuild key 9\nbuild other 9")
    said = (
        f"The cache folder {disk} cannot be used: Read-only file system. "
        "Make it writable, or set XDG_CACHE_HOME to a folder that is."
    )
    assert [*lines[::2], lines[1], *lines[3::2]] == [*("{'n': 9}",) * 2, said, *("['.locks', 'key']",) * 3]


def test_a_folder_that_cannot_be_used(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(BundleError) as caught:
        store_in(tmp_path / "file").ensure("key", Recipe(), print)
    assert caught.value.message == f"The cache folder {tmp_path}/file cannot be used: Not a directory."
    assert caught.value.hint == "Make it writable, or set XDG_CACHE_HOME to a folder that is."
