"""An accelerator on a board that a real sshd is: the agent's package arrives whole, and so does the proof."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from edgecheck.core.address import parse
from edgecheck.targets import open_target
from examples.real_models import fetch
from tests import openvino
from tests.agent.accelerators.npu import ABS, NEG, build, chain, misbehaving
from tests.agent.accelerators.test_gpu import CHROMIUM, ICD
from tests.builders import profile
from tests.cli.command import edgecheck
from tests.targets.workloads import QUICK, events, silent, workload

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.targets.sshd import Board

pytestmark = pytest.mark.ssh


def test_the_fake_npu_on_a_board(board: Board, tmp_path: Path) -> None:
    npu = build(tmp_path)
    model = chain(tmp_path / "m.tflite", NEG, ABS, NEG)
    target = open_target(parse(board.address), profile())
    for library, outcome in ((npu, "completed"), (misbehaving(npu, "idle"), "refused")):
        job = workload(model, format="tflite", accelerator={"provider": str(library)}, latency=QUICK)
        with target.launch(job, silent) as lines:
            seen = events(lines)
        (placed,) = [event for event in seen if event["event"] == "placement"]
        (end,) = [event for event in seen if event["event"] == "end"]
        assert (placed["taken"], placed["total"]) == ((1, 3) if outcome == "completed" else (0, 3))
        assert end["outcome"] == outcome


def test_a_check_over_ssh_compares_what_the_board_returned(board: Board, tmp_path: Path) -> None:
    npu = misbehaving(build(tmp_path), "wander")
    model = chain(tmp_path / "m.tflite", NEG, ABS)
    lines = [
        f"model: {model}",
        f"accelerator: {npu}",
        "bundle: system",
        "measure: {warmup_time: 0 s, min_count: 5, min_time: 10 ms, max_time: 1 s}",
        "devices: {raspberry-pi-4-2gb: {agreement: 0.5, latency_p50: off}}",
    ]
    (tmp_path / "b.yaml").write_text("\n".join(lines), encoding="utf-8")
    done = edgecheck("check", "b.yaml", "--target", board.address, "--format", "json", cwd=tmp_path)
    assert done.out, done.err
    (check,) = json.loads(done.out)["checks"]
    assert 0.5 < check["figures"]["agreement"]["value"] < 1
    assert check["figures"]["offloaded"]["value"] == 0.5
    assert {"outputs-vary", "left-behind"} <= {caveat["code"] for caveat in check["caveats"]}


def checked(folder: Path, board: Board, *arguments: str | Path) -> dict[str, Any]:
    """The only check on the board, of a model without a budget."""
    device = ("--device", "raspberry-pi-4-2gb", "--target", board.address)
    limits = ("--limit", "offloaded=50%", "--limit", "agreement=0.99")
    done = edgecheck("check", *arguments, *device, *limits, "--format", "json", cwd=folder)
    assert done.out, done.err
    (check,) = json.loads(done.out)["checks"]
    assert isinstance(check, dict)
    return check


def test_openvino_is_brought_to_a_board(board: Board, tmp_path: Path) -> None:
    model = openvino.partly(tmp_path / "net.onnx")
    check = checked(tmp_path, board, model, "--accelerator", "openvino", "--runtime", openvino.RUNTIME)
    assert check["figures"]["offloaded"]["basis"].startswith("4 of 6 nodes")
    assert check["figures"]["agreement"]["value"] > 0.99
    (left,) = [caveat for caveat in check["caveats"] if caveat["code"] == "left-behind"]
    assert "Unique" in str(left)


def test_litert_on_the_gpu_of_a_board(boards: Callable[..., Board], tmp_path: Path) -> None:
    """A software GPU, from Debian's chromium."""
    if not ICD.exists():
        (pytest.fail if "CI" in os.environ else pytest.skip)("needs SwiftShader: apt-get install chromium-common")
    board = boards(VK_ICD_FILENAMES=str(ICD), LD_LIBRARY_PATH=str(CHROMIUM))
    model = fetch("face_detection_short_range.tflite")
    check = checked(tmp_path, board, model, "--accelerator", "gpu:fp32", "--bundle", "system")
    assert check["figures"]["offloaded"]["value"] == 1
    assert check["figures"]["agreement"]["value"] > 0.99
    assert "software-gpu" in {caveat["code"] for caveat in check["caveats"]}
