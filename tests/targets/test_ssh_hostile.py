"""Boards that do not keep to the protocol: an error of the board's with a sentence, never ours, never a figure."""

from __future__ import annotations

import json
import re
import sys
import time
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from edgecheck.checks.session import Needs, run_on
from edgecheck.core.address import parse
from edgecheck.errors import TargetError
from edgecheck.targets.shell.cache import clear_device_cache, device_cache, probe
from edgecheck.targets.shell.wire import Patience
from edgecheck.targets.ssh import open_target
from tests.builders import ARTIFACT, budget, limit, profile
from tests.targets import hostile_board
from tests.targets.workloads import silent

if TYPE_CHECKING:
    from collections.abc import Callable

ADDRESS = "ssh://pi@board"
HASTY = Patience(beat=0.2, silence=2.0, greeting=3.0, answer=3.0, grace=1.0)
DEEP = b"[" * 100_000
START = {"event": "start", "process": 1, "purpose": "latency", "pid": 7, "available": None}
END = {"event": "end", "process": 1, "outcome": "completed", "phase": "exit"}


def line(**message: object) -> bytes:
    return json.dumps(message).encode() + b"\n"


HONEST = {
    "greeting": line(protocol=1, facts={"system": "Linux", "bits": 64}, folder="/home/pi"),
    "offer": line(missing=[]),
    "start": line(started=True),
    "forever": b"",
}


@pytest.fixture
def hostile(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[dict[str, bytes]], None]:
    """Puts a board in the place of `ssh`, which answers what it is given in place of what is honest."""

    def start(answers: dict[str, bytes]) -> None:
        script = tmp_path / "script"
        script.write_text(repr(HONEST | answers), encoding="ascii")
        monkeypatch.setenv("EDGECHECK_SSH", f"{sys.executable} {hostile_board.__file__} {script}")

    return start


def checked(tmp_path: Path) -> str:
    """The message of the error, or why the run is incomplete; a complete run has neither."""
    model = tmp_path / "model.onnx"
    model.write_bytes(b"a model")
    needs = Needs(budget=replace(budget()), limits=(limit("latency_p50", 1.0),))
    artifact = replace(ARTIFACT, path=model, files=(model,))
    target = replace(open_target(parse(ADDRESS), profile()), patience=HASTY)
    try:
        run = run_on(target, artifact, needs, progress=silent)
    except TargetError as error:
        return error.message
    assert not any(worker.latencies for worker in run.workers)
    return run.broken


ANSWERS: dict[str, tuple[dict[str, bytes], str]] = {
    "greeting is a list": ({"greeting": b"[]\n"}, "a line that is not an object: a list of 0"),
    "greeting is deep": ({"greeting": DEEP + b"\n"}, "JSON that is nested too deeply"),
    "greeting without facts": ({"greeting": line(protocol=1)}, "connection to pi@board was lost"),
    "facts are a text": ({"greeting": line(facts="Linux")}, "facts is 'Linux'; expected a mapping"),
    "bits are a text": ({"greeting": line(facts={"bits": "64"})}, "facts.bits is '64'; expected an integer"),
    "folder is a number": ({"greeting": line(facts={}, folder=7)}, "folder is 7; expected a text"),
    "error is a text": ({"offer": line(error="no")}, "error is 'no'; expected a mapping"),
    "error is null": ({"offer": line(error=None)}, "error is null; expected a mapping"),
    "no needed": ({"offer": line(error={"code": "no-room"})}, "pi@board has no room: 0 B are needed"),
    "needed is a text": (
        {"offer": line(error={"code": "no-room", "needed": "all", "free": 1})},
        "error.needed is 'all'; expected an integer",
    ),
    "needed is endless": (
        {"offer": b'{"error": {"code": "no-room", "needed": ' + b"9" * 4000 + b"}}\n"},
        "error.needed is an integer of 13,288 bits",
    ),
    "more digits than Python reads": ({"offer": b'{"missing": ' + b"9" * 5000 + b"}\n"}, "does not fit|not JSON"),
    "an unknown error": ({"offer": line(error={"code": "\x1b[31m", "message": "\x1b]0;x\x07"})}, "pi@board failed in"),
    "no missing": ({"offer": line(received=1)}, "missing is missing"),
    "missing is a text": ({"offer": line(missing="all")}, "missing is 'all'; expected a list"),
    "an unknown digest": ({"offer": line(missing=["0" * 64])}, "a digest that was not offered"),
    "a digest that is a list": ({"offer": line(missing=[[]])}, r"missing\[0\] is a list of 0; expected a text"),
    "answer is not JSON": ({"offer": b"\xff\x00\x1b[2J\n"}, "a line that is not JSON"),
    "answer is deep": ({"offer": b'{"missing": ' + DEEP + b"\n"}, "nested too deeply"),
    "answer is empty": ({"offer": b"{}\n"}, "missing is missing"),
    "started is a text": ({"start": line(started="yes")}, "started is 'yes'; expected true or false"),
    "beats for ever": ({"offer": b"\n"}, "kept sending|nothing was heard"),
    "a line without an end": ({"forever": b"x" * 2**16}, "a line without an end"),
    "left is deep": ({"start": line(started=True) + b'{"event": "left", "code": ' + DEEP + b"\n"}, "nested too deeply"),
    "left with a text": ({"start": line(started=True) + line(event="left", code="x")}, "code is 'x'"),
}


@pytest.mark.parametrize("name", ANSWERS)
def test_answers_that_do_not_fit(name: str, hostile: Callable[[dict[str, bytes]], None], tmp_path: Path) -> None:
    answers, words = ANSWERS[name]
    hostile(answers)
    began = time.monotonic()
    message = checked(tmp_path)
    assert re.search(words, message), message
    assert message.isprintable()
    assert time.monotonic() - began < 30


def event(**fields: Any) -> bytes:
    return line(**{**START, **fields})


EVENTS: dict[str, tuple[bytes, str]] = {
    "a list": (b"[1]\n", "not an object"),
    "a text": (b'"event"\n', "not an object"),
    "deep": (b'{"event": ' + DEEP + b"\n", "nested too deeply"),
    "the kind is a list": (line(event=[]), "event is a list of 0"),
    "no purpose": (line(event="start", process=1), "start: purpose is missing"),
    "another purpose": (event(purpose="mischief"), "purpose is 'mischief'; expected one of"),
    "the process is a text": (event(process="1"), "process is '1'"),
    "the process is true": (event(process=True), "process is true"),
    "the process is a list": (event(process=[]), "process is a list of 0"),
    "never started": (line(**END), "end: process 1 has not started"),
    "started again": (event() + event(), "process 1 has started before"),
    "infinite": (event() + b'{"event": "latencies", "process": 1, "values_ns": [Infinity]}\n', "not JSON"),
    "1e400": (event() + b'{"event": "phase", "process": 1, "phase": "start", "at_s": 1e400}\n', "infinite"),
    "negative": (event() + line(event="latencies", process=1, values_ns=[-5]), r"values_ns\[0\] is -5"),
    "a look at nothing": (
        event()
        + line(event="look", process=1, counts=[{"id": "a", "n": 9, "exceedances": 0, "block": 1, "decision": "pass"}]),
        "more inferences than latencies",
    ),
    "batches of none": (
        event() + line(event="batches", process=1, agreed=True, batches=[{"count": 0, "total_ns": 5}]),
        r"batches\[0\].count is 0",
    ),
    "a problem without words": (line(event="problem"), "message is missing"),
    "a flood": (line(event="waiting", holder="me") * 200_100, "more than 200,000 events"),
}


@pytest.mark.parametrize("name", EVENTS)
def test_events_that_do_not_fit(name: str, hostile: Callable[[dict[str, bytes]], None], tmp_path: Path) -> None:
    sent, words = EVENTS[name]
    hostile({"start": line(started=True) + sent + line(event="done", processes=1)})
    message = checked(tmp_path)
    assert message.startswith("the device's agent sent an event that does not fit the protocol: "), message
    assert re.search(words, message), message
    assert message.isprintable()


def test_the_honest_answers_fit(hostile: Callable[[dict[str, bytes]], None], tmp_path: Path) -> None:
    """Otherwise the tests above would show nothing."""
    hostile({"start": line(started=True) + event() + line(**END) + line(event="done", processes=1)})
    assert checked(tmp_path) == ""


@pytest.mark.parametrize("ask", [device_cache, clear_device_cache, probe])
@pytest.mark.parametrize(
    "answer", [b"{}\n", b'{"entries": [{}], "folder": 1, "free": "x", "freed": [], "installed": 3}\n']
)
def test_answers_about_the_cache(
    ask: Callable[[str], object], answer: bytes, hostile: Callable[[dict[str, bytes]], None]
) -> None:
    hostile(dict.fromkeys(("cache", "clear", "installed"), answer))
    with pytest.raises(TargetError, match="an answer that does not fit the protocol"):
        ask(ADDRESS)
