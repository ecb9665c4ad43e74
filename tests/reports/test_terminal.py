"""The report of a check on a terminal, and the layout of its lines; covers `conditions.py`."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import PurePath

import pytest
from rich.cells import cell_len

from edgecheck.core import device_match
from edgecheck.core.budget import Model
from edgecheck.core.device import Identity
from edgecheck.core.finding import Measurement
from edgecheck.core.fitting import Fit, Trial
from edgecheck.core.metrics import Provenance
from edgecheck.core.report import Part, WayOut
from edgecheck.core.run import Activity, DeviceState, Ending, Outcome, Purpose, WorkerRun
from edgecheck.core.verdict import Status, judge
from edgecheck.reports import Style, render
from edgecheck.reports.fit import words as fit_words
from tests.builders import run
from tests.reports.hostile import STEERING, TRICKS, hostile_report
from tests.reports.sample import CRASH, EVERYTHING, PC, SEEN, report, result

PROFILE_STEP = "name its profile with --device, or save one: edgecheck devices probe --save my-board ssh://pi@rack-1"


def test_a_mixed_check() -> None:
    assert render("terminal", report(result(SEEN)), Style(width=110)) == GOLDEN_MIXED


def test_a_crash_says_where() -> None:
    text = render("terminal", report(result(CRASH)), Style(width=110))
    assert "✘ fail" in text
    assert "ram_peak, load_time: the process died of SIGSEGV in the first inference" in text
    assert text.count("died of SIGSEGV") == 1  # one reason of several limits is there once


def test_a_figure_from_another_device_is_named_and_the_next_step_is_the_device() -> None:
    checked = result(PC)
    able = replace(checked, profile=replace(checked.profile, emulation_cpu="cortex-a72"), verdicts=checked.verdicts[1:])
    text = render("terminal", report(able), Style(width=110))
    assert "measured on Linux x86_64, not on a Raspberry Pi 4 Model B (2 GB)" in text
    assert "Next: measure on the device itself: --target raspberry-pi-4-2gb=ssh://user@host, or on" in text


@pytest.mark.parametrize(
    ("model", "identity", "step"),
    [
        (
            "Raspberry Pi 5 Model B",
            Identity(model="Raspberry Pi 4 Model B"),
            f"Next: ssh://pi@rack-1 calls itself Raspberry Pi 5 Model B: {PROFILE_STEP}",
        ),
        (
            "UP Squared",
            Identity(),
            'Next: write `identity: {model: "UP Squared"}` into device_profiles/up.yaml, if that is the device.',
        ),
        (
            "",
            Identity(cpu_part="0xd08"),
            f"Next: ssh://pi@rack-1 is not a Raspberry Pi 4 Model B (2 GB): {PROFILE_STEP}",
        ),
    ],
)
def test_the_next_step_is_not_the_one_that_was_just_done(model: str, identity: Identity, step: str) -> None:
    on_board = replace(PC, target="ssh://pi@rack-1", before=DeviceState(system="Linux", machine="x", model=model))
    some = result(on_board)
    other = replace(some.profile, identity=identity, path="device_profiles/up.yaml", emulation_cpu="")
    mismatch = device_match.match(other, on_board)
    verdicts = tuple(judge(each.limit, each.finding, mismatch) for each in some.verdicts[1:])
    checked = replace(some, profile=other, target="ssh://pi@rack-1", verdicts=verdicts)
    assert render("terminal", report(checked), Style(width=300)).splitlines()[-1] == step


def test_a_lost_connection_is_followed_by_the_command() -> None:
    lost = result(replace(SEEN, broken="the connection to pi@rack-1 was lost: ssh was killed (SIGKILL)"))
    verdicts = tuple(replace(each, status=Status.UNKNOWN) for each in lost.verdicts)
    text = render("terminal", report(replace(lost, target="ssh://pi@rack-1", verdicts=verdicts)), Style(width=300))
    path = lost.budget.path or lost.budget.model.path
    assert f"Next: run it again: edgecheck check {path} --device raspberry-pi-4-2gb --target ssh://pi@rack-1" in text


def test_every_limit_holds() -> None:
    checked = result(SEEN)
    text = render("terminal", report(replace(checked, verdicts=checked.verdicts[2:3])), Style(width=110))
    assert text.endswith("Every limit holds: 1 limit in 1 check.\n")


@pytest.mark.parametrize("width", [40, 60, 80, 100, 200])
def test_no_line_is_wider_than_the_terminal(width: int) -> None:
    for line in render("terminal", EVERYTHING, Style(width=width)).splitlines():
        assert cell_len(line) <= width, line


def test_colour_only_where_asked() -> None:
    assert "\x1b[" not in render("terminal", EVERYTHING, Style(width=100, color=False))
    assert "\x1b[" in render("terminal", EVERYTHING, Style(width=100, color=True))


def test_a_hostile_name_cannot_steer_the_terminal() -> None:
    checked = result(SEEN)
    hostile = replace(checked.budget, model=Model(PurePath("net\x1b[2J\x07[red]\n.onnx")))
    text = render("terminal", report(replace(checked, budget=hostile, problem="\x9b31m")), Style(width=100))
    assert not set(text) & {"\x1b", "\x07", "\x9b"}
    assert "[red]" in text


@pytest.mark.parametrize("trick", TRICKS)
@pytest.mark.parametrize("width", [60, 200])
def test_hostile_names_are_text_and_nothing_else(width: int, trick: str) -> None:
    text = render("terminal", hostile_report(trick), Style(width=width))
    assert not set(text) & STEERING
    assert not any(line.startswith("::") for line in text.splitlines())
    # The colours of a terminal are ours alone, and change no word.
    coloured = render("terminal", hostile_report(trick), Style(width=width, color=True))
    assert without_colour(coloured) == text


@pytest.mark.parametrize("name", ["[bold]x[/bold]", ":smile:", "\x1b[2J", "a\nb"])
def test_a_metric_of_another_version_is_text_too(name: str) -> None:
    checked = result(SEEN)
    failing = checked.verdicts[0]
    metric = replace(failing.limit.metric, name=name)
    strange = replace(failing, limit=replace(failing.limit, metric=metric), reason="why")
    found = Measurement(metric=metric, value=1.0, provenance=Provenance.PROJECTED, low=0.5, high=2.0, basis=name)
    text = render("terminal", report(replace(checked, verdicts=(strange,), findings={name: found})), Style(width=100))
    assert "\x1b" not in text
    shown = name.replace("\x1b", "\N{REPLACEMENT CHARACTER}").replace("\n", "\N{REPLACEMENT CHARACTER}")
    assert text.count(shown) == 4  # in its line, before its reason, and of its interval twice


@pytest.mark.parametrize("width", range(40, 200, 7))
def test_what_is_wrapped_and_what_fits_look_alike_in_colour_and_without(width: int) -> None:
    ways = WayOut(
        metrics=("size",),
        parts=(Part("a/long/path/of/a/layer/" * 3, 123_456, "words " * 12),),
        savings=(Part("int8", 5, ""),),
    )
    checked = replace(result(SEEN), ways_out=(ways,), problem="p " * 70, hint="日本語" * 30)
    plain, coloured = (render("terminal", report(checked), Style(width=width, color=color)) for color in (False, True))
    assert without_colour(coloured) == plain


def without_colour(text: str) -> str:
    lines = re.sub(r"\x1b\[[\d;]*m", "", text).splitlines()
    return "".join(f"{line.rstrip()}\n" for line in lines)


GOLDEN_MIXED = """\
net.onnx · as-is · Raspberry Pi 4 Model B (2 GB) on local
  onnx, as it is; ran on onnxruntime 1.32.0, 1 thread
  ✘ fail  size        1.50 MB  ≤ 1.00 MB    50% over  static     b.yaml:3
  ! warn  download    1.20 MB  ≤ 1.10 MB   9.1% over  static     pi.yaml:9
  ✔ pass  ram_peak   61.0 MiB  ≤ 80.0 MiB   24% room  measured   b.yaml:3
  ✔ pass  load_time   10.0 ms  ≤ 1.00 s     99% room  measured   command line
  not limited  measured: ram_model 21.0 MiB, latency_first 20.0 ms, latency_p50 10.0 ms, latency_p90 10.0 ms

Of 4 limits in 1 check, 1 does not hold, 1 crossed a warning.
Next: make the model smaller or faster, or raise the limit at b.yaml:3.
"""


@pytest.mark.parametrize(
    ("reason", "step"),
    [
        ("model-too-new", "Next: export the model in an older version of its format, or install a newer runtime."),
        ("other", "Next: give a model that this runtime takes; the reason above says what it does not."),
    ],
)
def test_the_next_step_after_a_refusal_fits_it(reason: str, step: str) -> None:
    ending = Ending(outcome=Outcome.REFUSED, during=Activity.LOAD, reason=reason, message="it is too new")
    refused = result(run(WorkerRun(purpose=Purpose.MEMORY, ending=ending)))
    refused = replace(refused, verdicts=tuple(each for each in refused.verdicts if each.reason.startswith("refused")))
    assert step in render("terminal", report(refused), Style(width=200))
    assert step == fit_words.next_step(Fit((Trial(refused, finished=True),), ()))
