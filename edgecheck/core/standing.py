"""Is this target the profile's device? What a stranger shows is never judged as the device's."""

from __future__ import annotations

from typing import TYPE_CHECKING

from edgecheck.core.verdict import Standing

if TYPE_CHECKING:
    from edgecheck.core.device import DeviceProfile
    from edgecheck.core.run import Run


def standing(profile: DeviceProfile, run: Run | None) -> Standing:
    """Whether `run` may be judged for `profile`, by the identity that the target gave of itself."""
    if run is None or run.emulated or (profile.is_this_machine and run.target == "local"):
        return Standing()
    state = run.before
    if profile.is_this_machine:
        return Standing(f"measured on {run.target}, not on this machine")
    here = state.model or " ".join(part for part in (state.system, state.machine) if part) or "an unknown machine"
    expected = profile.identity
    if expected.model:
        same = state.model.startswith(expected.model)
    else:
        same = bool(expected.cpu_part) and expected.cpu_part in state.cpu_parts
    return Standing() if same else Standing(f"measured on {here}, not on a {profile.name}")
