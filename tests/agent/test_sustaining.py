"""A sustained run on this machine: it lasts as long as asked, and the device's state comes along."""

from __future__ import annotations

from pathlib import Path

from onnx import TensorProto

from edgecheck.core.events import RunReader
from edgecheck.core.run import Purpose
from tests.agent import agent_runs, small_models


def test_a_sustained_run_lasts_and_sends_states(tmp_path: Path) -> None:
    model = small_models.identity(tmp_path / "same.onnx", TensorProto.FLOAT, [1, 4])
    plan = {"warmup_s": 0, "sustained_s": 1.0, "max_count": 3000}
    heard = agent_runs.run(agent_runs.job(model, latency=plan))
    assert heard.ending == ("completed", "exit", None)
    states = heard.of("state")
    assert states[0]["n"] == 0
    assert states[-1]["at_s"] >= 1.0
    assert states[-1]["n"] == sum(len(event["values_ns"]) for event in heard.of("latencies")) > 0
    assert all(set(state) >= {"clocks", "temperatures", "throttled"} for state in states)
    reader = RunReader("local", emulated=False)
    for event in heard.events:
        reader.feed(event)
    (worker,) = reader.run().of(Purpose.LATENCY)
    assert len(worker.states) == len(states)
    assert worker.states[-1].inferences == len(worker.latencies)
