"""`--target` and the project's addresses, as one table."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from edgecheck.errors import UsageError
from edgecheck.pipeline import Addresses
from edgecheck.targets import SCHEMES

if TYPE_CHECKING:
    from collections.abc import Sequence

    from edgecheck.config import Project
    from edgecheck.core.budget import Budget


def addresses(texts: Sequence[str], project: Project, budgets: Sequence[Budget]) -> Addresses:
    """Where each device of `budgets` is.

    Raises:
        UsageError: an address that no target speaks, a device that no budget has, or one board for several devices.
    """
    by_device = dict(project.targets)
    default = ""
    devices = {profile.id for budget in budgets for profile, _ in budget.devices}
    for text in texts:
        named = _NAMED.fullmatch(text)
        device, address = (named[1], named[2]) if named else ("", text)
        _ensure_known(address)
        if device and device not in devices:
            raise UsageError(
                f"--target {text}: no budget here has the device {device!r}.",
                f"They have: {', '.join(sorted(devices))}.",
            )
        if device:
            by_device[device] = address
        else:
            default = address
            by_device = {}
    if "://" in default and len(devices) > 1:
        raise UsageError(
            f"--target {default} is one board, and the budgets have {len(devices)} devices.",
            f"Say which it is: --target {min(devices)}={default}",
        )
    return Addresses(by_device, default)


#: `DEVICE=ADDRESS`; an address may hold an equals sign of its own behind its scheme.
_NAMED = re.compile(r"([\w.+-]+)=(.*)")


def _ensure_known(address: str) -> None:
    scheme = address.partition("://")[0]
    if scheme not in SCHEMES:
        raise UsageError(f"No target is called {address!r}.", f"Targets here: {', '.join(SCHEMES)}.")
    if scheme == "ssh":
        from edgecheck.targets import ssh_address

        ssh_address.parse(address)
