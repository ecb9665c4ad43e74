"""Constants go into a profile's text, and every other byte stays."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from edgecheck.config import Profiles
from edgecheck.config.calibrated import calibrated
from edgecheck.core.device import Constant
from edgecheck.errors import ConfigError, UsageError

ROOT = Path(__file__).parents[2]
FLOAT, INT8 = Constant(0.51234, 0.1234, "tflite-runtime"), Constant(12.0, 0.2, "tflite-runtime")
BOTH = {"float": FLOAT, "int8": INT8}
F = "{ns_per_instruction: 0.512, spread: 0.123, runtime: tflite-runtime}"
I = "{ns_per_instruction: 12, spread: 0.200, runtime: tflite-runtime}"  # noqa: E741 - int8 beside F for float


BLOCK = """\
# top
projection:
  # of the float
  float: {ns_per_instruction: 0.80, spread: 0.14, runtime: ncnn}  # old
  # more
  thread_scaling: {"4": {factor: 2.4, spread: 0.24}}
sources: [a]
"""
BLOCK_AFTER = f"""\
# top
projection:
  # of the float
  float: {F}  # old
  # more
  thread_scaling: {{"4": {{factor: 2.4, spread: 0.24}}}}
  int8: {I}
sources: [a]
"""
NESTED = """\
projection:
  float:
    # why
    ns_per_instruction: 1.0   # old
    spread: 0.1
    runtime: 'x'

z: 1
"""
NESTED_AFTER = f"""\
projection:
  int8: {I}
  float:
    # why
    ns_per_instruction: 0.512   # old
    spread: 0.123
    runtime: tflite-runtime

z: 1
"""

#: The family has the rest.
PARTIAL = """\
projection:
  float: {ns_per_instruction: 1}
  int8:
    runtime: a
"""
PARTIAL_AFTER = """\
projection:
  float: {runtime: tflite-runtime, spread: 0.123, ns_per_instruction: 0.512}
  int8:
    runtime: tflite-runtime
    ns_per_instruction: 12
    spread: 0.200
"""


def edited(folder: Path, text: str, constants: dict[str, Constant] = BOTH, *, derived: bool = False) -> str:
    place = folder / "board.yaml"
    place.write_bytes(text.encode())
    done = calibrated(place, constants, derived=derived)
    assert done.before == text
    assert place.read_bytes() == text.encode()
    return done.after


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("name: x  # tail", f"name: x  # tail\nprojection:\n  float: {F}\n  int8: {I}\n"),
        ("a: 1\r\nb: 2\r\n", f"a: 1\r\nb: 2\r\nprojection:\r\n  float: {F}\r\n  int8: {I}\r\n"),
        ("{name: x}", f"{{projection: {{int8: {I}, float: {F}}}, name: x}}"),
        ("projection: {}  # none\nz: 1\n", f"projection: {{int8: {I}, float: {F}}}  # none\nz: 1\n"),
        ("projection:\n", None),
        (BLOCK, BLOCK_AFTER),
        (NESTED, NESTED_AFTER),
        (
            "projection: {int8: {runtime: 'ncnn', ns_per_instruction: 3, spread: 1}}",
            f"projection: {{float: {F}, int8: {{runtime: tflite-runtime, ns_per_instruction: 12, spread: 0.200}}}}",
        ),
        ("name: &a x\nprojection: {float: {ns_per_instruction: 1, spread: 1, runtime: *a}}\n", None),
        ("name: x\n...\n", None),
        (PARTIAL, PARTIAL_AFTER),
    ],
)
def test_only_the_constants_change(tmp_path: Path, before: str, after: str | None) -> None:
    if after is not None:
        assert edited(tmp_path, before) == after
        return
    with pytest.raises(UsageError, match="cannot be edited in place") as caught:
        edited(tmp_path, before)
    assert caught.value.hint == f"Write it yourself:\nprojection:\n  float: {F}\n  int8: {I}"


def test_what_was_not_measured_stays(tmp_path: Path) -> None:
    text = "projection:\n  float: {ns_per_instruction: 1, spread: 1, runtime: a}\n  int8: {ns_per_instruction: 2}\n"
    assert edited(tmp_path, text, {"float": FLOAT}) == text.replace("{ns_per_instruction: 1, spread: 1, runtime: a}", F)


@pytest.mark.parametrize(
    ("before", "line"),
    [
        (
            "projection:\n  derived_from: pi-4  # guess\n",
            "  derived_from: the device itself  # guess\n",
        ),
        ("name: x\n", "  derived_from: the device itself\n"),
    ],
)
def test_constants_of_its_own_are_no_other_devices(tmp_path: Path, before: str, line: str) -> None:
    assert line in edited(tmp_path, before, derived=True)


def test_a_runtime_with_an_odd_name_is_quoted(tmp_path: Path) -> None:
    text = edited(tmp_path, "name: x\n", {"float": Constant(0.0001234, 0.1, "my: #runtime")})
    assert text.endswith('  float: {ns_per_instruction: 0.000123, spread: 0.100, runtime: "my: #runtime"}\n')


def test_no_yaml_is_reported_with_its_place(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"board\.yaml:2:1: is not YAML"):
        edited(tmp_path, "{")


@pytest.mark.parametrize("path", sorted(ROOT.joinpath("device_profiles").glob("*.yaml")), ids=lambda path: path.stem)
def test_every_profile_that_comes_along_can_be_calibrated(tmp_path: Path, path: Path) -> None:
    profiles = Profiles([ROOT / "device_profiles"])
    if profiles.trouble(path.stem):
        pytest.skip("a family")
    folder = tmp_path / "profiles"
    shutil.copytree(ROOT / "device_profiles", folder)
    before = profiles.get(path.stem)
    done = calibrated(folder / path.name, BOTH, derived=bool(before.projection.derived_from))
    (folder / path.name).write_text(done.after)
    after = Profiles([folder]).get(path.stem).projection
    assert after.float == Constant(0.512, 0.123, "tflite-runtime")
    assert after.int8 == Constant(12, 0.2, "tflite-runtime")
    assert after.derived_from == ("the device itself" if before.projection.derived_from else "")
    assert after.thread_scaling == before.projection.thread_scaling
