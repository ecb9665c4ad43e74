"""Boards that are real sshd's, and after every test of them: no process, no job and no temporary file is left."""

from __future__ import annotations

import os
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.targets import sshd
from tests.targets.workloads import comes_true, identity

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

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


@pytest.fixture
def model(tmp_path: Path) -> Path:
    return identity(tmp_path / "small.onnx")
