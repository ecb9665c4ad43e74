"""`edgecheck devices calibrate`: what is refused before anything is measured, and how the profile's file changes.

That it measures is tested on a phone, over adb: `tests/targets/test_adb.py`.
"""

from __future__ import annotations

import os
import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from edgecheck.checks.calibrate import Board, Calibration, ensure_possible
from edgecheck.cli import calibrate
from edgecheck.config import Profiles, profiles
from edgecheck.core.address import parse
from edgecheck.core.cost_calibration import Fit
from edgecheck.core.device import Constant
from edgecheck.core.projection import Pair
from edgecheck.errors import UsageError
from tests.cli.command import Done, edgecheck
from tests.core.test_costs import COSTS

PROFILE = """\
# Anna's board, bought in May.
name: My Pi   # the blue one
class: single-board-computer
soc: Broadcom BCM2711
identity: {model: "Raspberry Pi 4 Model B", cpu_part: "0xd08"}
cpu: {core: cortex-a72, count: 4, clock: 1.8 GHz, features: [asimd, crc32]}
ram: {total: 2 GiB, reserved: 180 MiB}
storage: {total: 16 GB, reserved: 4 GB}
limits: {ram_peak: 512 MiB}
python: "3.11"
runtimes: {tflite: [tflite-runtime==2.14.0, "numpy<2"]}
emulation: {cpu: "cortex-a72"}
projection:  # from the list
  float: {ns_per_instruction: 0.80, spread: 0.14, runtime: ncnn}  # published
sources: ["nobody's"]
"""

DONE = Calibration(
    {
        "float": (Pair("dense-float", 0.003, 5e6), Pair("stem-float", 0.0101, 20e6)),
        "int8": (Pair("dense-int8", 0.001, 4e6),),
    },
    {"float": Constant(0.5512, 0.0912, "tflite-runtime")},
)

DIFF = """\
--- device_profiles/my-pi.yaml
+++ device_profiles/my-pi.yaml
@@ -11,5 +11,5 @@
 runtimes: {tflite: [tflite-runtime==2.14.0, "numpy<2"]}
 emulation: {cpu: "cortex-a72"}
 projection:  # from the list
-  float: {ns_per_instruction: 0.80, spread: 0.14, runtime: ncnn}  # published
+  float: {ns_per_instruction: 0.551, spread: 0.091, runtime: tflite-runtime}  # published
 sources: ["nobody's"]
"""


@pytest.fixture
def profile(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A profile of the user's own, in the folder where they are."""
    monkeypatch.chdir(tmp_path)
    file = tmp_path / "device_profiles" / "my-pi.yaml"
    file.parent.mkdir()
    file.write_text(PROFILE)
    return file


def calibrated(folder: Path, *arguments: str, address: str = "ssh://pi@board.invalid", of: str = "my-pi") -> Done:
    return edgecheck("devices", "calibrate", address, "--profile", of, *arguments, cwd=folder)


def test_a_dry_run_prints_a_diff_and_writes_nothing(profile: Path, capsys: pytest.CaptureFixture[str]) -> None:
    calibrate.write(Profiles().get("my-pi"), DONE, dry_run=True)
    assert capsys.readouterr() == (DIFF, "")
    assert profile.read_text() == PROFILE


def test_the_constants_are_written_and_all_else_stays(profile: Path, capsys: pytest.CaptureFixture[str]) -> None:
    profile.chmod(0o640)
    shutil.move(profile, "elsewhere.yaml")
    profile.symlink_to("../elsewhere.yaml")
    calibrate.write(Profiles().get("my-pi"), DONE, dry_run=False)
    assert capsys.readouterr() == ("", "Wrote device_profiles/my-pi.yaml.\n")
    old, new = (line[1:] for line in DIFF.splitlines()[2:] if line[0] in "-+")
    assert profile.read_text() == PROFILE.replace(old, new)
    assert profile.is_symlink()
    assert profile.stat().st_mode & 0o777 == 0o640
    assert Profiles().get("my-pi").projection.float == Constant(0.551, 0.091, "tflite-runtime")
    calibrate.write(Profiles().get("my-pi"), DONE, dry_run=False)
    assert capsys.readouterr() == ("", "")  # once more the same: nothing to write


def test_what_was_measured_is_reported_network_by_network(capsys: pytest.CaptureFixture[str]) -> None:
    calibrate._show(DONE)
    assert capsys.readouterr() == (
        "",
        (
            "dense-float          3 ms, 5.0 M instructions, 0.6 ns per instruction\n"
            "stem-float           10.1 ms, 20.0 M instructions, 0.505 ns per instruction\n"
            "dense-int8           1 ms, 4.0 M instructions, 0.25 ns per instruction\n"
            "float: 0.551 ns per instruction, spread 9% over 2 networks on tflite-runtime\n"
        ),
    )


@pytest.mark.parametrize(
    ("before", "after", "told", "hint"),
    [
        ('emulation: {cpu: "cortex-a72"}', "", "does not say which core emulates it", "Add `emulation:"),
        ("tflite: [tflite-runtime==2.14.0", "onnx: [onnxruntime==1.32.0", "names no runtime for .tflite", "Add one"),
        ("runtime: ncnn", "runtime: *a", "cannot be edited in place", "Write it yourself"),
    ],
)
def test_a_profile_that_cannot_be_calibrated_is_reported_before_anything_is_reached(
    profile: Path, before: str, after: str, told: str, hint: str
) -> None:
    text = PROFILE.replace(before, after)
    assert text != PROFILE
    text = text.replace("name: My Pi", "name: &a My Pi")  # which the third has once more as its runtime
    profile.write_text(text)
    done = calibrated(profile.parents[1])
    assert done.code == 2, done.err
    assert told in done.err
    assert hint in done.err
    assert done.out == ""
    assert profile.read_text() == text


@pytest.mark.parametrize(
    ("address", "of", "networks", "told"),
    [
        ("qemu", "my-pi", (), "'qemu' has no clock to calibrate: it is emulated."),
        ("board", "my-pi", (), "No target is called 'board'."),
        ("ssh://-oProxyCommand=x", "my-pi", (), "cannot be a host's name"),
        ("ssh://pi@board", "this-machine", (), "this-machine is generated: there is no file to write into."),
        ("ssh://pi@board", "my-pie", (), "There is no device 'my-pie'; did you mean my-pi?"),
        ("ssh://pi@board", "raspberry-pi-4", (), "is shared by several devices"),
        ("ssh://pi@board", "my-pi", ("dens", "stem"), "Unknown network 'dens'."),
        ("ssh://pi@board", "my-pi", ("dense", "dense"), "One network has no spread."),
    ],
)
def test_what_makes_no_sense_is_a_usage_error(
    profile: Path, address: str, of: str, networks: tuple[str, ...], told: str
) -> None:
    named = [word for name in networks for word in ("--network", name)]
    done = calibrated(profile.parents[1], *named, address=address, of=of)
    assert (done.code, done.out) == (2, "")
    assert told in done.err, done.err


def test_a_device_that_is_not_there_leaves_the_profile_alone(profile: Path) -> None:
    done = calibrated(profile.parents[1])
    assert (done.code, done.out) == (3, "")
    assert "There is no host called board.invalid." in done.err
    assert profile.read_text() == PROFILE


def test_a_profile_that_comes_with_edgecheck_is_to_be_copied_first(
    profile: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As in an installed wheel, whose files the next version replaces."""
    monkeypatch.setattr(profiles, "_PACKAGE", tmp_path / "site packages")
    (tmp_path / "site packages" / "_packaged").mkdir(parents=True)
    shutil.move(profile.parent, tmp_path / "site packages" / "_packaged" / "device_profiles")
    found = Profiles().get("my-pi")
    with pytest.raises(UsageError, match="The profile my-pi comes with edgecheck") as caught:
        calibrate._ensure_editable(found, dry_run=False)
    calibrate._ensure_editable(found, dry_run=True)
    profile.parent.mkdir()
    assert os.system(caught.value.hint.partition(": ")[2]) == 0
    assert Profiles().get("my-pi").path == str(profile.relative_to(tmp_path))
    calibrate._ensure_editable(Profiles().get("my-pi"), dry_run=False)


@pytest.mark.skipif(os.getuid() == 0, reason="root may write everything")
def test_a_profile_that_may_not_be_written_is_reported_first(profile: Path) -> None:
    profile.chmod(0o444)
    done = calibrated(profile.parents[1])
    assert done.code == 2
    assert "device_profiles/my-pi.yaml cannot be written." in done.err


COSTLY = replace(
    DONE,
    costs=Fit(
        replace(COSTS, runtime="tflite-runtime", networks=3, source="edgecheck devices calibrate"),
        error=0.14,
        factor_only=True,
    ),
)


def test_the_error_of_the_costs_and_what_would_help_are_reported(capsys: pytest.CaptureFixture[str]) -> None:
    calibrate._show(COSTLY)
    costs, advice = capsys.readouterr().err.splitlines()[-2:]
    how = "costs: one factor for the costs of its core, from 3 networks on tflite-runtime"
    assert costs == f"{how}, 14% off in the median with each network left out"
    assert advice == "Another network would help: --count 4"


def test_the_costs_are_written_and_read_again(profile: Path) -> None:
    calibrate.write(Profiles().get("my-pi"), COSTLY, dry_run=False)
    projection = Profiles().get("my-pi").projection
    assert COSTLY.costs is not None
    assert projection.costs == COSTLY.costs.costs
    assert projection.float == Constant(0.551, 0.091, "tflite-runtime")
    before = profile.read_text()
    calibrate.write(Profiles().get("my-pi"), COSTLY, dry_run=False)
    assert profile.read_text() == before


def test_a_set_that_was_not_measured_is_taken_out(profile: Path) -> None:
    assert COSTLY.costs is not None
    calibrate.write(Profiles().get("my-pi"), COSTLY, dry_run=False)
    without = replace(COSTLY, costs=replace(COSTLY.costs, costs=replace(COSTLY.costs.costs, modelled=None)))
    calibrate.write(Profiles().get("my-pi"), without, dry_run=False)
    costs = Profiles().get("my-pi").projection.costs
    assert costs is not None
    assert costs.modelled is None
    assert costs.counted == COSTS.counted


def test_costs_that_cannot_be_used_here_are_reported_before_anything_is_reached(profile: Path) -> None:
    """Those with cycles only, on a host without LLVM; and those with neither."""
    assert COSTLY.costs is not None
    cycles = replace(COSTLY, costs=replace(COSTLY.costs, costs=replace(COSTLY.costs.costs, counted=None)))
    calibrate.write(Profiles().get("my-pi"), cycles, dry_run=False)
    before = profile.read_text()
    command = ("devices", "calibrate", "ssh://pi@board.invalid", "--profile", "my-pi")
    done = edgecheck(*command, cwd=profile.parents[1], PATH="/nowhere")
    assert (done.code, done.out) == (2, "")
    assert "need the cycles of cortex-a57, which LLVM does not count here." in done.err
    assert "Install llvm-mca: " in done.err
    assert profile.read_text() == before
    neither = replace(COSTS, counted=None, modelled=None)
    board = Board(Profiles().get("my-pi"), parse("ssh://pi@board.invalid"), prior=neither)
    with pytest.raises(UsageError, match="have neither `counted` nor `modelled`"):
        ensure_possible(board, ())


def test_the_prior_is_the_profiles_costs_or_those_of_a_device_with_the_core(profile: Path) -> None:
    known = Profiles()
    mine = known.get("my-pi")
    assert calibrate._prior(mine, known) == known.get("raspberry-pi-4-2gb").projection.costs
    costly = replace(mine, projection=replace(mine.projection, costs=COSTS))
    assert calibrate._prior(costly, known) == COSTS
    assert calibrate._prior(replace(mine, emulation_cpu="neoverse-v1"), known) is None
