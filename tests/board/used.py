"""The disk of a board that has been checked once: it is kept between runs, by the content of all that wrote to it."""

from __future__ import annotations

import hashlib
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from platformdirs import user_cache_path

import edgecheck_agent
from edgecheck import bundles
from edgecheck.config import Profiles
from edgecheck.core.address import parse
from edgecheck.emulator.cache import sparse_digest
from edgecheck.errors import EmulatorError
from edgecheck.store import Store
from edgecheck.targets import open_target, shell
from examples.real_models import fetch
from tests.board import machine, system
from tests.builders import profile
from tests.targets.workloads import events, workload

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

MODEL = fetch("hey_jarvis.tflite")
RUNTIME = Profiles().get("raspberry-pi-4-2gb").runtimes["tflite"]

#: The latency pass of a job that only has to run.
ONCE = {"warmup_count": 1, "warmup_s": 0, "min_count": 1, "min_s": 0, "max_s": 1}


def disk() -> Path:
    """The disk, which is made again when edgecheck brings something else, or in another way."""
    store = Store(
        folder=user_cache_path("edgecheck-test-board") / "used",
        what="board's used disk",
        error=EmulatorError,
        digest=sparse_digest,
    )
    built = system.ensure()
    bundle = bundles.bundle_for(RUNTIME, bundles.DevicePlatform("3.11", "aarch64"))
    key = hashlib.sha256(f"{built.folder.name} {bundle.digest} ".encode())
    for file in _code():
        key.update(file.read_bytes())
    return store.ensure(key.hexdigest()[:16], _first_check, print).folder / "disk.img"


def _code() -> Iterator[Path]:
    """The sources that decide what is brought, and how."""
    yield Path(__file__)
    targets = Path(str(shell.__file__)).parents[1]
    for folder in (targets / "shell", targets / "courier", Path(str(edgecheck_agent.__file__)).parent):
        yield from sorted(folder.rglob("*.py"))
    for name in ("unpacker.py", "probe.py"):
        yield Path(str(bundles.__file__)).with_name(name)


def _first_check(folder: Path) -> Mapping[str, Any]:
    """Run a model on the board as it comes from the shop, to which everything has to be brought."""
    built, place, scratch = system.ensure(), folder / "disk.img", folder.parent / "scratch"
    scratch.mkdir()
    subprocess.run(["cp", "--sparse=always", str(built.folder / "system.img"), str(place)], check=True)
    said: list[str] = []
    with pytest.MonkeyPatch.context() as patch, machine.started(built, scratch, place, keeps=True) as board:
        patch.setenv("EDGECHECK_SSH", board.ssh)
        job = workload(MODEL, requirements=RUNTIME, format="tflite", latency=ONCE)
        with open_target(parse(board.address), profile()).launch(job, said.append) as lines:
            assert [event["outcome"] for event in events(lines) if event["event"] == "end"] == ["completed"]
        assert {"unpacking the agent on the device", "unpacking the runtime on the device"} < set(said)
        board.run("busybox sync")
    return {}
