"""The conditions under which a device was found, in words: its clock, its heat, its power."""

from __future__ import annotations

from collections.abc import Iterator

from edgecheck.core.run import DeviceState, PhoneState
from edgecheck.core.units import Unit, show


def found_at(state: DeviceState) -> list[str]:
    """The state in which a board was found: `1.80 GHz, ondemand, 52 °C`; what it does not report is left out."""
    clock = max((clock for clock in state.clocks if clock), default=None)
    hottest = max((degrees for _, degrees in state.temperatures), default=None)
    facts = [
        show(clock, Unit.HERTZ) if clock else "",
        *state.governors,
        f"{hottest:.0f} °C" if hottest is not None else "",
        state.power_mode.splitlines()[0] if state.power_mode else "",
        *(phone_facts(state.phone) if state.phone else ()),
    ]
    found = ", ".join(fact for fact in facts if fact)
    return [f"{'phone' if state.phone else 'board'} at {found}"] if found else []


def phone_facts(phone: PhoneState) -> Iterator[str]:
    """What says how fast a phone may run: its heat and its power."""
    if phone.battery is not None:
        level = "" if phone.battery_level is None else f" and {phone.battery_level} %"
        yield f"battery at {phone.battery:.0f} °C{level}"
    if phone.thermal_status is not None:
        yield f"thermal status {phone.thermal_status}"
