"""The documentation as a site: it builds without a broken link, has every page, and loads nothing from elsewhere.

Covers `mkdocs.yml` and `tools/site_links.py`.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

TOOL = Path(sys.executable).parent / "mkdocs"


def build(root: Path, site: Path) -> subprocess.CompletedProcess[str]:
    command: list[str | Path] = [TOOL, "build", "--strict", "--config-file", root / "mkdocs.yml", "--site-dir", site]
    return subprocess.run(command, check=False, capture_output=True, text=True, cwd=root)


@pytest.fixture(scope="module")
def site(root: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    pytest.importorskip("mkdocs", reason="needs the extra `docs`")
    folder = tmp_path_factory.mktemp("site")
    done = build(root, folder)
    assert done.returncode == 0, done.stdout + done.stderr
    return folder


def test_every_page_is_there(root: Path, site: Path) -> None:
    pages = {path.relative_to(root / "docs").with_suffix(".html") for path in (root / "docs").rglob("*.md")}
    pages = {path.with_name("index.html") if path.name == "README.html" else path for path in pages}
    assert {path for path in pages if not (site / path).is_file()} == set()


def test_nothing_is_loaded_from_elsewhere(site: Path) -> None:
    loads = re.compile(
        r'<(?:script|img|iframe)[^>]*\ssrc="([^"]+)"|<link[^>]*rel="(?:stylesheet|icon)"[^>]*href="([^"]+)"'
    )
    found = {each for page in site.rglob("*.html") for pair in loads.findall(page.read_text("utf-8")) for each in pair}
    assert len(found) > 5
    assert [each for each in found if each.startswith(("http:", "https:", "//"))] == []


def test_the_search_has_every_page(site: Path) -> None:
    index = json.loads((site / "search" / "search_index.json").read_text(encoding="utf-8"))
    assert {"how-to/history.html", "reference/budget.html"} <= {entry["location"] for entry in index["docs"]}


def test_links_out_of_the_pages_lead_to_the_repository(site: Path) -> None:
    page = (site / "index.html").read_text(encoding="utf-8")
    assert 'href="https://github.com/edgecheck-ml/edgecheck/blob/main/CONTRIBUTING.md"' in page
    assert 'href="how-to/history.html"' in page


def test_a_broken_link_is_an_error(root: Path, tmp_path: Path) -> None:
    pytest.importorskip("mkdocs", reason="needs the extra `docs`")
    text = (root / "mkdocs.yml").read_text(encoding="utf-8").partition("nav:")[0]
    (tmp_path / "mkdocs.yml").write_text(
        text.replace("tools/site_links.py", str(root / "tools/site_links.py")), "utf-8"
    )
    (tmp_path / "docs").mkdir()
    (tmp_path / "docs" / "README.md").write_text("# A\n\n[b](b.md)\n", encoding="utf-8")
    done = build(tmp_path, tmp_path / "site")
    assert done.returncode != 0
    assert "b.md" in done.stdout + done.stderr
