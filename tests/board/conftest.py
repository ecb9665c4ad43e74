"""One board for all tests of this folder, on which one check has been: the agent and a runtime are there."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from edgecheck.emulator import programs
from tests.board import machine, system, used

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.board.machine import EmulatedBoard


@pytest.fixture(scope="module")
def board_machine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EmulatedBoard]:
    """The machine, which runs as long as the tests of one file do: others count what this process leaves running."""
    if any(programs.find(name) is None for name in (programs.QEMU, programs.MKE2FS)):
        pytest.skip("QEMU or mke2fs is not installed")
    with machine.started(system.ensure(), tmp_path_factory.mktemp("board"), used.disk()) as board:
        yield board


@pytest.fixture
def board(board_machine: EmulatedBoard, monkeypatch: pytest.MonkeyPatch) -> EmulatedBoard:
    """The machine, and edgecheck's ssh set up to reach it."""
    monkeypatch.setenv("EDGECHECK_SSH", board_machine.ssh)
    return board_machine
