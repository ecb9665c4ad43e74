from __future__ import annotations

import pytest

from edgecheck.core.device import THIS_MACHINE, DeviceProfile, Identity
from edgecheck.core.device_match import standing
from edgecheck.core.run import DeviceState
from tests.builders import profile, run

PI = DeviceState(model="Raspberry Pi 4 Model B Rev 1.5", cpu_parts=("0xd08",))
PC = DeviceState(system="Linux", machine="x86_64")


def test_the_board_itself_may_be_judged() -> None:
    assert standing(profile(), run(before=PI)).stranger == ""


def test_a_pc_never_stands_for_a_raspberry_pi() -> None:
    assert standing(profile(), run(before=PC)).stranger == (
        "measured on Linux x86_64, not on a Raspberry Pi 4 Model B (2 GB)"
    )


def test_the_same_core_in_another_board_is_another_board() -> None:
    graviton = DeviceState(system="Linux", machine="aarch64", cpu_parts=("0xd08",))
    assert standing(profile(), run(before=graviton)).stranger


@pytest.mark.parametrize(("part", "known"), [("0xd08", True), ("0xd03", False), ("", False)])
def test_without_a_board_name_the_cpu_part_decides(part: str, known: bool) -> None:  # noqa: FBT001
    expected = profile(identity=Identity(cpu_part=part))
    assert (standing(expected, run(before=PI)).stranger == "") is known


def test_a_profile_by_which_nothing_can_be_recognised_says_so() -> None:
    assert standing(profile("my-nuc", identity=Identity()), run(before=PC)).stranger == (
        "measured on Linux x86_64, and the profile my-nuc has no `identity` to recognise it by"
    )


@pytest.mark.parametrize(
    ("name", "shown"), [("NVIDIA Jetson Nano", "an NVIDIA J"), ("Orange Pi 5", "an Orange"), ("Nano", "a Nano")]
)
def test_names_have_their_article(name: str, shown: str) -> None:
    assert f"not on {shown}" in standing(profile(name=name), run(before=PC)).stranger


def test_this_machine_and_files_and_the_emulator() -> None:
    assert not standing(profile(THIS_MACHINE), run(before=PC)).stranger
    assert standing(profile(THIS_MACHINE), run(before=PC, target="ssh://pi@desk")).stranger == (
        "measured on ssh://pi@desk, not on this machine"
    )
    assert not standing(profile(), None).stranger
    assert not standing(profile(), run(before=PC, emulated=True)).stranger


@pytest.mark.parametrize("expected", [profile(), profile(THIS_MACHINE)], ids=["a board", "this machine"])
def test_a_translated_program_is_on_no_device(expected: DeviceProfile) -> None:
    """An arm64 container on a PC, and an x86-64 one on a Mac."""
    on_a_pc = DeviceState(model="Raspberry Pi 4 Model B Rev 1.5", machine="aarch64", cpu_kind="x86")
    assert standing(expected, run(before=on_a_pc)).stranger == (
        "measured on x86, by a translation of aarch64 programs, not on any device"
    )
    assert standing(expected, run(before=DeviceState(machine="x86_64", cpu_kind="aarch64"))).stranger


@pytest.mark.parametrize(
    ("machine", "kind"),
    [("x86_64", "x86"), ("aarch64", "aarch64"), ("aarch64", ""), ("armv7l", "v7l"), ("riscv64", "")],
)
def test_a_program_of_the_processors_own_kind_is_not_translated(machine: str, kind: str) -> None:
    assert not standing(profile(THIS_MACHINE), run(before=DeviceState(machine=machine, cpu_kind=kind))).stranger


def test_an_unknown_machine_is_called_so() -> None:
    assert standing(profile(), run(before=DeviceState())).stranger.startswith("measured on an unknown machine")
