from __future__ import annotations

from packaging.requirements import Requirement

from edgecheck.bundles import DevicePlatform
from edgecheck.bundles.diagnosis import (
    Listing,
    Unmet,
    explain,
    other_failure,
    read_listing,
    runtime_without_wheels,
    unmet,
)
from edgecheck.bundles.requirements import requirements_for

BULLSEYE = DevicePlatform("3.9", "aarch64", "glibc", (2, 31))
BOOKWORM = DevicePlatform("3.11", "aarch64", "glibc", (2, 36))
TRIXIE = DevicePlatform("3.13", "aarch64", "glibc", (2, 41))

TFLITE = [
    "tflite_runtime-2.13.0-cp39-cp39-manylinux2014_aarch64.whl",
    "tflite_runtime-2.14.0-cp310-cp310-manylinux_2_34_aarch64.whl",
    "tflite_runtime-2.14.0-cp311-cp311-manylinux_2_34_aarch64.whl",
    "tflite_runtime-2.14.0-cp311-cp311-manylinux2014_x86_64.whl",
    "tflite_runtime-2.14.0-cp39-cp39-manylinux_2_34_aarch64.whl",
]
LITERT = [
    f"ai_edge_litert-{version}-{tag}-{tag}-manylinux_2_{glibc}_aarch64.whl"
    for version, glibc in (("2.1.0", 17), ("2.3.0", 27))
    for tag in ("cp39", "cp311", "cp313")
]


def log(*files: str) -> str:
    """What `pip download -vv` prints about each file."""
    lines = ["* https://index.test/simple/x/"]
    lines += [
        f"  Skipping link: none of the wheel's tags are compatible: https://files.test/ab/{file}"
        " (from https://index.test/simple/x/) (requires-python:>=3.6)"
        for file in files
    ]
    return "\n".join(lines)


def listing(**files: list[str]) -> dict[str, Listing]:
    names = {name.replace("_", "-"): each for name, each in files.items()}
    return {name: read_listing(name, log(*each)) for name, each in names.items()}


def explained(requirement: str, platform: DevicePlatform, needed_by: str = "", **files: list[str]) -> tuple[str, str]:
    known = listing(**files)
    error = explain(
        Unmet(Requirement(requirement), needed_by),
        platform,
        lambda name: known.get(name, Listing(name, (), has_source=False)),
    )
    return error.message, error.hint


SYSTEM = "use a runtime that is installed on the device (`bundle: system` in a budget, --bundle system)"


def test_too_new_a_python_for_tflite_runtime() -> None:
    message, hint = explained("tflite-runtime==2.14.0", TRIXIE, tflite_runtime=TFLITE, ai_edge_litert=LITERT)
    assert message == (
        "No wheel of tflite-runtime==2.14.0 fits Python 3.13, aarch64, glibc 2.41: "
        "its wheels are for Python 3.9 to 3.11."
    )
    assert hint == (
        "Use `ai-edge-litert==2.3.0`, which runs the same .tflite files (in the profile's `runtimes`, or --runtime), "
        f"or {SYSTEM}."
    )


def test_too_old_a_glibc_with_an_older_release_that_fits() -> None:
    message, hint = explained("tflite-runtime==2.14.0", BULLSEYE, tflite_runtime=TFLITE, ai_edge_litert=LITERT)
    assert message.endswith("glibc 2.31: its wheels need glibc 2.34 or newer.")
    assert hint == (
        "Pin `tflite-runtime==2.13.0`, the newest that fits, or use `ai-edge-litert==2.3.0`, "
        f"which runs the same .tflite files (in the profile's `runtimes`, or --runtime), or {SYSTEM}."
    )


def test_no_wheels_for_the_machine() -> None:
    pi = DevicePlatform("3.11", "armv7l")
    numpy = ["numpy-1.26.4-cp311-cp311-manylinux_2_17_aarch64.manylinux2014_aarch64.whl"]
    message, hint = explained("numpy>=1.23.2", pi, "tflite-runtime", numpy=numpy)
    assert message == (
        "No wheel of numpy>=1.23.2, which tflite-runtime needs, fits Python 3.11, armv7l, glibc 2.36: "
        "it has none for armv7l."
    )
    assert hint == f"Install the distribution's numpy (`sudo apt install python3-numpy`) and {SYSTEM}."


def test_a_release_that_does_not_exist() -> None:
    message, hint = explained("tflite-runtime==9.9", BOOKWORM, tflite_runtime=TFLITE)
    assert message.endswith("tflite-runtime has no such release with wheels.")
    assert hint == f"Pin `tflite-runtime==2.14.0`, the newest that fits, or {SYSTEM}."


def test_a_name_that_does_not_exist() -> None:
    message, hint = explained("tflite-runtme", BOOKWORM)
    assert message.endswith("the package index has no tflite-runtme.")
    assert hint == "Check the spelling, and pip's index settings (`pip config list`)."


def test_source_only() -> None:
    message, hint = explained("foo", BOOKWORM, foo=["foo-1.0.tar.gz"])
    assert message.endswith("foo is published as source only.")
    assert hint == SYSTEM[0].upper() + SYSTEM[1:] + "."


def test_musl() -> None:
    alpine = DevicePlatform("3.11", "aarch64", "musl", (1, 2))
    message, _ = explained("tflite-runtime==2.14.0", alpine, tflite_runtime=TFLITE)
    assert message.endswith("musl 1.2: its wheels are for glibc, not for musl.")


def test_the_python_that_the_index_says_a_release_requires() -> None:
    """An abi3 wheel fits by its tags alone, but not by what its release says it takes."""
    known = read_listing("foo", log("foo-2.0-cp36-abi3-manylinux2014_aarch64.whl").replace(">=3.6", ">=3.12"))
    assert known.fitting(BOOKWORM) == []
    assert [str(version) for version in known.fitting(TRIXIE)] == ["2.0"]


def test_a_listing_has_releases_of_the_name_and_no_release_candidates() -> None:
    text = log(
        "foo_bar-1.0-py3-none-any.whl",
        "foo_bar-2.0rc1-py3-none-any.whl",
        "foo-3.0-py3-none-any.whl",
        "foo_bar-1.5%2Bcpu-py3-none-any.whl",
        "foo_bar-broken.whl",
    )
    assert [str(version) for version in read_listing("foo-bar", text).fitting(BOOKWORM)] == ["1.0", "1.5+cpu"]


def test_what_pip_says_about_a_missing_wheel() -> None:
    output = (
        "ERROR: Could not find a version that satisfies the requirement "
        "numpy>=1.23 (from tflite-runtime) (from versions: none)\n"
    )
    failed = unmet(output)
    assert failed is not None
    assert (failed.name, failed.needed_by) == ("numpy", "tflite-runtime")
    failed = unmet(output.replace("(from tflite-runtime) ", ""))
    assert failed is not None
    assert (failed.name, failed.needed_by) == ("numpy", "")
    assert unmet("ERROR: something else") is None
    assert unmet("WARNING: Retrying after connection broken by 'NameResolutionError'\n" + output) is None


def test_conflicts_name_the_pins_and_what_was_added() -> None:
    output = """
ERROR: Cannot install numpy<2 and numpy>=2 because these package versions have conflicting dependencies.

The conflict is caused by:
    The user requested numpy>=2
    The user requested numpy<2

Additionally, some packages in these conflicts have no matching distributions available for your environment:
    numpy
"""
    error = other_failure(output, requirements_for(["tflite-runtime==2.14.0", "numpy>=2"], BOOKWORM))
    assert error.message == (
        "No set of wheels satisfies numpy>=2, tflite-runtime==2.14.0, psutil, numpy<2: "
        "The user requested numpy>=2; The user requested numpy<2."
    )
    assert error.hint == (
        "Loosen one of the pins in the profile's `runtimes`. "
        "numpy<2 was added: tflite-runtime was compiled for numpy 1 and fails under numpy 2."
    )


def test_other_failures_of_pip() -> None:
    asked = requirements_for([], BOOKWORM)
    assert "cannot be reached" in other_failure("Max retries exceeded with url", asked).message
    assert "is full" in other_failure("OSError: [Errno 28] No space left on device", asked).message
    assert other_failure("ERROR: HTTP error 403\nERROR: and so on", asked).message == (
        "pip failed: HTTP error 403 and so on"
    )
    assert other_failure("Fatal Python error", asked).message == "pip failed: Fatal Python error"


def test_the_runtime_is_named_and_not_what_was_pinned_along_with_it() -> None:
    failed = Unmet(Requirement("numpy<2"), "")
    known = listing(tflite_runtime=TFLITE, ai_edge_litert=LITERT)
    pins = ["numpy<2", "psutil", "tflite-runtime==2.14.0"]
    found = runtime_without_wheels(failed, pins, TRIXIE, known.__getitem__)
    assert str(found.requirement) == "tflite-runtime==2.14.0"
    error = explain(found, TRIXIE, known.__getitem__)
    assert "Use `ai-edge-litert==2.3.0`, which runs the same .tflite files (in the profile's `runtimes`" in error.hint
    assert runtime_without_wheels(failed, pins, BOOKWORM, known.__getitem__) is failed
