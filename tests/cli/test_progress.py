"""Where a command is by now, on a stderr that is not a terminal."""

from __future__ import annotations

import time

import pytest

from edgecheck.cli import progress
from edgecheck.cli.progress import Progress


def said(capsys: pytest.CaptureFixture[str], words: str) -> str:
    """What was printed, once `words` are in it."""
    text = ""
    for _ in range(1000):
        text += capsys.readouterr().err
        if words in text:
            return text
        time.sleep(0.01)
    raise AssertionError(text)


def test_a_short_check_leaves_the_log_empty_but_for_what_it_waits_for(capsys: pytest.CaptureFixture[str]) -> None:
    with Progress(2) as shown:
        shown.show("sending the runtime, 14 MB")
        shown.show("waiting for pi@rack pid 7")
        shown.next()
        shown.show("latency pass")
    assert capsys.readouterr().err == "[1/2] waiting for pi@rack pid 7\n"


def test_a_long_one_says_where_it_is_and_says_it_once(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(progress, "_EVERY", 0.01)
    with Progress(1) as shown:
        shown.show("sending the runtime, 3.0 MB of 14.4 MB")
        text = said(capsys, "14.4 MB\n")
        shown.show("latency\x1b[2J pass")  # devices choose some of the words
        text += said(capsys, "pass\n")
        time.sleep(0.1)
    assert text + capsys.readouterr().err == (
        "[1/1] sending the runtime, 3.0 MB of 14.4 MB\n[1/1] latency\N{REPLACEMENT CHARACTER}[2J pass\n"
    )


def test_an_interruption_says_at_which_step(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted() -> None:
        with Progress(3) as shown:
            shown.next()
            shown.show("unpacking the runtime on the device")
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    assert capsys.readouterr().err == ""
    monkeypatch.setattr(progress, "_EVERY", 0.0)
    with pytest.raises(KeyboardInterrupt):
        interrupted()
    assert capsys.readouterr().err.endswith("stopped at [2/3] unpacking the runtime on the device\n")
