"""What a device says of itself, as a platform that wheels are chosen for."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
from packaging import tags

from edgecheck.bundles import DevicePlatform, host_platform, platform_of, probe
from edgecheck.errors import BundleError

PI = {
    "system": "Linux",
    "implementation": "CPython",
    "python": "3.11",
    "machine": "aarch64",
    "bits": 64,
    "libc": "glibc",
    "libc_version": "2.36",
}


def test_the_tags_of_this_machine_are_exactly_those_of_packaging() -> None:
    assert host_platform().wheel_tags == frozenset(tags.sys_tags())


def test_the_tags_of_every_python_are_those_of_its_pip(python: tuple[str, Path]) -> None:
    version, interpreter = python
    found = platform_of(json.loads(_output(interpreter, Path(probe.__file__).read_text(encoding="utf-8"))))
    assert found.python == version
    script = "try:\n from pip._vendor.packaging.tags import sys_tags as t\nexcept ImportError: t = list\nprint(*t())"
    theirs = set(_output(interpreter, script).split())  # none where pip is older than its module of tags
    ours = {str(tag) for tag in found.wheel_tags}
    assert theirs <= ours
    assert not theirs or ours - theirs <= {f"cp{version.replace('.', '')}-none-any"}  # old pips did not accept it


def _output(interpreter: Path, script: str) -> str:
    done = subprocess.run([interpreter, "-"], input=script, capture_output=True, text=True, check=True, cwd="/")
    return done.stdout


def test_tags_of_a_raspberry_pi() -> None:
    found = DevicePlatform("3.11", "aarch64", "glibc", (2, 19)).platform_tags
    assert found == (
        "manylinux_2_19_aarch64",
        "manylinux_2_18_aarch64",
        "manylinux_2_17_aarch64",
        "manylinux2014_aarch64",
        "linux_aarch64",
    )


@pytest.mark.parametrize(
    ("platform", "expected"),
    [
        (DevicePlatform("3.9", "armv7l", "glibc", (2, 31)), {"manylinux2014_armv7l", "manylinux_2_31_armv7l"}),
        (DevicePlatform("3.9", "x86_64", "glibc", (2, 5)), {"manylinux1_x86_64", "manylinux_2_5_x86_64"}),
        (DevicePlatform("3.9", "x86_64", "glibc", (2, 12)), {"manylinux2010_x86_64", "manylinux_2_12_x86_64"}),
        (DevicePlatform("3.12", "aarch64", "musl", (1, 2)), {"musllinux_1_0_aarch64", "musllinux_1_2_aarch64"}),
    ],
)
def test_tags_by_machine_and_libc(platform: DevicePlatform, expected: set[str]) -> None:
    assert expected <= set(platform.platform_tags)
    assert platform.platform_tags[-1] == f"linux_{platform.machine}"


def test_a_wheel_for_a_newer_libc_does_not_fit() -> None:
    assert "manylinux_2_37_aarch64" not in DevicePlatform("3.11", "aarch64", "glibc", (2, 36)).platform_tags
    assert not any("manylinux" in tag for tag in DevicePlatform("3.11", "aarch64", "musl", (1, 2)).platform_tags)


def test_no_policy_covers_armv6() -> None:
    assert DevicePlatform("3.11", "armv6l").platform_tags == ("linux_armv6l",)


@pytest.mark.parametrize(
    ("version", "abi"), [("3.6", "cp36m"), ("3.7", "cp37m"), ("3.8", "cp38"), ("3.13", "cp313"), ("3.13t", "cp313t")]
)
def test_abi(version: str, abi: str) -> None:
    platform = DevicePlatform(version, "aarch64")
    assert platform.abi == abi
    assert platform.markers["python_version"] == version.rstrip("t")


@pytest.mark.parametrize(
    ("facts", "machine"),
    [
        ({"machine": "aarch64", "bits": 64}, "aarch64"),
        ({"machine": "arm64", "bits": 64}, "aarch64"),
        ({"machine": "aarch64", "bits": 32}, "armv7l"),  # Raspberry Pi OS (32-bit) with its 64-bit kernel
        ({"machine": "armv8l", "bits": 32}, "armv7l"),
        ({"machine": "armv7l", "bits": 32}, "armv7l"),
        ({"machine": "armv6l", "bits": 32}, "armv6l"),
        ({"machine": "AMD64", "bits": 64}, "x86_64"),
        ({"machine": "x86_64", "bits": 32}, "i686"),
    ],
)
def test_machine_of_the_python_and_not_of_the_kernel(facts: dict[str, object], machine: str) -> None:
    assert platform_of({**PI, **facts}).machine == machine


def test_platform_of_a_pi() -> None:
    assert str(platform_of(PI)) == "Python 3.11, aarch64, glibc 2.36"


@pytest.mark.parametrize(
    ("facts", "message"),
    [
        ({"system": "Darwin"}, "Runtime bundles are for Linux, and the device runs Darwin."),
        ({"implementation": "PyPy"}, "Runtime bundles are for CPython, not PyPy."),
        ({"libc": "", "libc_version": ""}, "The device's C library is neither glibc nor musl."),
        ({"python": "2.7"}, "The device's Python is 2.7; edgecheck's agent needs Python 3.6 or newer."),
        ({"python": "3.5"}, "The device's Python is 3.5; edgecheck's agent needs Python 3.6 or newer."),
        ({"machine": "; rm -rf /"}, "'; rm -rf /' is not the name of a machine."),
        ({}, ""),
    ],
)
def test_what_no_bundle_fits(facts: dict[str, object], message: str) -> None:
    if not message:
        with pytest.raises(BundleError, match="Linux"):
            platform_of({})
        return
    with pytest.raises(BundleError) as caught:
        platform_of({**PI, **facts})
    assert caught.value.message == message
    assert caught.value.hint


def test_musl_prints_its_version_when_its_loader_runs_alone(tmp_path: Path) -> None:
    loader = tmp_path / "ld-musl-aarch64.so.1"
    loader.write_text(  # what musl 1.2.3 prints
        "#!/bin/sh\necho 'musl libc (aarch64)\nVersion 1.2.3\nDynamic Program Loader\nUsage: x' >&2\nexit 1\n"
    )
    loader.chmod(0o755)
    assert probe.musl_version(str(loader)) == "1.2"
    assert probe.musl_version(sys.executable) == ""
