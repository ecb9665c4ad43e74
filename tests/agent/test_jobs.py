"""A job that cannot be understood is one problem, reported before anything runs."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.agent.agent_runs import SUPERVISOR, Live, agent_run, run

GOOD: dict[str, object] = {"protocol": 1, "model": "m.onnx", "format": "onnx"}


@pytest.mark.parametrize(
    ("text", "code", "message"),
    [
        ("", "bad-job", "the job is not JSON: Expecting value: line 1 column 1 (char 0)"),
        ("[]", "bad-job", "the job is not a JSON object"),
        ('{"protocol": 1', "bad-job", "the job is not JSON: Expecting ',' delimiter: line 1 column 15 (char 14)"),
        ('{"protocol": 1, "deadline_s": NaN}', "bad-job", "the job is not JSON: NaN is not a number"),
        ('{"protocol": 1, "deadline_s": Infinity}', "bad-job", "the job is not JSON: Infinity is not a number"),
        ("{}", "unknown-protocol", "this agent speaks protocol 1, the job None"),
        ('{"protocol": 2}', "unknown-protocol", "this agent speaks protocol 1, the job 2"),
        ('{"protocol": 1}', "bad-job", "the job has no model"),
    ],
)
def test_what_is_not_a_job(text: str, code: str, message: str) -> None:
    result = run(text)
    assert result.code == 2
    assert result.events == [{"event": "problem", "code": code, "message": message}]
    assert result.stderr == ""


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"modle": "m"}, "the job has an unknown key: modle"),
        ({"latency": {"looks": [], "min": 1}}, "the job has an unknown key: latency.min"),
        ({"model": 3}, "the job's model is of the wrong type: 3"),
        ({"threads": True}, "the job's threads is of the wrong type: True"),
        ({"memory": {"inferences": "5"}}, "the job's memory.inferences is of the wrong type: '5'"),
        ({"memory": {"processes": [5, 2]}}, "memory.processes is not [least, most]"),
        ({"format": "keras"}, "the format is not known: keras"),
        ({"runtime": "tflite-runtime"}, "runtime tflite-runtime does not run .onnx"),
        ({"threads": 0}, "threads is less than 1"),
        ({"deadline_s": 0}, "deadline_s is not above 0"),
        ({"inputs": {"x": [1, "H"]}}, "inputs is not a map of shapes"),
        ({"python_path": [1]}, "python_path is not a list of folders"),
        ({"latency": {"max_s": -1}}, "the job's latency.max_s is below 0: -1"),
        ({"latency": {"max_count": 0}}, "latency.max_count is less than 1"),
        ({"deterministic": {"max_batches": 0}}, "deterministic.max_batches is less than 1"),
        ({"memory": {"interval_s": 0}}, "memory.interval_s is not above 0"),
        ({"heartbeat_s": 0}, "heartbeat_s is not above 0"),
        ({"latency": {}, "deterministic": {}}, "latency and deterministic exclude each other"),
    ],
)
def test_a_key_that_is_wrong_is_named(fields: dict[str, object], message: str) -> None:
    result = run({**GOOD, **fields})
    assert result.code == 2
    assert result.events == [{"event": "problem", "code": "bad-job", "message": message}]


def on_the_command_line(*arguments: str | Path) -> tuple[int, list[str]]:
    done = subprocess.run(
        [sys.executable, SUPERVISOR, *arguments], stdin=subprocess.DEVNULL, capture_output=True, check=False
    )
    result = agent_run(done.stdout, done.stderr, done.returncode)
    return result.code, [event["message"] for event in result.of("problem")]


def test_a_job_file_that_is_not_there_or_not_text(tmp_path: Path) -> None:
    code, (message,) = on_the_command_line(tmp_path / "job.json")
    assert code == 2
    assert message.startswith("the job cannot be read: [Errno 2] No such file or directory")
    (tmp_path / "job.json").write_bytes(b"\xff\xfe")
    code, (message,) = on_the_command_line(tmp_path / "job.json")
    assert code == 2
    assert message.startswith("the job cannot be read: ")


def test_wrong_arguments_are_answered_with_the_usage() -> None:
    assert on_the_command_line() == (2, ["usage: supervisor.py [--ready RUNTIME] JOB.json, or - for stdin, or --probe"])


def test_a_job_without_passes_describes_the_device() -> None:
    result = run(GOOD)
    assert (result.code, result.kinds) == (0, ["device", "device", "done"])


def test_a_job_on_stdin_may_have_several_lines_and_stdin_may_stay_open() -> None:
    assert run(json.dumps(GOOD, indent=2)).code == 0
    with Live(GOOD) as live:  # its stdin is still open
        assert live.rest().kinds[-1] == "done"
