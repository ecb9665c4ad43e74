"""A check in a line, and several checks: what passes first and short, what does not last and once.

Covers the layout of several checks in `terminal.py`.
"""

from __future__ import annotations

from dataclasses import replace

import pytest
from rich.cells import cell_len

from edgecheck.core.budget import Variant
from edgecheck.core.caveats import Caveat
from edgecheck.core.report import WOULD_HOLD, CheckResult, Part, WayOut
from edgecheck.reports import Style, render
from edgecheck.reports.brief import brief
from tests.reports.sample import CRASH, SEEN, report, result

FAILS = result(SEEN)
PASSES = replace(FAILS, verdicts=FAILS.verdicts[2:])


def on(device: str, one: CheckResult, **changes: object) -> CheckResult:
    return replace(one, profile=replace(one.profile, id=device, name=f"The {device}"), **changes)  # type: ignore[arg-type]


def test_the_longest_form_that_fits() -> None:
    assert brief(PASSES, 120).plain == (
        "✔ pass  net.onnx · as-is · Raspberry Pi 4 Model B (2 GB) on local: "
        "ram_peak 61.0 MiB ≤ 80.0 MiB, 24% room, measured"
    )
    assert brief(PASSES, 100).plain == (
        "✔ pass  net.onnx · as-is · Raspberry Pi 4 Model B (2 GB) on local: ram_peak 24% room, measured"
    )
    assert brief(PASSES, 80).plain == "✔ pass  net.onnx · as-is · raspberry-pi-4-2gb: ram_peak 24% room, measured"


def test_doubts_of_what_passes_are_named() -> None:
    doubtful = replace(
        PASSES, caveats=(Caveat("noisy", "it varies"), Caveat("noisy", "still"), Caveat("gone", "a check"))
    )
    assert brief(doubtful, 120).plain.endswith("24% room, measured  noisy")
    many = replace(PASSES, caveats=tuple(Caveat(code, "x") for code in ("contended", "slow-first-run", "outliers")))
    assert brief(many, 120).plain.endswith("measured  contended, slow-first-run, outliers")
    assert (
        brief(many, 100).plain
        == "✔ pass  net.onnx · as-is · raspberry-pi-4-2gb: ram_peak 24% room, measured  3 caveats"
    )


def test_a_check_without_a_figure_says_why() -> None:
    assert "died of SIGSEGV" in brief(result(CRASH), 160).plain
    nothing = replace(PASSES, verdicts=(), problem="")
    assert brief(nothing, 120).plain.endswith("no limit is set for it, so nothing was judged")


SAVINGS = (Part("int8", 900_000, f"size 600 kB, {WOULD_HOLD}. A byte each."),)
EXPLAINED = WayOut(metrics=("size",), parts=(Part("dense_3", 1_180_000, "76 % of the file"),), savings=SAVINGS)


def test_several_checks_say_each_thing_once() -> None:
    small = replace(EXPLAINED, savings=(Part("int8", 900_000, "size 600 kB, still over. A byte each."),))
    artifact = FAILS.artifact
    assert artifact is not None
    noted = replace(FAILS, artifact=replace(artifact, notes=("A note.",)), caveats=())
    results = [
        on("a", noted, ways_out=(EXPLAINED,)),
        on("b", PASSES),
        on("c", noted, ways_out=(EXPLAINED,)),
        on("d", noted, ways_out=(small,)),
    ]
    lines = render("terminal", report(*results), Style(width=100)).splitlines()
    assert lines[0].startswith("✔ pass  net.onnx · as-is · The b on local: ram_peak")
    assert lines[1] == ""
    assert lines[2] == "net.onnx · as-is · The a on local"
    text = "\n".join(lines)
    assert text.count("dense_3") == text.count("A byte each") == text.count("A note.") == 1
    assert text.count("the bytes of size are explained above; enough here: int8") == 1
    assert text.count("the bytes of size are explained above; none of it is enough here") == 1
    assert lines[-5].split() == ["variant", "a", "b", "c", "d"]
    assert lines[-2].startswith("Of 14 limits in 4 checks, 3 do not hold")


def test_what_fails_is_next_to_the_answer() -> None:
    undecided = replace(FAILS, verdicts=tuple(one for one in result(None).verdicts if one.metric.name == "ram_peak"))
    warned = replace(FAILS, verdicts=FAILS.verdicts[1:])
    results = [on("fails", FAILS), on("passes", PASSES), on("unknown", undecided), on("warns", warned)]
    text = render("terminal", report(*results), Style(width=100))
    places = [text.index(f"The {name}") for name in ("passes", "warns", "unknown", "fails")]
    assert places == sorted(places)


def test_verbose_prints_everything_and_quiet_only_what_does_not_pass() -> None:
    checked = report(on("a", FAILS), on("b", PASSES))
    verbose = render("terminal", checked, Style(width=100, verbose=True))
    assert "✔ pass  ram_peak   61.0 MiB  ≤ 80.0 MiB  24% room  measured   b.yaml:3" in verbose
    assert "not limited" in verbose
    quiet = render("terminal", checked, Style(width=100, quiet=True))
    assert "The b" not in quiet
    assert "variant" not in quiet
    assert quiet.splitlines()[0] == "net.onnx · as-is · The a on local"


def test_what_the_baseline_has_and_nothing_else_is_next_to_the_answer() -> None:
    gone = Caveat("gone", "The baseline has a check that this report lacks: net.onnx (int8 on pi).", "Restore it.")
    text = render("terminal", report(on("a", PASSES), on("b", PASSES, caveats=(gone,))), Style(width=200))
    assert text.splitlines()[-2] == f"{gone.message} {gone.advice}"


@pytest.mark.parametrize("width", [40, 50, 60, 80, 100, 200])
def test_no_figure_is_cut_off_in_a_narrow_window(width: int) -> None:
    results = [on("a", FAILS), on("b", PASSES, variant=Variant("int8-dynamic")), on("c", result(CRASH))]
    text = render("terminal", report(*results), Style(width=width))
    assert "…" not in text
    assert max(map(cell_len, text.splitlines())) <= width
    words = " ".join(text.split())
    for figure in ("1.50 MB", "1.00 MB", "50% over", "61.0 MiB"):
        assert figure in words
