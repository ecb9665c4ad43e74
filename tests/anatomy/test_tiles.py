"""The parts of an artifact for a report; tests/reports/size/test_treemap.py tests the treemap of `edgecheck size`."""

from __future__ import annotations

from pathlib import Path

import pytest

from edgecheck.anatomy.tiles import tiles_of
from examples.real_models import fetch


@pytest.mark.parametrize("name", ["mtcnn_onet.onnx", "face_detection_short_range.tflite"])
def test_a_real_model(name: str) -> None:
    place = fetch(name)
    tiles = tiles_of(place)
    assert tiles is not None
    assert tiles.size[0] == place.stat().st_size
    for at in set(tiles.parent) - {-1}:
        assert (
            sum(size for size, parent in zip(tiles.size, tiles.parent, strict=True) if parent == at) == tiles.size[at]
        )
    assert len(tiles.size) < 200


def test_a_missing_file_or_one_that_is_not_a_model_has_no_parts(tmp_path: Path) -> None:
    assert tiles_of(tmp_path / "gone.onnx") is None
    (tmp_path / "text.onnx").write_text("not a model", encoding="utf-8")
    assert tiles_of(tmp_path / "text.onnx") is None
