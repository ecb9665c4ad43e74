"""The HTML page as text: its policy, its data, and that it names no other place."""

from __future__ import annotations

import base64
import hashlib
import html
import json
import re
from pathlib import Path

import pytest

from examples.real_models import fetch
from tests.cli.command import edgecheck
from tests.reports.size.models import hostile


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> str:
    folder = tmp_path_factory.mktemp("html")
    done = edgecheck("size", hostile(folder / "net.onnx"), "--format", "html=size.html", cwd=folder)
    assert (done.code, done.out, done.err) == (0, "", "")
    return (folder / "size.html").read_text(encoding="utf-8")


def test_the_page_names_no_other_place(page: str) -> None:
    without_names = page.replace("http://example.invalid", "").replace("http://www.w3.org/2000/svg", "")
    assert "://" not in without_names
    assert re.findall(r'(?:src|href)="([^"]*)"', without_names) == ["data:,", "#table"]


def test_the_policy_allows_no_script_but_ours(page: str) -> None:
    found = re.search(r'Content-Security-Policy" content="([^"]*)"', page)
    assert found is not None
    policy = html.unescape(found[1])
    assert policy.startswith("default-src 'none'; script-src 'sha256-")
    ours = page.rpartition("<script>")[2].partition("</script>")[0]
    trusted = base64.b64encode(hashlib.sha256(ours.encode()).digest()).decode()
    assert f"script-src 'sha256-{trusted}'; " in policy
    assert "unsafe-eval" not in policy


def test_the_page_has_kilobytes(page: str) -> None:
    assert len(page) < 50_000


def test_the_treemap_is_there_without_a_script(page: str) -> None:
    drawing = page.partition('<svg class="tiles" viewBox="0 0 840 440" role="img"')[2].partition("</div>")[0]
    assert drawing.startswith(' aria-label="net.onnx, ')
    assert "backbone 10.2 kB</text>" in drawing
    assert len(re.findall("<title>[^<]+</title><rect ", drawing)) > 10


def test_json_in_the_page_is_json(page: str) -> None:
    data = json.loads(page.partition('id="data">')[2].partition("</script>")[0])
    lengths = {len(column) for column in data["tiles"].values()}
    assert len(lengths) == 1
    assert (
        sum(data["tiles"]["stored"][at] for at, parent in enumerate(data["tiles"]["parent"]) if parent == 0)
        == (data["tiles"]["stored"][0])
    )


def test_growth_is_in_the_page(tmp_path: Path) -> None:
    new, old = fetch("mtcnn_onet.onnx"), fetch("mtcnn_rnet.onnx")
    done = edgecheck("size", new, "--against", old, "--quick", "--format", "html", cwd=tmp_path)
    assert "mtcnn_onet.onnx against mtcnn_rnet.onnx: 403,309 → 1,559,570 bytes" in done.out
    assert '<td class="number less">-295,424</td>' in done.out
