"""A board that is named by its address alone: `edgecheck/checks/which_devices.py` over a real sshd."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.cli.command import edgecheck
from tests.targets.sshd import USER
from tests.targets.workloads import identity

if TYPE_CHECKING:
    from tests.targets.sshd import Board

pytestmark = pytest.mark.ssh


def test_a_board_without_a_profile_gets_one_and_is_recognised_by_it(board: Board, tmp_path: Path) -> None:
    here = tmp_path / "project"
    here.mkdir()
    identity(here / "net.onnx")
    (here / "edgecheck.yaml").write_text(f"targets: {{my-board: '{board.address}'}}\n", encoding="utf-8")
    environment = {"EDGECHECK_SSH": board.ssh}
    limits = ("--limit", "size=1MB", "--limit", "latency_p50=off", "--bundle", "system")
    asked = edgecheck("check", "net.onnx", "--target", board.address, *limits, cwd=here, **environment)
    assert asked.code == 2, asked.out
    assert f"{USER}@127.0.0.1 calls itself " in asked.err
    assert f"edgecheck devices probe --save my-board {board.address}" in asked.err
    saved = edgecheck("devices", "probe", "my-board", "--save", "my-board", cwd=here, **environment)
    assert saved.code == 0, saved.err
    assert saved.err.startswith("Wrote device_profiles/my-board.yaml.")
    again = edgecheck("devices", "probe", "my-board", "--save", "my-board", cwd=here, **environment)
    assert again.code == 2
    assert edgecheck("cache", "--target", "my-board", cwd=here, **environment).code == 0
    done = edgecheck("check", "net.onnx", "--target", "my-board", *limits, cwd=here, **environment)
    assert "net.onnx · as-is · " in done.out
    assert f"on {board.address}" in done.out
    assert done.code in (0, 3), done.out
    alone = edgecheck("check", "net.onnx", "--target", board.address, *limits, cwd=here, **environment)
    if Path("/etc/machine-id").exists() or Path("/sys/class/dmi/id/product_name").exists():
        assert "is not a " not in alone.out, alone.out
        assert alone.code == 0, alone.out + alone.err
    assert "measure on the device itself" not in done.out
