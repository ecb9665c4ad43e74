"""Is this target the profile's device? If not, its measurements are not judged as the device's."""

from __future__ import annotations

from dataclasses import dataclass

from edgecheck.core.address import is_this_machine
from edgecheck.core.device import DeviceProfile
from edgecheck.core.run import Run


@dataclass(frozen=True, slots=True)
class DeviceMatch:
    """Whether measurements on a target may be judged for the profile's device, and if not, why."""

    mismatch: str = ""
    """`measured on x86-64, not on a Raspberry Pi 4`; empty where the target is the device."""


#: Begins the reason why figures decide nothing.
MEASURED_ON = "measured on "

#: The target is the device, or nothing says that it is not.
SAME_DEVICE = DeviceMatch()


def match(profile: DeviceProfile, run: Run | None) -> DeviceMatch:
    """Whether `run` may be judged for `profile`, by what the target reported of its identity."""
    if run is None or run.emulated:
        return SAME_DEVICE
    state = run.before
    if _FAMILIES.get(state.machine, state.cpu_kind) != state.cpu_kind and state.cpu_kind in _FAMILIES.values():
        return DeviceMatch(
            f"{MEASURED_ON}{state.cpu_kind}, by a translation of {state.machine} programs, not on any device"
        )
    if profile.is_this_machine and is_this_machine(run.target):
        return SAME_DEVICE
    if profile.is_this_machine:
        return DeviceMatch(f"{MEASURED_ON}{run.target}, not on this machine")
    here = state.model or " ".join(part for part in (state.system, state.machine) if part) or "an unknown machine"
    expected = profile.identity
    if not (expected.model or expected.cpu_part):
        return DeviceMatch(f"{MEASURED_ON}{here}, and the profile {profile.id} has no `identity` to recognise it by")
    same = state.model.startswith(expected.model) if expected.model else expected.cpu_part in state.cpu_parts
    return SAME_DEVICE if same else DeviceMatch(f"{MEASURED_ON}{here}, not on {_with_article(profile.name)}")


#: The processor's kind, as the kernel names it, by the machine, as `uname` names it.
_FAMILIES = {"x86_64": "x86", "i686": "x86", "aarch64": "aarch64"}


def _with_article(name: str) -> str:
    return f"{'an' if name.upper().startswith(_VOWELS) else 'a'} {name}"


#: Names that take "an"; NVIDIA does, spelled out.
_VOWELS = (*"AEIOU", "NVIDIA")
