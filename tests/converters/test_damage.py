"""A broken download is told as one: no converter's error, and no advice to trust it."""

from __future__ import annotations

import zipfile
from typing import TYPE_CHECKING

import pytest

from edgecheck.converters.damage import _ensure_members, ensure_whole
from edgecheck.errors import ModelError
from tests.converters.bench import requires

if TYPE_CHECKING:
    from pathlib import Path

    from tests.converters.bench import Bench

pytestmark = pytest.mark.convert


def broken(model: Path, into: Path, *, cut: bool) -> Path:
    """A copy that ends half-way, or whose middle is other bytes."""
    content = model.read_bytes()
    middle = len(content) // 2
    spoilt = content[:middle] if cut else content[:middle] + bytes(b ^ 0xFF for b in content[middle : middle + 64])
    (into / model.name).write_bytes(spoilt if cut else spoilt + content[middle + 64 :])
    return into / model.name


@requires("sklearn", "skl2onnx", "skops", "onnxruntime")
@pytest.mark.parametrize("trusted", ["", "all"])
@pytest.mark.parametrize("name", ["forest.joblib", "forest.pkl", "packed.joblib"])
def test_a_pickle_that_ends_early(bench: Bench, sklearn_models: Path, tmp_path: Path, name: str, trusted: str) -> None:
    with pytest.raises(ModelError, match="is damaged: ") as caught:
        bench.make(broken(sklearn_models / name, tmp_path, cut=True), "onnx", "float32", trusted=trusted)
    assert caught.value.hint.startswith("Download or export it again")


@requires("sklearn", "skl2onnx", "skops", "onnxruntime")
def test_a_skops_whose_bytes_are_others(bench: Bench, sklearn_models: Path, tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="is damaged: "):
        bench.make(broken(sklearn_models / "forest.skops", tmp_path, cut=False), "onnx", "float32")


@requires("sklearn", "skops")
@pytest.mark.parametrize("name", ["forest.joblib", "forest.skops", "packed.joblib"])
def test_a_good_model_is_whole(sklearn_models: Path, name: str) -> None:
    ensure_whole(sklearn_models / name)


def test_an_archive_whose_member_was_changed(tmp_path: Path) -> None:
    """As anatomy reads no weights, their checksum is all that tells."""
    with zipfile.ZipFile(tmp_path / "weights.zip", "w") as archive:
        archive.writestr("weights", bytes(1000))
    _ensure_members(tmp_path / "weights.zip")
    content = (tmp_path / "weights.zip").read_bytes()
    (tmp_path / "weights.zip").write_bytes(content.replace(bytes(1000), bytes(999) + b"1"))
    with pytest.raises(ModelError, match="its member weights has another checksum"):
        _ensure_members(tmp_path / "weights.zip")
