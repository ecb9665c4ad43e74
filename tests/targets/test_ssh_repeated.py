"""What is on the device is not sent again, and what should be there is complete.

Covers `shell/client.py`, `shell/upload.py`, `courier/job_folder.py`.
"""

from __future__ import annotations

import os
import subprocess
import sys
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest

from edgecheck.core.address import parse
from edgecheck.errors import TargetError
from edgecheck.targets import open_target
from edgecheck.targets.shell.cache import clear_device_cache, device_cache
from edgecheck.targets.shell.client import connected
from edgecheck.targets.shell.upload import Item, upload_for
from edgecheck.targets.shell.wire import PATIENCE
from edgecheck.targets.ssh import OpenSsh
from tests.builders import profile
from tests.targets.sshd import USER
from tests.targets.tcp_relay import relayed
from tests.targets.workloads import LONG, QUICK, comes_true, events, rest_of, silent, until, workload

if TYPE_CHECKING:
    from tests.targets.sshd import Board

pytestmark = pytest.mark.ssh


def item(digest: str, content: bytes, size: int | None = None) -> Item:
    """A file to send, of the announced size, else of its real one."""
    size = len(content) if size is None else size
    return Item(kind="file", digest=digest, size=size, room=size, what="the model", content=content)


@pytest.fixture
def large(model: Path, tmp_path: Path) -> tuple[Path, Path]:
    """A model with 3 MB of samples that do not compress."""
    samples = tmp_path / "samples.npz"
    np.savez(samples, x=np.random.default_rng(0).random((200_000, 4), dtype=np.float32)[:, None, :])
    return model, samples


def told(board: Board, port: int, model: Path, samples: Path) -> list[str]:
    words: list[str] = []
    target = open_target(parse(f"ssh://{USER}@127.0.0.1:{port}"), profile())
    with target.launch(workload(model, samples=samples, latency=QUICK), words.append) as lines:
        assert events(lines)[-1]["event"] == "done"
    return words


def test_a_second_check_sends_less_than_100_kb_over_one_connection(board: Board, large: tuple[Path, Path]) -> None:
    with relayed(board.port) as relay:
        board.know(relay.port)
        words = told(board, relay.port, *large)
        assert relay.sent > 3_000_000
        assert words[0] == f"connecting to {USER}@127.0.0.1"
        assert {"sending the model, 77 B", "sending the samples, 3.20 MB"} <= set(words)
        first, relay.sent, relay.received = relay.sent, 0, 0
        assert told(board, relay.port, *large) == words[:1]
        assert relay.sent < 30_000 < first
        assert relay.received < 30_000
        assert relay.connections == 2


def test_another_model_sends_itself_and_nothing_else(board: Board, model: Path, tmp_path: Path) -> None:
    target = open_target(parse(board.address), profile())
    with target.launch(workload(model), silent) as lines:
        events(lines)
    other = tmp_path / "other.onnx"
    other.write_bytes(model.read_bytes() + b"\x72\x00")
    words: list[str] = []
    with target.launch(workload(other), words.append) as lines:
        events(lines)
    assert [one for one in words if one.startswith("sending")] == ["sending the model, 79 B"]


def test_an_upload_that_was_cut_short_is_not_taken_for_complete(board: Board) -> None:
    address = parse(board.address)
    content = os.urandom(300_000)
    half = item("0" * 64, content[:150_000], len(content))
    with connected(OpenSsh(address), PATIENCE) as reached:
        reached.bring([half], print)
        reached.wire.kill()
    with connected(OpenSsh(address), PATIENCE) as reached:
        assert reached.ask("offer", items=[half.offer], limit=10**9)["missing"] == [half.digest]
    assert list((board.cache / "device" / "files").iterdir()) == []


def test_bytes_that_changed_on_the_way_are_refused(board: Board) -> None:
    wrong = item("0" * 64, b"hello")
    address = parse(board.address)
    with connected(OpenSsh(address), PATIENCE) as reached:
        reached.bring([wrong], print)
        with pytest.raises(TargetError) as caught:
            reached.ask("cache")
    assert caught.value.message.startswith(f"What was sent to {address.login} was damaged on the way")
    assert list((board.cache / "device" / "files").iterdir()) == []


def test_a_file_of_the_wrong_length_is_sent_again(board: Board, model: Path) -> None:
    target = open_target(parse(board.address), profile())
    with target.launch(workload(model), silent) as lines:
        events(lines)
    (kept,) = (board.cache / "device" / "files").iterdir()
    kept.write_bytes(b"")  # as after a plug was pulled
    with target.launch(workload(model, latency=QUICK), silent) as lines:
        assert until(lines, "end")["outcome"] == "completed"


def test_an_agent_without_its_mark_is_sent_again(board: Board, model: Path) -> None:
    target = open_target(parse(board.address), profile())
    with target.launch(workload(model), silent) as lines:
        events(lines)
    (mark,) = (board.cache / "device" / "trees").glob("*.whole")
    (mark.with_suffix("") / "edgecheck_agent" / "supervisor.py").write_bytes(b"")
    mark.unlink()
    with target.launch(workload(model), silent) as lines:
        assert events(lines)[-1]["event"] == "done"


def test_the_cache_is_shown_and_cleared(board: Board, model: Path) -> None:
    with open_target(parse(board.address), profile()).launch(workload(model), silent) as lines:
        events(lines)
        with pytest.raises(TargetError, match="in use by a check"):
            clear_device_cache(board.address)
    cache = device_cache(board.address)
    assert cache.folder == str(board.cache / "device")
    assert {one.label for one in cache.kept} == {"the agent", "a model or samples"}
    assert clear_device_cache(board.address) == cache.size > 100_000
    assert device_cache(board.address).kept == ()


def test_what_was_used_longest_ago_goes_when_the_limit_is_reached(board: Board) -> None:
    address = parse(board.address)
    items = [item(sha256(bytes([at]) * 1000).hexdigest(), bytes([at]) * 1000) for at in range(4)]
    kept = board.cache / "device" / "files"

    def bring(*these: Item) -> set[str]:
        with connected(OpenSsh(address), PATIENCE) as reached:
            missing = reached.ask("offer", items=[item.offer for item in these], limit=2500)["missing"]
            for item in these:
                if item.digest in missing:
                    reached._put(item, print)
            reached.ask("cache")
        return {path.name for path in kept.iterdir()}

    bring(items[0])
    os.utime(kept / items[0].digest, (1, 1))
    bring(items[1])
    os.utime(kept / items[1].digest, (2, 2))
    assert bring(items[0], items[2]) == {items[0].digest, items[2].digest}
    assert bring(items[3]) >= {items[3].digest}
    assert len(list(kept.iterdir())) == 2


def test_the_agent_is_packed_alike_every_time(model: Path) -> None:
    one, other = (upload_for(workload(model), None).items["agent"] for _ in range(2))
    assert (one.digest, one.content) == (other.digest, other.content)


def test_remains_of_a_courier_that_was_killed_are_removed(
    board: Board, model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    target = open_target(parse(board.address), profile())
    with target.launch(workload(model, latency=LONG), silent) as lines:
        until(lines, "start")
        monkeypatch.setenv("EDGECHECK_SSH", "false")  # no way back to its results
        (theirs,) = board.processes("python3 -c")
        theirs.kill()
        assert "was lost" in rest_of(lines)[1]
    assert comes_true(lambda: not board.processes())
    assert [path.parent.name for path in board.jobs] == ["jobs"]
    monkeypatch.setenv("EDGECHECK_SSH", board.ssh)
    with target.launch(workload(model), silent) as lines:
        events(lines)
    assert [path.parent.name for path in board.jobs] == ["left"]
    os.utime(board.jobs[0], (1, 1))
    with target.launch(workload(model), silent) as lines:
        events(lines)
    assert board.jobs == []


_READS_AHEAD = """
import sys, time
from edgecheck.targets.courier.link import Link
link, end = Link(30), time.monotonic() + 0.5
link.until(lambda: time.monotonic() > end)
held = len(link._buffer)
while (piece := link.piece(1 << 16)).strip(b"x") == b"":
    pass
print(held, piece[-4:])
"""


def test_an_upload_that_waits_for_the_disk_does_not_fill_the_devices_memory(tmp_path: Path) -> None:
    upload = tmp_path / "upload"
    upload.write_bytes(b"x" * 30_000_000 + b"end.")
    with upload.open("rb") as stdin:
        argv = [sys.executable, "-c", _READS_AHEAD]
        done = subprocess.run(argv, stdin=stdin, capture_output=True, text=True, check=True)
    held, last = done.stdout.split()
    assert 1_000_000 < int(held) < 1_200_000
    assert last == "b'end.'"
