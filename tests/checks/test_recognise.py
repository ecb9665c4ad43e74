"""A board that is named by its address alone is asked who it is. Covers `checks/which_devices.py`."""

from __future__ import annotations

from dataclasses import replace

import pytest

from edgecheck.checks.which_devices import called, identified
from edgecheck.config import Profiles
from edgecheck.core.device import DeviceProfile, Identity, holding
from edgecheck.core.profile_draft import probed


@pytest.fixture(scope="module")
def known() -> list[DeviceProfile]:
    profiles = Profiles()
    return [profiles.get(name) for name in profiles.ids()]


@pytest.mark.parametrize(
    ("model", "ram_mib", "found"),
    [
        ("Raspberry Pi 4 Model B Rev 1.5", 1874, "raspberry-pi-4-2gb"),
        ("Raspberry Pi 4 Model B Rev 1.5", 7800, "raspberry-pi-4-8gb"),
        ("Raspberry Pi 5 Model B Rev 1.0", 4045, "raspberry-pi-5-4gb"),
        ("Raspberry Pi 4 Model B Rev 1.5", 950, None),
        ("Raspberry Pi 400 Rev 1.0", 3800, None),
        ("LattePanda Alpha", 8000, None),
        ("", 1874, None),
    ],
)
def test_a_board_is_the_profile_with_its_name_and_its_ram(
    known: list[DeviceProfile], model: str, ram_mib: int, found: str | None
) -> None:
    device = probed({"model": model, "memory": {"total": ram_mib * 2**20}})
    profile = identified(device, known)
    assert (profile.id if profile else None) == found


def test_a_longer_name_says_more(known: list[DeviceProfile]) -> None:
    some = next(profile for profile in known if profile.id == "raspberry-pi-4-2gb")
    other = replace(some, id="mine", identity=replace(some.identity, model="Raspberry Pi 4 Model B Rev 1.5"))
    device = probed({"model": "Raspberry Pi 4 Model B Rev 1.5", "memory": {"total": some.ram.total}})
    named = identified(replace(device, model="Raspberry Pi 4 Model B Rev 1.5"), [some, other])
    assert named is other


def test_a_computer_without_a_name_is_the_profile_that_was_written_for_it(known: list[DeviceProfile]) -> None:
    some = next(profile for profile in known if profile.id == "raspberry-pi-4-2gb")
    own = replace(some, id="my-nuc", identity=Identity(machine_id="0123456789abcdef"))
    device = probed({"model": None, "machine_id": "0123456789abcdef", "memory": {"total": 2**34}})
    assert identified(device, [some, own]) is own
    assert identified(replace(device, machine_id="f" * 16), [some, own]) is None
    assert probed({"machine_id": "x: y"}).machine_id == ""


def test_what_a_board_calls_itself_is_printable() -> None:
    device = probed({"model": "", "machine": "riscv64", "memory": {"total": 2**30}})
    assert called(device) == "'riscv64 machine' (1.0 GiB of RAM)"


def test_a_profile_names_runtimes_by_python(known: list[DeviceProfile]) -> None:
    pins = next(profile for profile in known if profile.id == "raspberry-pi-4-2gb").runtimes["tflite"]
    assert holding(pins, "3.9.2") == ("tflite-runtime==2.13.0", "numpy<2")
    assert holding(pins, "3.11.2") == ("ai-edge-litert==2.3.0",)
    assert len(holding(pins, "")) == 3
