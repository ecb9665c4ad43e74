"""Rows of boards on a terminal, and their lines in a log. Covers `cli/progress.py`."""

from __future__ import annotations

import io
import threading
from typing import TYPE_CHECKING

from rich.console import Console

from edgecheck.checks.steps import Step
from edgecheck.cli import progress
from edgecheck.cli.progress import BoardRows, Progress
from tests.cli.test_progress import said

if TYPE_CHECKING:
    import pytest

RUNNING = Step(board="ssh://pi@one", device="pi", check="net.onnx · int8", words="latency pass", left=7)
FREE = Step(board="ssh://pi@two", device="pi", left=6)
LOST = Step(board="ssh://pi@three", lost="three does not answer.")


def test_a_row_says_board_check_phase_and_what_remains() -> None:
    rows = BoardRows(9)
    for step in (RUNNING, FREE, LOST, Step(board=LOST.board, device="pi", check="late", words="late")):
        rows.add(step, 2)
    sink = io.StringIO()
    Console(file=sink, width=120).print(rows._table())
    assert [" ".join(line.split()) for line in sink.getvalue().splitlines()] == [
        "ssh://pi@one net.onnx · int8 latency pass (7 left of pi)",
        "ssh://pi@three left out three does not answer.",
        "ssh://pi@two free (6 left of pi)",
        "2 of 9 done",
    ]
    assert rows.lines() == ["ssh://pi@one: net.onnx · int8: latency pass (7 left of pi)"]


def test_rows_begin_once_from_whichever_thread() -> None:
    rows = BoardRows(9)
    rows.add(RUNNING, 2)
    threads = [threading.Thread(target=rows.start) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert not any(thread.is_alive() for thread in threads)
    assert rows._live is not None
    rows.stop()


def test_a_log_names_a_lost_board_at_once_and_the_others_from_time_to_time(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    with Progress(9) as shown:
        shown.show_step(RUNNING)
        shown.show_step(LOST)
    assert capsys.readouterr().err == "[1/9] ssh://pi@three is left out: three does not answer.\n"
    monkeypatch.setattr(progress, "_EVERY", 0.01)
    with Progress(9) as shown:
        shown.show_step(RUNNING)
        shown.show_step(FREE)
        assert said(capsys, "left of pi)\n") == "[1/9] ssh://pi@one: net.onnx · int8: latency pass (7 left of pi)\n"
