"""XNNPACK asked for by name: what it takes is proved like any accelerator's share, and what it leaves is named."""

from __future__ import annotations

from typing import TYPE_CHECKING

from examples.real_models import fetch
from tests.agent.accelerators.npu import ABS, NEG, chain
from tests.agent.agent_runs import QUICK, job, run

if TYPE_CHECKING:
    from pathlib import Path

ASKED = {"provider": "xnnpack", "precision": None}


def test_all_of_a_model(tmp_path: Path) -> None:
    found = run(job(chain(tmp_path / "m.tflite", NEG, ABS), accelerator=ASKED, latency=QUICK, profile={"max_count": 3}))
    assert found.ending == ("completed", "exit", None)
    (placed,) = found.of("placement")
    assert (placed["accelerator"], placed["taken"], placed["total"]) == ("XNNPACK", 2, 2)
    rows = [row for event in found.of("operators") for row in event["operators"]]
    assert {row["provider"] for row in rows} == {"XNNPACK"}


def test_a_part_of_a_real_model() -> None:
    found = run(job(fetch("okay_nabu.tflite"), accelerator=ASKED, latency=QUICK))
    (placed,) = found.of("placement")
    assert 0 < placed["taken"] < placed["total"]
    assert "CALL_ONCE" in {node["type"] for node in placed["left"]}
