from __future__ import annotations

import base64
import gzip
import hashlib
import html
import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

from edgecheck.anatomy.reading import read
from edgecheck.anatomy.tiles import FINEST, treemap
from examples.real_models import fetch
from tests.anatomy.real_anatomies import NAMES, anatomy
from tests.cli.command import edgecheck
from tests.size.models import hostile, noise, plain, save


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> str:
    pytest.importorskip("plotly", reason="plotly is not installed: pip install 'edgecheck[html]'")
    folder = tmp_path_factory.mktemp("html")
    done = edgecheck("size", hostile(folder / "net.onnx"), "--format", "html=size.html", cwd=folder)
    assert (done.code, done.out, done.err) == (0, "", "")
    return (folder / "size.html").read_text(encoding="utf-8")


def test_the_page_names_no_other_place(page: str) -> None:
    without_names = re.sub(r'<script type="text/plain".*?</script>|http://example\.invalid', "", page, flags=re.DOTALL)
    assert "://" not in without_names
    assert re.findall(r'(?:src|href)="([^"]*)"', without_names) == ["data:,", "#table"]


def test_the_policy_lets_nothing_run_but_what_edgecheck_wrote(page: str) -> None:
    found = re.search(r'Content-Security-Policy" content="([^"]*)"', page)
    assert found is not None
    policy = html.unescape(found[1])
    assert policy.startswith("default-src 'none'; script-src 'sha256-")
    ours = page.rpartition("<script>")[2].partition("</script>")[0]
    packed = page.partition('id="plotly">')[2].partition("<")[0]
    for script in (ours.encode(), gzip.decompress(base64.b64decode(packed))):
        assert base64.b64encode(hashlib.sha256(script).digest()).decode() in policy
    assert "unsafe-eval" not in policy


def test_the_file_is_much_smaller_than_plotly(page: str) -> None:
    assert len(page) < 2_500_000


def test_without_plotly_it_says_what_to_install(tmp_path: Path) -> None:
    path = plain(tmp_path / "net.onnx")
    script = (
        "import sys; sys.modules['plotly'] = None; from edgecheck.cli.main import main; "
        f"sys.exit(main(['size', {str(path)!r}, '--format', 'html=a.html']))"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, cwd=tmp_path, check=False)
    assert done.returncode == 2
    assert done.stderr == (
        "edgecheck: The HTML report draws its treemap with plotly, which is not installed.\n"
        "  pip install 'edgecheck[html]'\n"
    )
    assert not (tmp_path / "a.html").exists()


@pytest.mark.parametrize("name", NAMES)
def test_tiles_sum_to_the_model(name: str) -> None:
    found, whole = treemap(anatomy(name)), anatomy(name)
    sums = [[0, 0, 0] for _ in found.tiles]
    parents = set()
    for index, tile in enumerate(found.tiles):
        assert tile.parent < index
        if tile.parent >= 0:
            parents.add(tile.parent)
            for at, value in enumerate((tile.stored, tile.memory, tile.params)):
                sums[tile.parent][at] += value
    for index in parents:
        tile = found.tiles[index]
        assert sums[index] == [tile.stored, tile.memory, tile.params]
    first = found.tiles[0]
    assert (first.stored, first.params) == (whole.size, whole.totals.params)
    assert len(found.tiles) < 4 * FINEST


def test_a_tile_with_a_single_part_bears_both_names(tmp_path: Path) -> None:
    path = save(tmp_path / "net.onnx", {"a/b/conv.weight": noise(9), "c/conv.weight": noise(9, 1)})
    found = treemap(read(path))
    assert {tile.name for tile in found.tiles} >= {"net.onnx", "a/b/conv/weight", "c/conv/weight"}
    assert found.places["a"] == found.places["a/b/conv"]


def test_many_small_layers_are_drawn_as_one(tmp_path: Path) -> None:
    weights = {f"layer_{at}.weight": noise(1, at) for at in range(2500)}
    found = treemap(read(save(tmp_path / "net.onnx", weights | {"large.weight": noise(4000)})))
    assert len(found.tiles) < 10
    assert sum(bool(re.fullmatch(r"\(250\d small ones\)", tile.name)) for tile in found.tiles) == 1


def test_json_in_the_page_is_json(page: str) -> None:
    data = json.loads(page.partition('id="data">')[2].partition("</script>")[0])
    lengths = {len(column) for column in data["tiles"].values()}
    assert len(lengths) == 1
    assert (
        sum(data["tiles"]["stored"][at] for at, parent in enumerate(data["tiles"]["parent"]) if parent == 0)
        == (data["tiles"]["stored"][0])
    )


def test_growth_is_in_the_page(tmp_path: Path) -> None:
    pytest.importorskip("plotly", reason="plotly is not installed: pip install 'edgecheck[html]'")
    new, old = fetch("mtcnn_onet.onnx"), fetch("mtcnn_rnet.onnx")
    done = edgecheck("size", new, "--against", old, "--quick", "--format", "html", cwd=tmp_path)
    assert "mtcnn_onet.onnx against mtcnn_rnet.onnx: 403,309 → 1,559,570 bytes" in done.out
    assert '<td class="number less">-295,424</td>' in done.out
