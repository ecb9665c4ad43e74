"""Is this target the profile's device? If not, its measurements are not judged as the device's."""

from __future__ import annotations

from dataclasses import dataclass

from edgecheck.core.address import is_this_machine
from edgecheck.core.device import DeviceProfile, Identity
from edgecheck.core.run import DeviceState, Run

#: Begins the reason why figures decide nothing.
MEASURED_ON = "measured on "


@dataclass(frozen=True, slots=True)
class DeviceMatch:
    """Whether measurements on a target may be judged for the profile's device, and if not, why."""

    place: str = ""
    """`x86-64, not on a Raspberry Pi 4`, after `ran on` or `measured on`; empty where the target is the device."""

    @property
    def mismatch(self) -> str:
        """`measured on x86-64, not on a Raspberry Pi 4`; empty where the target is the device."""
        return f"{MEASURED_ON}{self.place}" if self.place else ""


#: The target is the device, or nothing says that it is not.
SAME_DEVICE = DeviceMatch()


def match(profile: DeviceProfile, run: Run | None) -> DeviceMatch:
    """Whether `run` may be judged for `profile`, by what the target reported of its identity."""
    if run is None or run.emulated:
        return SAME_DEVICE
    state = run.before
    if _FAMILIES.get(state.machine, state.cpu_kind) != state.cpu_kind and state.cpu_kind in _FAMILIES.values():
        return DeviceMatch(f"{state.cpu_kind}, by a translation of {state.machine} programs, not on any device")
    if profile.is_this_machine and is_this_machine(run.target):
        return SAME_DEVICE
    if profile.is_this_machine:
        return DeviceMatch(f"{run.target}, not on this machine")
    here = state.model or " ".join(part for part in (state.system, state.machine) if part) or "an unknown machine"
    expected = profile.identity
    if not (expected.model or expected.cpu_part or expected.machine_id):
        return DeviceMatch(f"{here}, and the profile {profile.id} has no `identity` to recognise it by")
    return SAME_DEVICE if _is(state, expected) else DeviceMatch(f"{here}, not on {_with_article(profile.name)}")


def _is(state: DeviceState, expected: Identity) -> bool:
    """Whether it is that computer, where the profile is of one; else by the board's name, else by its core."""
    if expected.machine_id and state.machine_id != expected.machine_id:
        return False
    if expected.model:
        return state.model.startswith(expected.model)
    return expected.cpu_part in state.cpu_parts if expected.cpu_part else bool(expected.machine_id)


#: The processor's kind, as the kernel names it, by the machine, as `uname` names it.
_FAMILIES = {"x86_64": "x86", "i686": "x86", "aarch64": "aarch64"}


def _with_article(name: str) -> str:
    return f"{'an' if name.upper().startswith(_VOWELS) else 'a'} {name}"


#: Names that take "an"; NVIDIA does, spelled out.
_VOWELS = (*"AEIOU", "NVIDIA")
