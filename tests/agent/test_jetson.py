"""What a Jetson says of its power mode, clocks and rails, from files in the formats of JetPack 4 and 6."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from edgecheck.core.device_events import device_state
from edgecheck.core.protocol import EVENTS
from edgecheck.core.run import ClockRange
from edgecheck_agent import device_state as agent_state
from edgecheck_agent import jetson, procfs
from tests.agent.agent_runs import SUPERVISOR, agent_run
from tests.agent.jetson_trees import NANO, ORIN_NANO, laid_out

SAID = "NV Power Mode: 25W\n1"


@pytest.fixture
def orin(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(procfs, "SYSTEM_ROOT", str(tmp_path))
    return laid_out(tmp_path, ORIN_NANO)


@pytest.fixture
def nano(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(procfs, "SYSTEM_ROOT", str(tmp_path))
    return laid_out(tmp_path, NANO)


def test_another_board_is_no_jetson(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    laid_out(tmp_path, {"proc/device-tree/compatible": "raspberrypi,4-model-b\0brcm,bcm2711\0"})
    monkeypatch.setattr(procfs, "SYSTEM_ROOT", str(tmp_path))
    assert jetson.state("NV Power Mode: MAXN\n0") is None
    assert jetson.in_words(None) is None


@pytest.mark.usefixtures("orin")
def test_an_orin_says_its_mode_its_modes_its_clocks_and_its_rails() -> None:
    assert jetson.state(None) == {
        "mode": {"name": "15W", "number": 0},
        "modes": [["15W", 0], ["25W", 1], ["MAXN_SUPER", 2]],
        "clocks": [
            {"name": "cpu 0,1,2,3", "least": 729_600_000, "most": 1_510_400_000, "now": 960_000_000},
            {"name": "cpu 4,5", "least": 729_600_000, "most": 1_510_400_000, "now": 729_600_000},
            {"name": "gpu", "least": 306_000_000, "most": 624_750_000, "now": 306_000_000},
        ],
        "rails": {"VDD_IN": 7.551, "VDD_CPU_GPU_CV": 8.849, "VDD_SOC": 2.46},
    }


@pytest.mark.usefixtures("nano")
def test_a_nano_has_its_rails_in_milliwatts_and_a_temperature_that_is_none() -> None:
    state = jetson.state(None)
    assert state is not None
    assert state["mode"] == {"name": "5W", "number": 1}
    assert state["rails"] == {"POM_5V_IN": 4.52, "POM_5V_GPU": 0.0, "POM_5V_CPU": 1.078}
    assert agent_state._temperatures() == {"CPU-therm": 60.5}


@pytest.mark.parametrize(
    ("said", "mode"),
    [
        ("NV Power Mode: 25W\n1", {"name": "25W", "number": 1}),
        ("NVPM WARN: fan mode is not set!\nNV Power Mode: MAXN\n0\n", {"name": "MAXN", "number": 0}),
        ("NV Fan Mode:quiet\nNV Power Mode: MODE_15W_6CORE\n2\n", {"name": "MODE_15W_6CORE", "number": 2}),
        ("NVPM ERROR: Error opening /sys/kernel: 13", {"name": "15W", "number": 0}),
        (None, {"name": "15W", "number": 0}),
    ],
)
@pytest.mark.usefixtures("orin")
def test_the_tool_is_believed_before_what_it_wrote(said: str | None, mode: dict[str, object]) -> None:
    state = jetson.state(said)
    assert state is not None
    assert state["mode"] == mode
    assert jetson.in_words(state) == f"NV Power Mode: {mode['name']}\n{mode['number']}"


@pytest.mark.parametrize(
    ("missing", "changed"),
    [
        (("etc/nvpmodel.conf",), {}),
        (("var/lib/nvpmodel/status",), {}),
        ((), {"var/lib/nvpmodel/status": "pmode:0009\n"}),
        ((), {"var/lib/nvpmodel/status": "\x00\xff"}),
    ],
)
def test_a_mode_that_cannot_be_told_is_none(orin: Path, missing: tuple[str, ...], changed: dict[str, str]) -> None:
    for name in missing:
        (orin / name).unlink()
    laid_out(orin, changed)
    state = jetson.state(None)
    assert state is not None
    assert state["mode"] is None
    assert jetson.in_words(state) is None


def test_a_rail_that_cannot_be_read_is_left_out(orin: Path) -> None:
    folder = orin / "sys/bus/i2c/drivers/ina3221/1-0040/hwmon/hwmon1"
    (folder / "curr1_input").unlink()
    (folder / "in3_input").write_text("")
    assert jetson.rails() == {"VDD_CPU_GPU_CV": 8.849}


def test_a_probe_brings_all_of_it_and_the_host_reads_it(nano: Path) -> None:
    """The agent as a process, which has the folder by its environment."""
    environment = {**os.environ, "EDGECHECK_SYSTEM_ROOT": str(nano)}
    done = subprocess.run([sys.executable, SUPERVISOR, "--probe"], capture_output=True, check=True, env=environment)
    (event,) = agent_run(done.stdout, done.stderr, 0).events
    state = device_state(EVENTS["device"](event, "device"))
    assert state.model == "NVIDIA Jetson Nano Developer Kit"
    assert state.power_mode == "NV Power Mode: 5W\n1"
    assert state.temperatures == (("CPU-therm", 60.5),)
    assert state.jetson is not None
    assert (state.jetson.mode, state.jetson.modes) == ("5W", (("MAXN", 0), ("5W", 1)))
    assert state.jetson.clocks[-1] == ClockRange(name="gpu", least=640e6, most=640e6, now=640e6)
    assert state.jetson.clocks_held is True
    assert state.jetson.drawn == ("POM_5V_IN", 4.52)
    assert {one["provider"] for one in event["accelerators"]} >= {"tensorrt", "cuda"}
