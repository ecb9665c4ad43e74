"""Profiles as text for people: the terminal's bars and Markdown; `words.py` is what both say."""

from __future__ import annotations

from edgecheck.core.operator_groups import By
from edgecheck.core.operators import OF_THE_PROFILER
from edgecheck.reports import Style
from edgecheck.reports.profile import markdown, terminal
from tests.core.operator_profiles import operator, profile
from tests.reports.hostile import STEERING, TRICKS
from tests.reports.profile.profiles import NEW, grown, report


def test_bars_for_a_terminal() -> None:
    text = terminal.render(report(), Style(width=130))
    assert text.startswith(
        "net.onnx · as-is · Raspberry Pi 4 on ssh://pi@rack-1\n"
        "measured with onnxruntime's own profile, onnxruntime 1.32.0, 1 thread, 20 inferences\n"
        "One inference takes 10.0 ms with the profiler on, 9.00 ms without it (+11.1 %).\n"
    )
    first = next(line for line in text.splitlines() if "stem" in line and "█" in line)
    assert first.split()[:4] == ["4.00", "ms", "40.0", "%"]
    assert "█" * 20 in first
    assert "layer backbone/stem; does the work of stem, relu" in " ".join(text.split())
    assert "slow for its work; layer head; executed 2 times" in " ".join(text.split())
    assert "(between the operators)" in text
    assert "100.0 %" in text
    assert "The device throttled." in text
    assert "1 of 5 operators takes less than a microsecond" in text


def test_the_rows_that_are_left_out_are_summed() -> None:
    text = terminal.render(report(top=2), Style(width=130))
    assert "(3 others)" in text
    assert "3 operators" in text


def test_slow_for_its_work_is_explained_where_a_row_says_so() -> None:
    assert "Slow for its work: a multiply-accumulate takes" in terminal.render(report(), Style(width=130))
    assert "low for its work" not in terminal.render(report(top=1), Style(width=130))


def test_by_layer() -> None:
    text = terminal.render(report(by=By.LAYER), Style(width=130))
    assert "head" in text
    assert "(no layer)" in text
    assert "type" not in text.splitlines()[4]


def test_what_grew_sums_to_the_difference() -> None:
    text = terminal.render(grown(), Style(width=130))
    assert "net.onnx against old.onnx: 10.0 ms → 10.0 ms (+0.0 %), with the profiler on." in text
    assert "(1 other)" in text
    # Both tables say which inference they sum to.
    assert " ".join(text.split()).count("one inference with the profiler") == 2
    assert len([line for line in text.splitlines() if line.rstrip().endswith(" one inference")]) == 1
    rows = [line.split() for line in text.splitlines()]
    assert any(row[:1] == ["+2.00"] and "grew" in row and "stem" in row for row in rows)
    assert any("appeared" in row and "inner" in row for row in rows)
    assert any("vanished" in row and "gone" in row for row in rows)
    assert "1 operator takes as much as before, within the uncertainty of the measurement." in text


def test_instructions_are_counted() -> None:
    text = terminal.render(report(profile(operator("a", 0.5), whole=1.0, counted=True)), Style(width=130))
    assert "instructions" in text
    assert "500k" in text
    assert "counted to the nearest thousand" in text


def test_what_the_profiler_adds_is_in_every_figure_and_may_be_less_than_nothing() -> None:
    dear = profile(operator("a", 0.0005), operator("b", 4.0), whole=10.0, plain=8.0e-3)
    text = " ".join(terminal.render(report(dear), Style(width=130)).split())
    assert "which underestimates such times" in text
    assert "about 1.00 ms for each operator: part of that is in the figures of the operators, the rest betw" in text
    assert "take less than they show" not in text
    assert OF_THE_PROFILER not in text
    loop = profile(operator("a", 9.0), whole=10.0, plain=4.0e-3)
    text = " ".join(terminal.render(report(loop), Style(width=130)).split())
    assert OF_THE_PROFILER in text
    noisy = profile(operator("a", 4.0), whole=10.0, plain=11.0e-3)
    text = " ".join(terminal.render(report(noisy), Style(width=130)).split())
    assert "The inference was quicker with the profiler than without it: the figures vary by more" in text
    assert "The profiler adds" not in text


def test_an_empty_graph_says_so() -> None:
    text = terminal.render(report(profile(whole=0.01)), Style(width=130))
    assert "The model has no operators that run in an inference." in text


def test_a_narrow_terminal_has_no_line_that_is_too_long() -> None:
    for width in (60, 80, 100):
        assert max(map(len, terminal.render(grown(), Style(width=width)).splitlines())) <= width


def test_markdown_has_every_row_and_no_markup_of_names() -> None:
    text = markdown.render(grown())
    assert "| 4.00 ms | 40.0 % | stem | Conv | 4.00M | 1 | 1.00 kB |" in text
    assert "**net.onnx against old.onnx: 10.0 ms → 10.0 ms (+0.0 %), with the profiler on.**" in text
    hostile = profile(*(operator(name, 1.0, type=name, layer=name, parts=(name, name)) for name in TRICKS))
    text = markdown.render(report(hostile, model=TRICKS[0]))
    assert "<script" not in text
    assert not STEERING & set(text + terminal.render(report(hostile), Style(width=130)))
    rows = [line for line in text.splitlines() if line.startswith("| 1.00 ms")]
    assert len(rows) == len(TRICKS)
    assert {line.replace("\\|", "").count("|") for line in rows} == {9}


def test_every_format_renders_the_same_operators() -> None:
    for one in NEW.operators:
        assert one.name in markdown.render(report())
