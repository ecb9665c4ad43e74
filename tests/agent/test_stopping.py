"""The agent ends when it is stopped, or when nobody is there any more: quickly, and with all it started."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from examples.real_models import fetch
from tests.agent.agent_runs import MARK, QUICK, SUPERVISOR, Live, job, soon_gone

LONG = {**QUICK, "min_count": 10**8, "max_s": 600, "max_count": 10**9}  # nothing is written before its end


def long_job(**fields: object) -> dict[str, object]:
    return job(fetch("nmp.tflite"), latency=LONG, watch_stdin=True, **fields)


def catches(pid: int, number: signal.Signals) -> bool:
    """Whether the process has a handler for the signal by now."""
    (mask,) = re.findall(r"SigCgt:\s*([0-9a-f]+)", Path(f"/proc/{pid}/status").read_text())
    return bool(int(mask, 16) >> number - 1 & 1)


def measuring(live: Live) -> int:
    """Wait until the worker measures; its process id."""
    pid: int = live.until("start")["pid"]
    live.until("phase", phase="first-inference")
    return pid


@pytest.mark.parametrize(
    ("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143), (signal.SIGHUP, 143)], ids=["INT", "TERM", "HUP"]
)
def test_a_signal_ends_it(number: signal.Signals, code: int) -> None:
    with Live(long_job()) as live:
        worker = measuring(live)
        live.process.send_signal(number)
        heard = live.rest()
    assert heard.code == code
    assert heard.stderr == ""
    assert not Path(f"/proc/{worker}").exists()


def test_control_c_in_a_terminal_reaches_the_group_and_ends_it() -> None:
    with Live(long_job()) as live:
        measuring(live)
        os.killpg(live.process.pid, signal.SIGINT)
        assert live.rest().code == 130


def test_a_signal_before_the_job_has_come_ends_it() -> None:
    with subprocess.Popen([sys.executable, SUPERVISOR, "-"], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        while not catches(process.pid, signal.SIGTERM):
            assert process.poll() is None
        process.send_signal(signal.SIGTERM)
        assert process.wait(5) == 143


def test_the_end_of_stdin_ends_it() -> None:
    with Live(long_job()) as live:
        worker = measuring(live)
        live.hang_up()
        assert live.rest().code == 143
    assert not Path(f"/proc/{worker}").exists()


def test_stdin_that_is_not_watched_may_end() -> None:
    with Live(job(fetch("emotion_quantized.tflite"), latency={**QUICK, "min_s": 0.3})) as live:
        live.hang_up()
        heard = live.rest()
    assert (heard.code, heard.kinds[-1]) == (0, "done")


def test_a_host_that_falls_silent_is_gone() -> None:
    with Live(long_job(heartbeat_s=0.5)) as live:
        live.until("start")
        assert live.rest().code == 143


def test_signs_of_life_keep_it_going() -> None:
    plan = {**QUICK, "min_s": 1.2, "max_s": 60}
    with Live(job(fetch("nmp.tflite"), latency=plan, watch_stdin=True, heartbeat_s=1.0)) as live:
        measuring(live)
        assert live.process.stdin is not None
        while live.process.poll() is None:
            try:
                live.process.stdin.write(b"\n")
                live.process.wait(0.3)
            except (BrokenPipeError, subprocess.TimeoutExpired):
                continue
        assert live.process.returncode == 0


def test_a_broken_wire_ends_it() -> None:
    """As when the host's ssh is killed: nobody reads stdout any more."""
    with Live(job(fetch("emotion_quantized.tflite"), latency=LONG, memory={})) as live:
        pid = live.until("start")["pid"]
        live.until("phase", phase="runtime-ready")
        assert live.process.stdout is not None
        live.process.stdout.close()
        assert live.process.wait(10) == 143
    assert not Path(f"/proc/{pid}").exists()


def test_workers_die_with_a_supervisor_that_is_killed() -> None:
    with Live(long_job()) as live:
        worker = measuring(live)
        assert Path(f"/proc/{worker}/oom_score_adj").read_text() == "1000\n"  # and when memory runs out, before it
        live.process.kill()
        live.process.wait(5)
        assert soon_gone(os.environ[MARK]) == []
