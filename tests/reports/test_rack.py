"""The boards of a report in every format that shows them, and the page of `edgecheck/reports/health.py`."""

from __future__ import annotations

from dataclasses import replace

import pytest

from edgecheck.core.health import BoardHealth
from edgecheck.core.report import LostBoard, Report
from edgecheck.reports import FORMATS, Style, json_report, render
from edgecheck.reports.health import health_text
from edgecheck.reports.reading import read_report
from tests.core.test_rack import BOARDS, on, report
from tests.reports.sample import EVERYTHING

OFF = LostBoard("ssh://pi@rack-4", "rack-4 does not answer.")


@pytest.fixture
def rack() -> Report:
    results = [on(board, at) for board, at in zip(BOARDS, (1.0, 1.01, 2.0), strict=True)]
    return report(*results[:2], replace(results[2], lost_boards=(OFF,)), boards=(*BOARDS, OFF.address))


def test_the_terminal_has_a_line_for_each_board_and_names_those_that_are_off(rack: Report) -> None:
    text = render("terminal", rack, Style(width=130))
    lines = [" ".join(line.split()) for line in text.splitlines()]
    assert "device board checks not passed time state" in lines
    assert f"pi {BOARDS[0]} 1 1 30 s" in lines
    assert f"pi {OFF.address} 0 left out" in lines
    assert f"{OFF.address} is left out. {OFF.reason}" in lines
    assert any(line.startswith("pi net.onnx as-is latency_p50 1.00 s 1.01 s 2.00 s 99%") for line in lines)
    assert any(line.startswith(f"{BOARDS[2]} is out of line: latency_p50 of net.onnx as-is on pi") for line in lines)


def test_quiet_leaves_the_tables_out_and_keeps_the_remarks(rack: Report) -> None:
    text = render("terminal", rack, Style(width=130, quiet=True))
    assert "not passed" not in text
    assert "is left out" in text


@pytest.mark.parametrize("name", ["markdown", "html"])
def test_pages_have_the_section(rack: Report, name: str) -> None:
    text = render(name, rack).replace("&#47;", "/").replace("\N{ZERO WIDTH SPACE}", "").replace("&#46;", ".")
    assert all(board in text for board in (*BOARDS, OFF.address))
    assert "is out of line" in text
    assert "had nothing to do" not in text


def test_without_several_boards_nothing_is_shown() -> None:
    for name in ("terminal", "markdown", "html"):
        assert "out of line" not in render(name, EVERYTHING)


def test_json_has_the_boards_and_reads_them_back(rack: Report) -> None:
    again = read_report(json_report.render(rack), "rack.json")
    assert again.boards == rack.boards
    assert [one.lost_boards for one in again.results] == [(), (), (OFF,)]
    for name in FORMATS:
        assert render(name, again)


def test_two_boards_are_told_that_nobody_can_be_named() -> None:
    two = report(on(BOARDS[0], 1.0), on(BOARDS[1], 2.0), boards=BOARDS[:2])
    text = " ".join(render("terminal", two, Style(width=130)).split())
    assert "with fewer than 3, nobody can say which of them is out of line." in text
    assert "not known from 2 boards" in text


def health(address: str, **changes: object) -> BoardHealth:
    one = BoardHealth(
        device="pi",
        address=address,
        figures={"latency_p50": 0.012, "ram_peak": 60 * 2**20},
        earlier={"latency_p50": (0.011, 9)},
        temperature=51.4,
        throttled=(),
        doubts=(),
        problem="",
    )
    return replace(one, **changes)  # type: ignore[arg-type]


def test_the_health_of_boards_as_text() -> None:
    boards = [
        health("ssh://a"),
        health("ssh://b", doubts=("latency_p50 is +60% from the median of 3 boards",), throttled=("throttled",)),
        health("ssh://\x1b[2J", figures={}, earlier={}, temperature=None, problem="It is off."),
    ]
    assert health_text(boards, ["Two differ."]) == (
        "   device  board       latency_p50  ram_peak  earlier      temperature\n"
        "✔  pi      ssh://a     12.0 ms      60.0 MiB  11.0 ms (9)  51 °C\n"
        "✘  pi      ssh://b     12.0 ms      60.0 MiB  11.0 ms (9)  51 °C        throttled\n"
        "   latency_p50 is +60% from the median of 3 boards\n"
        "?  pi      ssh://\N{REPLACEMENT CHARACTER}[2J  -            -         -            -\n"
        "   It is off.\n"
        "\n"
        "Two differ.\n"
        "Of 3 boards, 1 out of line, 1 could not be measured.\n"
    )
    assert health_text([health("ssh://a")], []).endswith("\n\n1 board in line.\n")
