from __future__ import annotations

import pytest

from edgecheck.core.device import THIS_MACHINE, DeviceProfile, Identity
from edgecheck.core.device_match import match
from edgecheck.core.run import DeviceState
from tests.builders import profile, run

PI = DeviceState(model="Raspberry Pi 4 Model B Rev 1.5", cpu_parts=("0xd08",))
PC = DeviceState(system="Linux", machine="x86_64")


def test_the_board_itself_may_be_judged() -> None:
    assert match(profile(), run(before=PI)).mismatch == ""


def test_where_it_was_goes_behind_any_verb() -> None:
    assert match(profile(), run(before=PC)).place.startswith("Linux x86_64, not on a ")
    assert match(profile(), run(before=PI)).place == ""


def test_a_pc_is_never_judged_as_a_raspberry_pi() -> None:
    assert match(profile(), run(before=PC)).mismatch == (
        "measured on Linux x86_64, not on a Raspberry Pi 4 Model B (2 GB)"
    )


def test_the_same_core_in_another_board_is_another_board() -> None:
    graviton = DeviceState(system="Linux", machine="aarch64", cpu_parts=("0xd08",))
    assert match(profile(), run(before=graviton)).mismatch


@pytest.mark.parametrize(("part", "known"), [("0xd08", True), ("0xd03", False), ("", False)])
def test_without_a_board_name_the_cpu_part_decides(part: str, known: bool) -> None:  # noqa: FBT001
    expected = profile(identity=Identity(cpu_part=part))
    assert (match(expected, run(before=PI)).mismatch == "") is known


def test_a_profile_by_which_nothing_can_be_recognised_says_so() -> None:
    assert match(profile("my-nuc", identity=Identity()), run(before=PC)).mismatch == (
        "measured on Linux x86_64, and the profile my-nuc has no `identity` to recognise it by"
    )


def test_a_computer_without_a_name_is_recognised_by_its_installation() -> None:
    ours, others = (DeviceState(system="Linux", machine="x86_64", machine_id=16 * digit) for digit in "ab")
    named = profile("my-nuc", identity=Identity(machine_id="a" * 16))
    assert not match(named, run(before=ours)).mismatch
    for state in (others, PC, PI):
        assert match(named, run(before=state)).mismatch


@pytest.mark.parametrize(
    ("name", "shown"), [("NVIDIA Jetson Nano", "an NVIDIA J"), ("Orange Pi 5", "an Orange"), ("Nano", "a Nano")]
)
def test_names_have_the_right_article(name: str, shown: str) -> None:
    assert f"not on {shown}" in match(profile(name=name), run(before=PC)).mismatch


def test_this_machine_and_files_and_the_emulator() -> None:
    assert not match(profile(THIS_MACHINE), run(before=PC)).mismatch
    assert match(profile(THIS_MACHINE), run(before=PC, target="ssh://pi@desk")).mismatch == (
        "measured on ssh://pi@desk, not on this machine"
    )
    assert not match(profile(), None).mismatch
    assert not match(profile(), run(before=PC, emulated=True)).mismatch


@pytest.mark.parametrize("expected", [profile(), profile(THIS_MACHINE)], ids=["a board", "this machine"])
def test_a_translated_program_does_not_run_on_any_device(expected: DeviceProfile) -> None:
    """An arm64 container on a PC, and an x86-64 one on a Mac."""
    on_a_pc = DeviceState(model="Raspberry Pi 4 Model B Rev 1.5", machine="aarch64", cpu_kind="x86")
    assert match(expected, run(before=on_a_pc)).mismatch == (
        "measured on x86, by a translation of aarch64 programs, not on any device"
    )
    assert match(expected, run(before=DeviceState(machine="x86_64", cpu_kind="aarch64"))).mismatch


@pytest.mark.parametrize(
    ("machine", "kind"),
    [("x86_64", "x86"), ("aarch64", "aarch64"), ("aarch64", ""), ("armv7l", "v7l"), ("riscv64", "")],
)
def test_a_program_for_the_processors_architecture_is_not_translated(machine: str, kind: str) -> None:
    assert not match(profile(THIS_MACHINE), run(before=DeviceState(machine=machine, cpu_kind=kind))).mismatch


def test_an_unknown_machine_is_called_so() -> None:
    assert match(profile(), run(before=DeviceState())).mismatch.startswith("measured on an unknown machine")
