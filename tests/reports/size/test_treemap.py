"""The tiles that a model is drawn as."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from edgecheck.anatomy.reading import read
from edgecheck.anatomy.tiles import FINEST, treemap
from tests.anatomy.real_anatomies import NAMES, anatomy
from tests.reports.size.models import noise, save


@pytest.mark.parametrize("name", NAMES)
def test_tiles_sum_to_the_model(name: str) -> None:
    found, model = treemap(anatomy(name)), anatomy(name)
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
    assert (first.stored, first.params) == (model.size, model.totals.params)
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
