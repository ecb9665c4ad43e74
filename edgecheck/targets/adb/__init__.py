"""Android phones over adb, by the user's own adb and its server.

server.py     the running server, asked over its socket: an adb of another version would end it
phones.py     which phone is meant, in which state it is, and what adb's and a phone's refusals mean
opener.py     how a command is started there, and why it was not
portable.py   the Python that phones lack, made from Debian's packages
bringing.py   that Python, put on the phone once
"""

from __future__ import annotations

from edgecheck.core.address import Address
from edgecheck.core.device import DeviceProfile
from edgecheck.targets.adb.opener import Adb
from edgecheck.targets.shell.target import ShellTarget


def open_target(address: Address, profile: DeviceProfile) -> ShellTarget:
    """The phone at `address`, for any profile."""
    del profile
    return ShellTarget(opener=Adb(address))


def opener(address: Address) -> Adb:
    """The client for the phone at `address`."""
    return Adb(address)
