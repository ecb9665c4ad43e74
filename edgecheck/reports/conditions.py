"""The conditions of a run, in words: what ran the model, and the device's clock, heat and power."""

from __future__ import annotations

from collections.abc import Iterator

from edgecheck.core.finding import Measurement
from edgecheck.core.metrics import OFFLOADED
from edgecheck.core.report import CheckResult
from edgecheck.core.run import DeviceState, JetsonState, PhoneState, Run
from edgecheck.core.units import Unit, show


def ran_on(run: Run, result: CheckResult) -> list[str]:
    """Runtime, accelerator and threads, and how much of the model the accelerator took; `run` is the result's."""
    threads, asked = result.budget.threads, result.budget.accelerator
    many = f"{threads} thread{'s' if threads > 1 else ''}"
    if asked is None:
        return [f"ran on {run.runtime}, {many}"]
    if run.placement is None or not run.placement.taken:
        return [f"{run.runtime}, {many}; {asked} was asked for, and nothing ran there"]
    offloaded = (result.findings or {}).get(OFFLOADED.name)
    there = [f"there: {offloaded.basis.rpartition('; by ')[0]}"] if isinstance(offloaded, Measurement) else []
    return [f"ran on {run.runtime} with {asked}, {many}", *there]


def found_at(state: DeviceState) -> list[str]:
    """The state in which a board was found: `1.80 GHz, ondemand, 52 °C`; what it does not report is left out."""
    clock = max((clock for clock in state.clocks if clock), default=None)
    hottest = max((degrees for _, degrees in state.temperatures), default=None)
    facts = [
        show(clock, Unit.HERTZ) if clock else "",
        *state.governors,
        f"{hottest:.0f} °C" if hottest is not None else "",
        _power_mode(state.power_mode),
        *(jetson_facts(state.jetson) if state.jetson else ()),
        *(phone_facts(state.phone) if state.phone else ()),
    ]
    found = ", ".join(fact for fact in facts if fact)
    return [f"{'phone' if state.phone else 'board'} at {found}"] if found else []


def left_at(state: DeviceState) -> list[str]:
    """The state in which a Jetson was left: `afterwards 58 °C, GPU 625 MHz, VDD_IN 9.8 W`; nothing of other boards."""
    if state.jetson is None:
        return []
    hottest = max((degrees for _, degrees in state.temperatures), default=None)
    facts = [f"{hottest:.0f} °C" if hottest is not None else "", *jetson_facts(state.jetson)]
    found = ", ".join(fact for fact in facts if fact)
    return [f"afterwards {found}"] if found else []


def _power_mode(said: str) -> str:
    """The line with the mode's name, of what `nvpmodel -q` prints after its warnings."""
    lines = said.splitlines()
    return next((line for line in lines if line.startswith("NV Power Mode")), lines[0] if lines else "")


def jetson_facts(board: JetsonState) -> Iterator[str]:
    """The GPU's clock, whether clocks are held, and what the module draws."""
    gpu = next((clock for clock in board.clocks if clock.name == "gpu"), None)
    if gpu is not None and gpu.now is not None:
        yield f"GPU {show(gpu.now, Unit.HERTZ)}"
    if board.clocks_held:
        yield "clocks held"
    if board.drawn is not None:
        yield f"{board.drawn[0]} {board.drawn[1]:.1f} W"


def phone_facts(phone: PhoneState) -> Iterator[str]:
    """What says how fast a phone may run: its heat and its power."""
    if phone.battery is not None:
        level = "" if phone.battery_level is None else f" and {phone.battery_level} %"
        yield f"battery at {phone.battery:.0f} °C{level}"
    if phone.thermal_status is not None:
        yield f"thermal status {phone.thermal_status}"
