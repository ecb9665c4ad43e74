"""Where things are kept on the device, and what happens when there is no room for them.

Covers `courier/place.py`, `courier/receiving.py`.
"""

from __future__ import annotations

import os
import re
import subprocess
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from edgecheck.core.address import parse
from edgecheck.errors import TargetError
from edgecheck.targets import open_target
from edgecheck.targets.courier import place
from edgecheck.targets.shell.cache import device_cache
from edgecheck.targets.shell.client import connected
from edgecheck.targets.shell.upload import Item
from edgecheck.targets.shell.wire import PATIENCE
from edgecheck.targets.ssh import OpenSsh
from examples.real_models import fetch
from tests.builders import profile
from tests.cli.command import edgecheck
from tests.targets.sshd import USER
from tests.targets.workloads import QUICK, comes_true, events, silent, until, workload

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.targets.sshd import Board

pytestmark = pytest.mark.ssh

needs_root = pytest.mark.skipif(os.getuid() != 0, reason="mounts a small disk, which takes root")


@contextmanager
def mounted(place: Path, options: str) -> Iterator[None]:
    """A separate disk in RAM."""
    place.mkdir(parents=True)
    subprocess.run(["mount", "-t", "tmpfs", "-o", options, "tmpfs", str(place)], check=True)
    try:
        yield
    finally:
        subprocess.run(["umount", "--lazy", str(place)], check=True)


def fill(file: Path) -> None:
    """Write until the disk is full."""
    with file.open("wb", 0) as filler:
        while True:
            filler.write(bytes(4096))


@pytest.fixture
def small_disk(tmp_path: Path, boards: Callable[..., Board]) -> Iterator[Callable[[str], Board]]:
    """A board whose home is a disk with those options."""
    mounts = []

    def make(options: str) -> Board:
        mount = mounted(tmp_path / "small" / "home", options)
        mount.__enter__()
        mounts.append(mount)
        return boards("small")

    yield make
    for mount in mounts:
        mount.__exit__(None, None, None)


@needs_root
def test_a_disk_that_is_too_small_is_reported_before_anything_is_sent(
    small_disk: Callable[[str], Board], model: Path
) -> None:
    board = small_disk("size=10m")
    with (
        pytest.raises(TargetError) as caught,
        open_target(parse(board.address), profile()).launch(workload(model), silent),
    ):
        pass
    # About 18 MB: the archive of the runtime is packed anew when the agent changes.
    assert re.match(rf"{USER}@127\.0\.0\.1 has no room: 1[78]\.\d MB are needed in ", caught.value.message)
    assert f" are needed in {board.cache}, 10" in caught.value.message
    assert f"`edgecheck cache --target {board.address}`" in caught.value.hint
    assert device_cache(board.address).kept == ()


@needs_root
def test_old_things_make_room_for_new_ones(small_disk: Callable[[str], Board]) -> None:
    board = small_disk("size=24m")
    address = parse(board.address)
    for content in (b"1" * 5_000_000, b"2" * 5_000_000, b"3" * 5_000_000):
        with connected(OpenSsh(address), PATIENCE) as client:
            client.bring([_item(content)], print)
            client.ask("cache")
    assert [one.digest for one in device_cache(board.address).kept] == [_item(b"3" * 5_000_000).digest]


@needs_root
@pytest.mark.parametrize("inodes", [10, 24])
def test_a_disk_that_fills_up_meanwhile_is_reported(
    small_disk: Callable[[str], Board], model: Path, inodes: int
) -> None:
    board = small_disk(f"size=50m,nr_inodes={inodes}")
    with (
        pytest.raises(TargetError) as caught,
        open_target(parse(board.address), profile()).launch(workload(model), silent),
    ):
        pass
    assert caught.value.message == f"The disk of {USER}@127.0.0.1 is full."
    assert not list((board.cache / "device" / "trees").glob("*"))


@needs_root
def test_a_disk_that_is_full_while_the_profile_is_written(small_disk: Callable[[str], Board], tmp_path: Path) -> None:
    """onnxruntime does not notice that its file is cut off."""
    board = small_disk("size=50m")
    arguments = ("--device", "raspberry-pi-4-2gb", "--target", board.address, "--bundle", "system")
    with ThreadPoolExecutor() as pool:
        profiled = pool.submit(edgecheck, "profile", fetch("mtcnn_onet.onnx"), *arguments, cwd=tmp_path)
        assert comes_true(lambda: any((board.cache / "device" / "jobs").glob("*/tmp/edgecheck-profile-*")))
        with pytest.raises(OSError, match="No space left"):
            fill(board.home / "filler")
        done = profiled.result()
    assert done.code == 3, done
    words = " ".join(done.err.split())
    assert "onnxruntime's profile is cut off: the disk of " in words
    assert " is full" in words
    assert board.jobs == []


@pytest.mark.parametrize("home", ["/sys", "/proc/self/no-such-folder"])
def test_a_home_that_cannot_be_written_is_done_without(boards: Callable[..., Board], model: Path, home: str) -> None:
    board = boards(HOME=home)
    with open_target(parse(board.address), profile()).launch(workload(model, latency=QUICK), silent) as lines:
        assert until(lines, "end")["outcome"] == "completed"
    assert device_cache(board.address).folder == str(_fallback(board) / "device")
    assert _fallback(board).stat().st_mode & 0o777 == 0o700


def test_a_folder_where_others_can_write_is_not_trusted(tmp_path: Path) -> None:
    tmp_path.chmod(0o1777)
    trap = tmp_path / "trap"
    trap.mkdir()
    assert place.problem(trap) is None
    trap.chmod(0o777)
    assert place.problem(trap) == "it belongs to somebody else"


def test_a_link_to_another_folder_is_not_trusted(tmp_path: Path) -> None:
    tmp_path.chmod(0o1777)
    (tmp_path / "mine").mkdir()
    (tmp_path / "trap").symlink_to(tmp_path / "mine")
    assert place.problem(tmp_path / "trap") == "it belongs to somebody else"


@needs_root
def test_a_folder_of_another_user_is_not_trusted(tmp_path: Path) -> None:
    (tmp_path / "theirs").mkdir(mode=0o700)
    os.chown(tmp_path / "theirs", 12345, 12345)
    assert place.problem(tmp_path / "theirs") == "it belongs to somebody else"


@needs_root
def test_having_no_place_at_all_is_reported(boards: Callable[..., Board], model: Path, tmp_path: Path) -> None:
    board = boards(HOME="/sys")
    script = tmp_path / "read-only.sh"
    mounts = "".join(f"mount -t tmpfs -o ro tmpfs {place}\n" for place in ("/var/tmp", "/tmp"))
    script.write_text(f'set -e\n{mounts}exec sh -c "$SSH_ORIGINAL_COMMAND"\n')
    board.force(f"exec unshare --mount sh {script}")
    with (
        pytest.raises(TargetError) as caught,
        open_target(parse(board.address), profile()).launch(workload(model), silent),
    ):
        pass
    assert caught.value.message.startswith(f"Nothing can be kept on {USER}@127.0.0.1: /sys/.cache/edgecheck: ")
    assert f"; /var/tmp/edgecheck-{os.getuid()}: Read-only file system" in caught.value.message


def _fallback(board: Board) -> Path:
    return board.folder / "tmp" / f"edgecheck-{os.getuid()}"


@needs_root
def test_a_disk_from_which_nothing_may_run_is_passed_over(small_disk: Callable[[str], Board], model: Path) -> None:
    board = small_disk("size=50m,noexec")
    with open_target(parse(board.address), profile()).launch(workload(model), silent) as lines:
        events(lines)
    assert device_cache(board.address).folder == str(_fallback(board) / "device")


def test_what_is_kept_is_for_its_user_alone(board: Board, model: Path) -> None:
    with open_target(parse(board.address), profile()).launch(workload(model), silent) as lines:
        events(lines)
        folders = [path for path in board.cache.rglob("*") if path.is_dir() and "trees" not in path.parts]
        assert {path.stat().st_mode & 0o077 for path in folders if path.name in {"device", "jobs", "files"}} == {0}


def _item(content: bytes) -> Item:
    return Item(
        kind="file",
        digest=sha256(content).hexdigest(),
        size=len(content),
        room=len(content),
        what="the model",
        content=content,
    )
