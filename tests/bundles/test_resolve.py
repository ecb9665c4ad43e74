from __future__ import annotations

import sys
import tarfile
from collections.abc import Callable
from pathlib import Path

import pytest

from edgecheck.bundles import Bundle, DevicePlatform
from edgecheck.bundles.pip_process import Pip
from edgecheck.bundles.requirements import requirements_for
from edgecheck.bundles.resolve import resolve
from edgecheck.deadline import Deadline
from edgecheck.errors import BundleError

Bundled = Callable[..., Bundle]

SYSTEM = "use a runtime that is installed on the device (`bundle: system` in a budget, --bundle system)"


@pytest.mark.parametrize(
    ("python", "machine", "libc", "version"),
    [
        ("3.6", "aarch64", "glibc", (2, 27)),  # Ubuntu 18.04, JetPack 4
        ("3.8", "aarch64", "glibc", (2, 31)),  # Ubuntu 20.04, JetPack 5
        ("3.9", "aarch64", "glibc", (2, 31)),  # Debian 11
        ("3.10", "aarch64", "glibc", (2, 35)),  # Ubuntu 22.04, JetPack 6
        ("3.11", "aarch64", "glibc", (2, 36)),  # Debian 12
        ("3.13", "aarch64", "glibc", (2, 41)),  # Debian 13
        ("3.12", "aarch64", "musl", (1, 2)),  # Alpine
        ("3.12", "x86_64", "glibc", (2, 39)),  # Ubuntu 24.04
        ("3.12", "x86_64", "musl", (1, 2)),
    ],
)
def test_psutil_alone(bundled: Bundled, python: str, machine: str, libc: str, version: tuple[int, int]) -> None:
    found = bundled([], DevicePlatform(python, machine, libc, version))  # type: ignore[arg-type]
    assert [wheel.name for wheel in found.wheels] == ["psutil"]
    assert machine in found.wheels[0].file
    assert ("musllinux" in found.wheels[0].file) == (libc == "musl")


def test_a_raspberry_pi_with_debian_12(bundled: Bundled) -> None:
    found = bundled(["tflite-runtime==2.14.0", "numpy<2"], DevicePlatform("3.11", "aarch64"))
    assert {wheel.name: wheel.version for wheel in found.wheels} == {
        "numpy": "1.26.4",
        "psutil": found.wheels[1].version,
        "tflite-runtime": "2.14.0",
    }
    assert all("aarch64" in wheel.file for wheel in found.wheels)
    assert found.pins[0] == "numpy==1.26.4"
    assert found.notes == ()
    with tarfile.open(found.path) as tar:
        sizes = {member.name: member.size for member in tar.getmembers()}
    assert sum(sizes.values()) - sizes["edgecheck-bundle.json"] == found.unpacked_size
    assert 40e6 < found.unpacked_size < 60e6
    assert 10e6 < found.size < 20e6
    assert sum(each.size for each in found.left_out) > 9e6


def test_litert_on_python_3_13(bundled: Bundled) -> None:
    found = bundled(["ai-edge-litert==2.3.0"], DevicePlatform("3.13", "aarch64", "glibc", (2, 41)))
    assert {"ai-edge-litert", "numpy", "psutil"} <= {wheel.name for wheel in found.wheels}
    assert next(each.size for each in found.left_out if each.what == "the WebGPU accelerator") > 10e6


def test_what_pip_would_take_for_the_newest_numpy(bundled: Bundled) -> None:
    """tflite-runtime declares no limit on numpy, imports under numpy 2 and then fails."""
    found = bundled(["tflite-runtime==2.14.0"], DevicePlatform("3.11", "aarch64"))
    assert "numpy==1.26.4" in found.pins
    assert found.notes == ("numpy<2 was added: tflite-runtime was compiled for numpy 1 and fails under numpy 2.",)


def test_an_old_onnxruntime_gets_numpy_1_once_its_version_is_known(bundled: Bundled) -> None:
    """No onnxruntime since 1.18 has a wheel for glibc 2.17, and numpy 2 does."""
    found = bundled(["onnxruntime"], DevicePlatform("3.11", "aarch64", "glibc", (2, 17)))
    versions = {wheel.name: wheel.version for wheel in found.wheels}
    assert versions["numpy"].startswith("1.")
    assert found.notes == (
        f"numpy<2 was added: onnxruntime=={versions['onnxruntime']} was compiled for numpy 1 and fails under numpy 2.",
    )
    assert "sympy" not in versions
    assert {"sympy, which only conversion tools import"} <= {each.what for each in found.left_out}


def test_a_dependency_that_the_profile_requires_stays(bundled: Bundled) -> None:
    found = bundled(["onnxruntime", "mpmath"], DevicePlatform("3.9", "aarch64", "glibc", (2, 31)))
    names = {wheel.name for wheel in found.wheels}
    assert "mpmath" in names
    assert "sympy" not in names


def test_psutil_is_left_out_where_it_has_no_wheel(bundled: Bundled) -> None:
    found = bundled(["PyYAML"], DevicePlatform("3.11", "s390x"))
    assert [wheel.name for wheel in found.wheels] == ["pyyaml"]
    assert found.notes == ("psutil has no wheel for Python 3.11, s390x, glibc 2.36: the agent reads /proc itself.",)


def test_a_bundle_of_nothing(bundled: Bundled) -> None:
    found = bundled([], DevicePlatform("3.11", "armv6l"))
    assert (found.wheels, found.unpacked_size) == ((), 0)


@pytest.mark.skipif(sys.version_info < (3, 11), reason="this Python itself needs what the device's does")
def test_what_a_pip_with_the_hosts_markers_leaves_out_is_added(tmp_path: Path) -> None:
    """What pytest needs under Python 3.10 is required by name, where pip has left it out."""
    platform = DevicePlatform("3.10", "aarch64")
    (tmp_path / "pip").mkdir()
    (tmp_path / "wheels").mkdir()
    careless = Pip(markers={}, scratch=tmp_path / "pip", deadline=Deadline.after(300), progress=print)
    found = resolve(requirements_for(["pytest==8.3.3"], platform), platform, careless, tmp_path / "wheels")
    names = {each.wheel.name for each in found.wheels}
    assert {"pytest", "pluggy", "exceptiongroup", "tomli", "psutil"} <= names
    assert "colorama" not in names  # for Windows only
    assert found.unused == ()


@pytest.mark.parametrize(("python", "machine"), [("3.12", "x86_64"), ("3.13", "aarch64")])
def test_tflite_runtime_stops_at_python_3_11(bundled: Bundled, python: str, machine: str) -> None:
    with pytest.raises(BundleError) as caught:
        bundled(["tflite-runtime==2.14.0"], DevicePlatform(python, machine, "glibc", (2, 41)))
    assert caught.value.message == (
        f"No wheel of tflite-runtime==2.14.0 fits Python {python}, {machine}, glibc 2.41: "
        "its wheels are for Python 3.8 to 3.11."
    )
    assert caught.value.hint.startswith("Use `ai-edge-litert==2.")
    assert caught.value.hint.endswith(
        f"`, which runs the same .tflite files (in the profile's `runtimes`, or --runtime), or {SYSTEM}."
    )


def test_what_the_message_names_works(bundled: Bundled) -> None:
    with pytest.raises(BundleError) as caught:
        bundled(["tflite-runtime==2.14.0"], DevicePlatform("3.9", "aarch64", "glibc", (2, 31)))
    assert caught.value.message.endswith("glibc 2.31: its wheels need glibc 2.34 or newer.")
    older, other = caught.value.hint.split("`")[1], caught.value.hint.split("`")[3]
    assert (older.partition("==")[0], other.partition("==")[0]) == ("tflite-runtime", "ai-edge-litert")
    for named in (older, other):
        assert named in bundled([named], DevicePlatform("3.9", "aarch64", "glibc", (2, 31))).pins


def test_too_old_a_glibc_for_every_tflite_runtime(bundled: Bundled) -> None:
    with pytest.raises(BundleError) as caught:
        bundled(["tflite-runtime==2.14.0"], DevicePlatform("3.11", "aarch64", "glibc", (2, 31)))
    assert caught.value.message.endswith("its wheels need glibc 2.34 or newer.")
    assert caught.value.hint.startswith("Use `ai-edge-litert==2.")


def test_32_bit_arm_has_no_numpy(bundled: Bundled) -> None:
    with pytest.raises(BundleError) as caught:
        bundled(["tflite-runtime==2.14.0", "numpy<2"], DevicePlatform("3.11", "armv7l"))
    assert caught.value.message == ("No wheel of numpy<2 fits Python 3.11, armv7l, glibc 2.36: it has none for armv7l.")
    assert caught.value.hint == f"Install the distribution's numpy (`sudo apt install python3-numpy`) and {SYSTEM}."


def test_a_typo(bundled: Bundled) -> None:
    with pytest.raises(BundleError) as caught:
        bundled(["tflite-runtimes==2.14.0"], DevicePlatform("3.11", "aarch64"))
    assert caught.value.message.endswith("the package index has no tflite-runtimes.")


def test_pins_that_conflict(bundled: Bundled) -> None:
    with pytest.raises(BundleError) as caught:
        bundled(["tflite-runtime==2.14.0", "numpy>=2"], DevicePlatform("3.11", "aarch64"))
    assert "The user requested numpy>=2; The user requested numpy<2." in caught.value.message
    assert "was compiled for numpy 1" in caught.value.hint
