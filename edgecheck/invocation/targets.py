"""`--target` and the project's addresses, as one table."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from edgecheck.core.address import Address, parse
from edgecheck.errors import UsageError
from edgecheck.pipeline import Addresses

if TYPE_CHECKING:
    from collections.abc import Sequence

    from edgecheck.config import Project
    from edgecheck.core.budget import Budget


def addresses(texts: Sequence[str], project: Project, budgets: Sequence[Budget]) -> Addresses:
    """Where each device of `budgets` is.

    Raises:
        UsageError: an address that no target speaks, a device that no budget has, or one board for several devices.
    """
    named: dict[str, Address] = {}
    devices = {profile.id for budget in budgets for profile, _ in budget.devices}
    for text in texts:
        parts = _NAMED.fullmatch(text)
        device, address = (parts[1], parse(parts[2])) if parts else ("", parse(text))
        if device and device not in devices:
            raise UsageError(
                f"--target {text}: no budget here has the device {device!r}.",
                f"They have: {', '.join(sorted(devices))}.",
            )
        if named.setdefault(device, address) != address:
            which = device or "every device"
            raise UsageError(f"{which} is at {named[device]} and at {address}.", "Give --target once for each device.")
    default = named.pop("", None)
    others = devices - set(named)
    if default is not None and default.kind.has_host and len(others) > 1:
        raise UsageError(
            f"--target {default} is one board, and the budgets have {len(others)} devices.",
            f"Say which it is: --target {min(others)}={default}",
        )
    return Addresses(named if default else {**project.targets, **named}, default)


#: `DEVICE=ADDRESS`; an address may hold an equals sign of its own behind its scheme.
_NAMED = re.compile(r"([\w.+-]+)=(.*)")
