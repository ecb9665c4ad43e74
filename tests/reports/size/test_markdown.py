"""The anatomy in Markdown, as a strict renderer shows it."""

from __future__ import annotations

import re

import pytest
from markdown_it import MarkdownIt

from edgecheck.reports.size.markdown import code
from tests.cli.command import edgecheck
from tests.reports.size.models import HOSTILE, hostile


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> str:
    """What a reader of the pull request sees, as a strict renderer makes it: with HTML, tables and autolinks."""
    folder = tmp_path_factory.mktemp("markdown")
    done = edgecheck("size", hostile(folder / "net.onnx"), "--top", "0", "--format", "markdown", cwd=folder)
    assert done.code == 0, done.err
    return str(MarkdownIt("commonmark", {"html": True}).enable("table").render(done.out))


def test_no_name_becomes_markup(page: str) -> None:
    tags = {"h3", "p", "table", "thead", "tbody", "tr", "th", "td", "code", "ul", "li", "strong"}
    assert set(re.findall(r"</?(\w+)", page)) <= tags


def test_every_name_stays_in_its_cell(page: str) -> None:
    rows = re.findall(r"<tr>(.*?)</tr>", page, re.DOTALL)
    assert len(rows) > len(HOSTILE)
    assert {row.count("</t") for row in rows} == {5}


@pytest.mark.parametrize("name", ["", "a", "`", "``a`", "a`b", "|", "a\\|b"])
def test_a_code_span_shows_its_name(name: str) -> None:
    page = MarkdownIt("commonmark").enable("table").render(f"| a |\n| --- |\n| {code(name)} |\n")
    shown = re.search(r"<td><code>(.*)</code></td>", page)
    assert shown is not None
    assert shown[1].strip() == name.strip()
