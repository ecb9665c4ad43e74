"""Is this target the profile's device? What a stranger shows is never judged as the device's."""

from __future__ import annotations

from typing import TYPE_CHECKING

from edgecheck.core.address import is_this_machine
from edgecheck.core.verdict import Standing

if TYPE_CHECKING:
    from edgecheck.core.device import DeviceProfile
    from edgecheck.core.run import Run


def standing(profile: DeviceProfile, run: Run | None) -> Standing:
    """Whether `run` may be judged for `profile`, by the identity that the target gave of itself."""
    if run is None or run.emulated:
        return Standing()
    state = run.before
    if _FAMILIES.get(state.machine, state.cpu_kind) != state.cpu_kind and state.cpu_kind in _FAMILIES.values():
        return Standing(
            f"measured on {state.cpu_kind}, by a translation of {state.machine} programs, not on any device"
        )
    if profile.is_this_machine and is_this_machine(run.target):
        return Standing()
    if profile.is_this_machine:
        return Standing(f"measured on {run.target}, not on this machine")
    here = state.model or " ".join(part for part in (state.system, state.machine) if part) or "an unknown machine"
    expected = profile.identity
    if not (expected.model or expected.cpu_part):
        return Standing(f"measured on {here}, and the profile {profile.id} has no `identity` to recognise it by")
    same = state.model.startswith(expected.model) if expected.model else expected.cpu_part in state.cpu_parts
    return Standing() if same else Standing(f"measured on {here}, not on {_a(profile.name)}")


#: What `uname` calls a machine, and what its kernel calls the processor.
_FAMILIES = {"x86_64": "x86", "i686": "x86", "aarch64": "aarch64"}


def _a(name: str) -> str:
    return f"{'an' if name.upper().startswith(_VOWELS) else 'a'} {name}"


#: NVIDIA, by its first letter's name.
_VOWELS = (*"AEIOU", "NVIDIA")
