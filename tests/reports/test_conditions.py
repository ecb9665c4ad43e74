"""The conditions under which a board was found and left, in words."""

from __future__ import annotations

from dataclasses import replace

from edgecheck.core.run import ClockRange, DeviceState, JetsonState
from edgecheck.reports.conditions import found_at, left_at

FREE = ClockRange(name="gpu", least=306e6, most=624.75e6, now=306e6)
CPU = ClockRange(name="cpu 0,1,2,3", least=729.6e6, most=1510.4e6, now=1510.4e6)
JETSON = DeviceState(
    clocks=(1.5104e9,),
    governors=("schedutil",),
    temperatures=(("cpu-thermal", 50.468), ("gpu-thermal", 48.0)),
    power_mode="NVPM WARN: fan mode is not set!\nNV Power Mode: 15W\n0",
    jetson=JetsonState(mode="15W", clocks=(CPU, FREE), rails=(("VDD_IN", 7.551), ("VDD_SOC", 2.46))),
)


def test_a_jetson_is_found_with_its_mode_its_gpu_and_what_it_draws() -> None:
    assert found_at(JETSON) == [
        "board at 1.51 GHz, schedutil, 50 °C, NV Power Mode: 15W, GPU 306 MHz, VDD_IN 7.6 W",
    ]


def test_clocks_that_are_held_are_named() -> None:
    held = tuple(replace(clock, least=clock.most, now=clock.most) for clock in (CPU, FREE))
    state = DeviceState(jetson=JetsonState(clocks=held))
    assert found_at(state) == ["board at GPU 625 MHz, clocks held"]
    assert state.jetson is not None
    assert state.jetson.clocks_held is True
    assert JetsonState(clocks=(CPU,)).clocks_held is False
    assert JetsonState().clocks_held is None


def test_how_a_jetson_is_left_is_said_and_of_other_boards_nothing() -> None:
    assert left_at(JETSON) == ["afterwards 50 °C, GPU 306 MHz, VDD_IN 7.6 W"]
    assert left_at(DeviceState(temperatures=(("cpu", 50.0),))) == []
    assert left_at(DeviceState(jetson=JetsonState())) == []
