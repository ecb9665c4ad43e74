"""What a device says about itself: its `device` event as a value."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from edgecheck.core.run import ClockRange, DeviceState, JetsonState, PhoneState
from edgecheck.core.text import shared


def device_state(event: Mapping[str, Any]) -> DeviceState:
    """The `device` event as a value; what is absent or null stays empty."""

    def text(key: str) -> str:
        return str(event.get(key) or "")

    cpu, memory = event.get("cpu") or {}, event.get("memory") or {}
    return DeviceState(
        model=text("model"),
        system=text("system"),
        machine=text("machine"),
        kernel=text("kernel"),
        python=text("python"),
        libc=text("libc"),
        machine_id=text("machine_id"),
        page_size=event.get("page_size"),
        cpu_kind=str(cpu.get("kind") or ""),
        cpu_names=shared(cpu.get("names") or ()),
        cpu_parts=shared(cpu.get("parts") or ()),
        cpu_features=shared(cpu.get("features") or ()),
        cpu_count=int(cpu.get("count") or 0),
        affinity=tuple(cpu.get("affinity") or ()),
        governors=tuple(cpu.get("governors") or ()),
        clocks=tuple(cpu.get("clocks") or ()),
        ram_total=memory.get("total"),
        ram_available=memory.get("available"),
        swap_used=memory.get("swap_used"),
        storage_free=(event.get("storage") or {}).get("free"),
        temperatures=tuple((event.get("temperatures") or {}).items()),
        throttled=tuple((event.get("throttled") or {}).get("flags") or ()),
        power_mode=text("power_mode"),
        load_average=next(iter(event.get("load_average") or ()), None),
        pressure=(event.get("pressure") or {}).get("waited_s"),
        at=(event.get("pressure") or {}).get("at_s"),
        phone=_phone(event.get("phone")),
        jetson=_jetson(event.get("jetson")),
    )


def _jetson(seen: Mapping[str, Any] | None) -> JetsonState | None:
    if seen is None:
        return None
    return JetsonState(
        mode=(seen.get("mode") or {}).get("name", ""),
        modes=tuple(seen.get("modes") or ()),
        clocks=tuple(ClockRange(**clock) for clock in seen.get("clocks") or ()),
        rails=tuple((seen.get("rails") or {}).items()),
    )


def _phone(seen: Mapping[str, Any] | None) -> PhoneState | None:
    if seen is None:
        return None
    known = {name: value for name, value in seen.items() if value is not None and name != "battery_c"}
    return PhoneState(battery=seen.get("battery_c"), **known)
