from __future__ import annotations

from dataclasses import replace
from pathlib import PurePath

import pytest
from rich.cells import cell_len

from edgecheck.core.budget import Model
from edgecheck.reports import Style, render
from tests.reports.sample import CRASH, EVERYTHING, PC, SEEN, report, result


def test_a_mixed_check() -> None:
    assert render("terminal", report(result(SEEN)), Style(width=110)) == GOLDEN_MIXED


def test_a_crash_says_where() -> None:
    text = render("terminal", report(result(CRASH)), Style(width=110))
    assert "✘ fail" in text
    assert "ram_peak: the process died of SIGSEGV in the first inference" in text


def test_a_stranger_is_told_and_the_next_step_is_the_device() -> None:
    whole = result(PC)
    text = render("terminal", report(replace(whole, verdicts=whole.verdicts[1:])), Style(width=110))
    assert "measured on Linux x86_64, not on a Raspberry Pi 4 Model B (2 GB)" in text
    assert "Next: measure on the device itself: --target raspberry-pi-4-2gb=ssh://user@host, or on" in text


def test_every_limit_holds() -> None:
    whole = result(SEEN)
    text = render("terminal", report(replace(whole, verdicts=whole.verdicts[2:3])), Style(width=110))
    assert text.endswith("Every limit holds: 1 limit in 1 check.\n")


@pytest.mark.parametrize("width", [40, 60, 80, 100, 200])
def test_no_line_is_wider_than_the_terminal(width: int) -> None:
    for line in render("terminal", EVERYTHING, Style(width=width)).splitlines():
        assert cell_len(line) <= width, line


def test_colour_only_where_asked() -> None:
    assert "\x1b[" not in render("terminal", EVERYTHING, Style(width=100, color=False))
    assert "\x1b[" in render("terminal", EVERYTHING, Style(width=100, color=True))


def test_a_hostile_name_cannot_steer_the_terminal() -> None:
    whole = result(SEEN)
    hostile = replace(whole.budget, model=Model(PurePath("net\x1b[2J\x07[red]\n.onnx")))
    text = render("terminal", report(replace(whole, budget=hostile, problem="\x9b31m")), Style(width=100))
    assert not set(text) & {"\x1b", "\x07", "\x9b"}
    assert "[red]" in text


GOLDEN_MIXED = """\
net.onnx · as-is · Raspberry Pi 4 Model B (2 GB) on local
  onnx, as it is; ran on onnxruntime 1.32.0, 1 thread
  ✘ fail  size        1.50 MB  ≤ 1.00 MB    50% over  static     b.yaml:3
  ! warn  download    1.20 MB  ≤ 1.10 MB   9.1% over  static     pi.yaml:9
  ✔ pass  ram_peak   61.0 MiB  ≤ 80.0 MiB   24% room  measured   b.yaml:3
  ✔ pass  load_time   10.0 ms  ≤ 1.00 s     99% room  measured   command line
  also seen  measured: ram_model 21.0 MiB, latency_first 20.0 ms, latency_p50 10.0 ms, latency_p90 10.0 ms

Of 4 limits in 1 check, 1 does not hold, 1 crossed a warning.
Next: make the model smaller or faster, or raise the limit at b.yaml:3.
"""
