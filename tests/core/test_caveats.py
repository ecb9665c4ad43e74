from __future__ import annotations

from dataclasses import replace

import pytest

from edgecheck.core import statistics
from edgecheck.core.budget import Effort
from edgecheck.core.caveats import caveats, low_agreement
from edgecheck.core.finding import Likeness
from edgecheck.core.run import DeviceState, JetsonState, Note, PhoneState, Run, RuntimeFacts
from tests.builders import MIB, latency_worker, memory_worker, profile, run


def codes(seen: Run) -> list[str]:
    return [caveat.code for caveat in caveats(seen, profile(), "onnx", Effort())]


def test_a_clean_run_has_none() -> None:
    assert codes(run(latency_worker(*[0.01] * 50), memory_worker(40 * MIB, 60 * MIB, ((0.1, 60 * MIB),)))) == []


def test_other_runtime_than_the_profiles() -> None:
    seen = run(runtime=RuntimeFacts(name="onnxruntime", version="1.20.0"))
    (caveat,) = caveats(seen, profile(), "onnx", Effort())
    assert caveat.message == (
        "Ran on onnxruntime 1.20.0; the profile of Raspberry Pi 4 Model B (2 GB) pins onnxruntime==1.32.0."
    )
    assert codes(run(runtime=None)) == []
    assert [one.code for one in caveats(seen, profile(runtimes={}), "onnx", Effort())] == []


@pytest.mark.parametrize(
    ("pins", "code"),
    [
        (("onnxruntime",), []),
        (("onnxruntime>=1.19",), []),
        (("onnxruntime[extra]==1.20.0",), []),
        (("ONNXRuntime ==1.20.*",), []),
        (("onnxruntime<1.20",), ["other-runtime"]),
        (("onnxruntime==1.19.0; python_version < '3.12'", "onnxruntime==1.20.0; python_version >= '3.12'"), []),
        (
            ("onnxruntime==1.20.0; python_version < '3.12'", "onnxruntime==1.19.0; python_version >= '3.12'"),
            ["other-runtime"],
        ),
    ],
)
def test_a_runtime_is_what_its_requirement_asks_for(pins: tuple[str, ...], code: list[str]) -> None:
    seen = run(runtime=RuntimeFacts(name="onnxruntime", version="1.20.0"), before=DeviceState(python="3.13.5"))
    found = caveats(seen, profile(runtimes={"onnx": pins}), "onnx", Effort())
    assert [one.code for one in found] == code


@pytest.mark.parametrize(
    ("agreement", "basis", "words"),
    [
        (0.13, "16 random samples, seeded", "only samples show it"),
        (0.13, "40 samples", "Choose a less lossy variant"),
        (0.95, "40 samples", ""),
    ],
)
def test_outputs_that_hardly_agree_are_a_doubt(agreement: float, basis: str, words: str) -> None:
    found = list(low_agreement(Likeness(agreement=agreement, top1=None, samples=16, basis=basis)))
    assert [one.code for one in found] == (["low-agreement"] if words else [])
    assert all(words in one.advice and basis in one.message for one in found)


def on_jetson(
    before: JetsonState | None, after: JetsonState | None = None, mode: str = "MAXN"
) -> list[tuple[str, str]]:
    """Message and advice of the caveats on the power mode, with a profile that is about `mode`."""
    seen = run(before=DeviceState(jetson=before), after=DeviceState(jetson=after))
    found = caveats(seen, profile(name="NVIDIA Jetson Nano", power_mode=mode, kind="jetson"), "onnx", Effort())
    return [(one.message, one.advice) for one in found if one.code == "power-mode"]


MODES = (("MAXN", 0), ("5W", 1))


def test_another_power_mode_is_a_caveat_with_the_boards_own_number() -> None:
    assert on_jetson(JetsonState(mode="5W", modes=MODES)) == [
        (
            "The board is in power mode 5W; the profile of NVIDIA Jetson Nano is about MAXN.",
            "Set it and run again: sudo nvpmodel -m 0",
        )
    ]
    assert on_jetson(JetsonState(mode="MAXN", modes=MODES), JetsonState(mode="MAXN", modes=MODES)) == []


def test_a_power_mode_that_the_board_lacks_is_said_with_those_that_it_has() -> None:
    (found,) = on_jetson(JetsonState(mode="5W", modes=MODES), mode="15W")
    assert found[1] == "It has no such mode, but MAXN, 5W: set `power_mode:` in the profile to the one that is meant."


def test_a_power_mode_that_is_not_known_or_changes_is_a_caveat() -> None:
    ((unknown, _),) = on_jetson(JetsonState())
    assert unknown == "The board does not say its power mode; the profile of NVIDIA Jetson Nano is about MAXN."
    ((changed, advice),) = on_jetson(JetsonState(mode="MAXN", modes=MODES), JetsonState(mode="5W", modes=MODES))
    assert changed == "The power mode changed from MAXN to 5W while the model ran."
    assert advice == "Set it and run again: sudo nvpmodel -m 0"


def test_without_a_jetson_or_a_mode_in_the_profile_there_is_no_such_caveat() -> None:
    assert on_jetson(None) == []
    assert on_jetson(JetsonState(mode="5W", modes=MODES), mode="") == []


@pytest.mark.parametrize(
    ("flags", "advice"),
    [
        (("under-voltage",), "Check its power supply and run again."),
        (("throttled",), "Check its cooling and run again."),
    ],
)
def test_throttling_names_its_cause(flags: tuple[str, ...], advice: str) -> None:
    (caveat,) = caveats(run(after=DeviceState(throttled=flags)), profile(), "onnx", Effort())
    assert (caveat.code, caveat.advice) == ("throttled", advice)


def test_a_slow_governor_and_swap() -> None:
    before = DeviceState(governors=("powersave",), swap_used=0)
    assert codes(run(before=before, after=DeviceState(swap_used=5 * MIB))) == ["governor", "swapped"]
    assert codes(run(before=replace(before, governors=("performance",)))) == []


def test_noise_and_a_slow_first_run() -> None:
    steady = [0.010, 0.012, 0.008, 0.014, 0.010] * 20
    assert codes(run(latency_worker(0.1, *steady))) == ["noisy", "slow-first-run"]
    assert codes(run(latency_worker(0.1, 0.01))) == []


def test_the_advice_asks_for_more_than_was_done() -> None:
    slow = run(latency_worker(0.1, *[0.010] * 50))
    assert [caveats(slow, profile(), "onnx", Effort(warmup_time=seconds))[0].advice for seconds in (0.5, 2.0)] == [
        "Set `measure: {warmup_time: 2 s}` in the budget.",
        "Set `measure: {warmup_time: 8 s}` in the budget.",
    ]


def test_outliers() -> None:
    latencies = [0.010 + at % 3 * 1e-5 for at in range(100)]
    some = [0.5 if at % 30 == 3 else value for at, value in enumerate(latencies)]
    many = [0.5 if at % 10 == 3 else value for at, value in enumerate(latencies)]
    assert codes(run(latency_worker(*some))) == []
    (caveat,) = caveats(run(latency_worker(*many)), profile(), "onnx", Effort())
    assert caveat.code == "outliers"
    assert caveat.message == "10% of the latencies are far from the rest, over 1.5 times the median."


def test_outliers_of_a_machine_at_rest_are_not_reported() -> None:
    latencies = [0.012 if at % 4 == 0 else 0.010 + at % 3 * 1e-5 for at in range(100)]
    assert statistics.outliers(latencies)
    assert codes(run(latency_worker(*latencies))) == []


@pytest.mark.parametrize(("direction", "word"), [(1, "rose"), (-1, "fell")])
def test_drift(direction: int, word: str) -> None:
    rising = [0.010 + direction * at * 1e-6 + at % 3 * 1e-6 for at in range(1000)]
    (caveat,) = caveats(run(latency_worker(*rising)), profile(), "onnx", Effort())
    assert caveat.code == "drift"
    assert caveat.message.startswith(f"Latencies {word} by ")


def test_a_peak_shorter_than_the_sampling() -> None:
    worker = memory_worker(40 * MIB, 100 * MIB, ((0.1, 60 * MIB),))
    seen = caveats(run(worker, worker), profile(), "onnx", Effort())
    assert [caveat.code for caveat in seen] == ["short-peak"]
    assert seen[0].message == "The kernel's high-water mark is 100.0 MiB; the samples reached 60.0 MiB."


def test_past_throttling_is_not_a_caveat_of_this_run() -> None:
    old = DeviceState(throttled=("under-voltage has occurred",))
    assert codes(run(before=old, after=old)) == []
    assert codes(run(before=DeviceState(), after=old)) == ["throttled"]


def test_notes_and_a_broken_run() -> None:
    nan = Note("nan-output", "output y holds NaN")
    seen = run(latency_worker(notes=(nan,)), latency_worker(notes=(nan,)), broken="the wire broke")
    assert codes(seen) == ["broken", "nan-output"]
    assert caveats(seen, profile(), "onnx", Effort())[1].message == "Output y holds NaN."


@pytest.mark.parametrize(
    ("phone", "expected"),
    [
        (PhoneState(awake=True, locked=False, battery_saver=False), []),
        (PhoneState(battery_saver=True), ["battery-saver"]),
        (PhoneState(awake=False, locked=True), ["screen-off"]),
        (PhoneState(awake=True, locked=True), ["locked"]),
        (PhoneState(emulator=True, awake=True), ["android-emulator"]),
    ],
)
def test_what_a_phone_says_about_its_power_its_screen_and_itself(phone: PhoneState, expected: list[str]) -> None:
    assert codes(run(after=DeviceState(phone=phone))) == expected
    before = run().before
    assert codes(run(before=replace(before, phone=phone))) == expected
