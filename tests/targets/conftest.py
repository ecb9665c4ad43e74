"""Boards that are real sshd's, and phones that are real adbd's.

After every test of them no process, no job and no temporary file is left there.
"""

from __future__ import annotations

import os
import subprocess
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from edgecheck.core.address import parse
from edgecheck.targets import open_target
from tests.builders import profile
from tests.targets import phone as adbd
from tests.targets import sshd
from tests.targets.workloads import RUNTIME, comes_true, events, identity, silent, workload

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.targets.phone import Phone
    from tests.targets.sshd import Board


@pytest.fixture
def boards(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., Board]]:
    """Starts a board: its name, sshd's settings, and the environment that its user's commands see."""
    made: list[Board] = []
    with ExitStack() as stack:

        def start(name: str = "board", settings: str = "", **environment: str) -> Board:
            board = stack.enter_context(sshd.started(tmp_path / name, settings, **environment))
            monkeypatch.setenv("EDGECHECK_SSH", board.ssh)
            made.append(board)
            return board

        yield start
        for board in made:
            assert comes_true(lambda board=board: not board.processes()), board.processes()  # type: ignore[misc]
            assert {path.name for path in (board.folder / "tmp").iterdir()} <= {f"edgecheck-{os.getuid()}"}
            assert list((board.cache / "device" / "jobs").glob("*")) == []


@pytest.fixture
def board(boards: Callable[..., Board]) -> Board:
    """One on which everything is as it should be."""
    return boards()


@pytest.fixture(scope="session")
def brought(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What a first check brings to a phone, to be copied to others: the Python, the agent and `RUNTIME`."""
    folder = tmp_path_factory.mktemp("brought")
    (folder / "first").mkdir()
    with adbd.started(folder / "first") as phone, pytest.MonkeyPatch.context() as patch:
        for name, value in adbd.environment(phone.folder).items():
            patch.setenv(name, value)
        target = open_target(parse(phone.address), profile())
        job = workload(identity(folder / "small.onnx"), requirements=RUNTIME)
        with target.launch(job, silent) as lines:
            assert events(lines)[-1]["event"] == "done"
        subprocess.run(["cp", "-a", str(phone.cache), str(folder / "cache")], check=True)
    return folder / "cache"


@pytest.fixture
def phones(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest
) -> Iterator[Callable[..., Phone]]:
    """Starts a phone, which adb finds: the size of its /data, mount options of that, and whether all was brought."""
    if problem := adbd.missing():
        (pytest.fail if "CI" in os.environ else pytest.skip)(problem)
    made: list[Phone] = []
    with ExitStack() as stack:

        def start(size: str = "1g", options: str = "", *, has_all: bool = True) -> Phone:
            source = request.getfixturevalue("brought") if has_all else None
            phone = stack.enter_context(adbd.started(tmp_path / "phone", size, options))
            if source is not None:
                subprocess.run(["cp", "-a", str(source), str(phone.cache)], check=True)
            for name, value in adbd.environment(phone.folder).items():
                monkeypatch.setenv(name, value)
            made.append(phone)
            return phone

        yield start
        for phone in made:
            if phone.is_alive:
                assert comes_true(lambda phone=phone: not phone.processes()), phone.processes()  # type: ignore[misc]
                assert list((phone.cache / "device" / "jobs").glob("*")) == []
                assert list((phone.cache / "device" / "files").glob(".*")) == []
                assert {path.name for path in (phone.data / "local/tmp").iterdir()} <= adbd.LEFT


@pytest.fixture
def model(tmp_path: Path) -> Path:
    return identity(tmp_path / "small.onnx")
