"""Every profile in the folder: a new file needs no new test."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from edgecheck.config import Profiles, lint
from edgecheck.core.device import THIS_MACHINE
from edgecheck.core.metrics import METRICS

FOLDER = Path(__file__).parents[1] / "device_profiles"
PROFILES = Profiles((FOLDER,))
DEVICES = [name for name in PROFILES.ids() if name != THIS_MACHINE]

#: Devices that the project promises: boards, modules and phones.
PROMISED = {
    *(
        "raspberry-pi-zero-2-w",
        "raspberry-pi-3b-plus",
        "raspberry-pi-4-2gb",
        "raspberry-pi-4-4gb",
        "raspberry-pi-4-8gb",
    ),
    *("raspberry-pi-5-4gb", "raspberry-pi-5-8gb", "jetson-nano", "jetson-xavier-nx", "jetson-orin-nano"),
    *("jetson-orin-nx", "jetson-agx-orin", "coral-dev-board", "pixel-6a", "pixel-7", "pixel-8", "pixel-9"),
    *("galaxy-s21", "galaxy-s23", "galaxy-s24", "android-go", "iphone-13", "iphone-15"),
}

#: QEMU's core -> features that a device needs to run the same instructions.
NEEDS = {"cortex-a76": {"asimddp", "asimdhp"}}


def test_every_promised_device_has_a_profile() -> None:
    assert set(DEVICES) >= PROMISED


def test_lint_finds_no_problem_and_no_warning() -> None:
    findings = lint([FOLDER])
    assert findings.problems == ()
    assert findings.warnings == ()
    assert findings.files == len(list(FOLDER.glob("*.yaml")))


@pytest.mark.parametrize("device", DEVICES)
def test_a_profile_is_complete_and_plausible(device: str) -> None:
    profile = PROFILES.get(device)
    limits = {limit.metric.name: limit.error or 0.0 for limit in profile.limits}
    assert {"ram_peak", "footprint", "latency_p50"} <= set(limits)
    assert 0 < limits["ram_peak"] <= profile.ram.available / 2
    assert 0 < limits["footprint"] <= profile.storage.available / 2
    assert 0.001 <= limits["latency_p50"] <= 1.0
    assert profile.ram.total > profile.ram.reserved > 0
    assert profile.storage.total > profile.storage.reserved > 0
    assert profile.identity.model or profile.identity.cpu_part
    assert 1 <= profile.cpu.count <= 16
    assert 0.5e9 < profile.cpu.clock < 5e9
    assert "asimd" in profile.cpu.features
    assert set(profile.runtimes) == {"tflite", "onnx"}
    assert re.fullmatch(r"3\.\d+", profile.python)
    assert profile.sources


#: What devices have, by the start of their names; everything else has no accelerator that is known here.
ACCELERATORS = {
    "jetson-": {"tensorrt", "cuda"},
    "coral-": {"edgetpu"},
    "raspberry-pi-5-": {"hailo"},
    "pixel-": {"nnapi", "gpu"},
    "galaxy-": {"nnapi", "gpu"},
}


@pytest.mark.parametrize("device", DEVICES)
def test_a_profile_lists_the_accelerators_of_its_device(device: str) -> None:
    profile = PROFILES.get(device)
    expected = next((known for start, known in ACCELERATORS.items() if device.startswith(start)), set())
    assert {one.provider for one in profile.accelerators} == expected
    assert bool(profile.power_mode) is (profile.kind == "jetson")
    assert not expected or any("library" in source or "libraries" in source for source in profile.sources)


@pytest.mark.parametrize("device", DEVICES)
def test_the_emulated_core_has_no_instructions_that_the_device_lacks(device: str) -> None:
    profile = PROFILES.get(device)
    assert NEEDS.get(profile.emulation_cpu, set()) <= set(profile.cpu.features)


@pytest.mark.parametrize("device", DEVICES)
def test_projection_constants_are_measured_or_name_their_origin(device: str) -> None:
    projection = PROFILES.get(device).projection
    for constant in (projection.float, projection.int8):
        assert constant is not None
        assert 0.01 < constant.ns_per_instruction < 10
        assert constant.spread >= 0.35 or not projection.derived_from
        assert constant.runtime


#: Nanoseconds per instruction (float) of chips without a profile: minima in ncnn's published benchmark over emulated
#: instructions.
CHIPS = {"snapdragon-410": 0.952, "snapdragon-855-plus": 0.170, "snapdragon-8-gen-2": 0.166, "dimensity-9300": 0.100}
SCALED = [name for name in DEVICES if "scaled by clock" in PROFILES.get(name).projection.derived_from]


@pytest.mark.parametrize("device", SCALED)
def test_a_derived_constant_is_its_reference_scaled_by_clock(device: str) -> None:
    projection = PROFILES.get(device).projection
    match = re.match(r"([\w-]+) \(([\d.]+) GHz\), scaled by clock to ([\d.]+) GHz", projection.derived_from)
    assert match is not None, projection.derived_from
    assert projection.float is not None
    expected = _reference(match[1]) * float(match[2]) / float(match[3])
    assert projection.float.ns_per_instruction == pytest.approx(expected, abs=0.001)


def _reference(name: str) -> float:
    if name in CHIPS:
        return CHIPS[name]
    own = PROFILES.get(next(device for device in DEVICES if device.startswith(name))).projection.float
    assert own is not None
    return own.ns_per_instruction


PHONES = [name for name in DEVICES if PROFILES.get(name).kind == "phone"]


@pytest.mark.parametrize("device", PHONES)
def test_a_phone_limits_what_an_app_sends_and_names_who_says_so(device: str) -> None:
    profile = PROFILES.get(device)
    limits = {limit.metric.name: limit.error or 0.0 for limit in profile.limits}
    assert 0 < limits["download"] <= 200e6
    assert profile.app is None or limits["download"] <= profile.app.download
    assert any("App Store" in source or "Google Play" in source for source in profile.sources)


def test_every_limit_can_be_decided_from_files_or_an_emulated_machine() -> None:
    """A profile's limits must not leave a check undecided where the only target is the emulated one, as for phones."""
    answered = {"size", "download", "params", "footprint", "ram_peak", "ram_model", "instructions", "latency_p50"}
    for device in DEVICES:
        assert {limit.metric.name for limit in PROFILES.get(device).limits} <= answered <= set(METRICS)
