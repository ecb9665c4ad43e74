"""Which devices a model fits, in windows of several widths. Covers `reports/brief.py`."""

from __future__ import annotations

from dataclasses import replace

from edgecheck.core.budget import Variant
from edgecheck.core.caveats import Caveat
from edgecheck.core.report import CheckResult
from edgecheck.reports import Style, render
from tests.reports.sample import CRASH, SEEN, report, result

FAILS = replace(result(SEEN), verdicts=result(SEEN).verdicts[:1])
PASSES = replace(FAILS, verdicts=result(SEEN).verdicts[2:])


def on(device: str, one: CheckResult, variant: str = "as-is") -> CheckResult:
    return replace(one, profile=replace(one.profile, id=device), variant=Variant(variant))


def test_a_line_for_each_device_the_best_first() -> None:
    text = render("terminal", report(on("pi", FAILS), on("pixel", PASSES)), Style(width=100, ranked=True))
    assert text == GOLDEN


def test_variants_are_told_apart() -> None:
    checked = report(on("pi", FAILS), on("pi", PASSES, "int8"), on("pixel", PASSES), on("pixel", PASSES, "int8"))
    lines = render("terminal", checked, Style(width=100, ranked=True)).splitlines()
    assert lines[0].split()[:5] == ["✔", "pass", "pi", "24%", "room"]
    assert [line.split()[5] for line in lines[:4]] == ["int8", "as-is", "int8", "as-is"]
    assert "net.onnx as as-is fits 1 of 2 devices." in lines
    assert "net.onnx as int8 fits 2 of 2 devices." in lines


def test_where_only_files_were_judged_the_answer_says_so() -> None:
    caveat = Caveat("files-only", "Only files were judged: limits on ram_peak need a run.", "Add --target qemu.")
    checked = report(*(on(device, replace(PASSES, caveats=(caveat,))) for device in ("pi", "pixel")))
    lines = render("terminal", checked, Style(width=100, ranked=True)).splitlines()
    assert "By its files, net.onnx fits 2 of 2 devices." in lines


def test_in_a_narrow_window_each_device_is_words() -> None:
    crashed = on("a-device-with-a-long-name", result(CRASH))
    lines = render("terminal", report(on("pixel", PASSES), crashed), Style(width=40, ranked=True)).splitlines()
    assert lines[:2] == ["✔ pass  net.onnx · as-is · pixel:", "ram_peak 24% room, measured"]
    assert max(map(len, lines)) <= 40


def test_quiet_leaves_out_what_fits() -> None:
    text = render("terminal", report(on("pi", FAILS), on("pixel", PASSES)), Style(width=100, ranked=True, quiet=True))
    assert text.startswith("✘ fail  pi  50% over")
    assert "pixel" not in text


GOLDEN = """\
✔ pass  pixel  24% room  ram_peak 61.0 MiB ≤ 80.0 MiB, measured
✘ fail  pi     50% over  size 1.50 MB ≤ 1.00 MB, static

net.onnx fits 1 of 2 devices.
Of 3 limits in 2 checks, 1 does not hold.
Next: make the model smaller or faster, or raise the limit at b.yaml:3.
"""
