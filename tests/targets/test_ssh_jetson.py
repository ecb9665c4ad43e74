"""A check's job over a real sshd, on a board whose files are a Jetson's: what is read before and after, and the caveat.

The connection, the agent and the model are real; the board's files lie in a folder.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from edgecheck.core.address import parse
from edgecheck.core.budget import Effort
from edgecheck.core.caveats import caveats
from edgecheck.core.events import RunReader
from edgecheck.reports.conditions import left_at
from edgecheck.targets import open_target
from examples.real_models import fetch
from tests.agent.jetson_trees import NANO, laid_out
from tests.builders import profile
from tests.targets.workloads import ONE_PROCESS, QUICK, silent, workload

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.targets.sshd import Board

JETSON = profile(name="NVIDIA Jetson Nano (4 GB)", kind="jetson", power_mode="MAXN")


@pytest.mark.ssh
def test_a_board_in_another_power_mode_is_a_caveat_with_the_command(
    boards: Callable[..., Board], tmp_path: Path
) -> None:
    root = laid_out(tmp_path / "jetson", NANO)
    board = boards(EDGECHECK_SYSTEM_ROOT=str(root))
    reader = RunReader(board.address)
    target = open_target(parse(board.address), JETSON)
    model, asked = fetch("hey_jarvis.tflite"), {"provider": "xnnpack"}
    job = workload(model, format="tflite", accelerator=asked, latency=QUICK, memory=ONE_PROCESS)
    with target.launch(job, silent) as lines:
        for line in lines:
            if reader.hear(line).get("event") == "start":  # while the model runs, the board gets warm
                (root / "sys/class/thermal/thermal_zone0/temp").write_text("71250\n")
    run = reader.run()
    assert run.before.jetson is not None
    assert run.after.jetson is not None
    assert (run.before.jetson.mode, run.before.power_mode) == ("5W", "NV Power Mode: 5W\n1")
    assert (run.before.temperatures, run.after.temperatures) == ((("CPU-therm", 60.5),), (("CPU-therm", 71.25),))
    assert run.after.jetson.rails == (("POM_5V_IN", 4.52), ("POM_5V_GPU", 0.0), ("POM_5V_CPU", 1.078))
    assert left_at(run.after) == ["afterwards 71 °C, GPU 640 MHz, clocks held, POM_5V_IN 4.5 W"]
    (taken,) = [worker.accelerator_memory for worker in run.memory_workers]
    assert taken is not None
    assert taken.source == "available"
    found = {one.code: one for one in caveats(run, JETSON, "tflite", Effort())}
    expected = "The board is in power mode 5W; the profile of NVIDIA Jetson Nano (4 GB) is about MAXN."
    assert found["power-mode"].message == expected
    assert found["power-mode"].advice == "Set it and run again: sudo nvpmodel -m 0"
