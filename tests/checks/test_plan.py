"""`--target` and the project's addresses: where each device of the budgets is."""

from __future__ import annotations

from pathlib import Path

import pytest

from edgecheck.checks.plan import addresses
from edgecheck.config import Project
from edgecheck.core.address import parse
from edgecheck.errors import UsageError
from tests.builders import budget, profile

PI, JETSON, PHONE = (profile(name) for name in ("pi", "jetson", "phone"))
PROJECT = Project(root=Path(), budgets=(), targets={"pi": parse("ssh://pi@yaml"), "jetson": parse("ssh://jet@yaml")})


def where(*texts: str, of: tuple[str, ...] = ("pi", "jetson")) -> dict[str, str]:
    """The address of each device, for a metric that needs one."""
    profiles = {each.id: each for each in (PI, JETSON, PHONE)}
    found = addresses(texts, PROJECT, [budget(*((profiles[name], ()) for name in of))])
    return {name: str(found.by_device.get(name) or found.default) for name in of}


@pytest.mark.parametrize(
    ("texts", "expected"),
    [
        ((), {"pi": "ssh://pi@yaml", "jetson": "ssh://jet@yaml"}),
        (("pi=ssh://pi@desk",), {"pi": "ssh://pi@desk", "jetson": "ssh://jet@yaml"}),
        (("local",), {"pi": "local", "jetson": "local"}),
        (("pi=ssh://pi@desk", "qemu"), {"pi": "ssh://pi@desk", "jetson": "qemu"}),
        (("qemu", "pi=ssh://pi@desk"), {"pi": "ssh://pi@desk", "jetson": "qemu"}),
        (("ssh://jet@desk", "pi=qemu"), {"pi": "qemu", "jetson": "ssh://jet@desk"}),
        (("pi=ssh://a@b?python=x=y",), {"pi": "ssh://a@b?python=x=y", "jetson": "ssh://jet@yaml"}),
        (("qemu", "qemu"), {"pi": "qemu", "jetson": "qemu"}),
    ],
)
def test_what_is_named_on_the_command_line_wins_in_any_order(texts: tuple[str, ...], expected: dict[str, str]) -> None:
    assert where(*texts) == expected


@pytest.mark.parametrize(
    ("texts", "told"),
    [
        (("ssh://pi@desk",), "--target ssh://pi@desk is one board, and the budgets have 2 devices."),
        (("ssh://pi@a", "ssh://pi@b"), "every device is at ssh://pi@a and at ssh://pi@b."),
        (("pi=qemu", "pi=ssh://pi@b"), "pi is at qemu and at ssh://pi@b."),
        (("phone=qemu",), "--target phone=qemu: no budget here has the device 'phone'."),
        (("pi=usb",), "No target is called 'usb'."),
        (("pi=ssh://pi@desk:ssh",), "'ssh://pi@desk:ssh' is not the address of a device: 'ssh' is not a port."),
    ],
)
def test_contradictions_are_refused(texts: tuple[str, ...], told: str) -> None:
    with pytest.raises(UsageError) as caught:
        where(*texts)
    assert caught.value.message == told


def test_one_board_will_do_for_one_device() -> None:
    assert where("ssh://pi@desk", of=("pi",)) == {"pi": "ssh://pi@desk"}
