"""`gate.ensure_undamaged`: a broken download is reported as such, not as a converter's error or a matter of trust."""

from __future__ import annotations

import zipfile
from typing import TYPE_CHECKING

import pytest

from edgecheck.converters.safety.gate import _ensure_members, ensure_undamaged
from edgecheck.errors import ModelError
from tests.converters.bench import requires

if TYPE_CHECKING:
    from pathlib import Path

    from tests.converters.bench import Bench

pytestmark = pytest.mark.convert


def broken(model: Path, into: Path, *, cut: bool) -> Path:
    """A copy that ends half-way, or whose middle is changed."""
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
def test_a_skops_with_changed_bytes(bench: Bench, sklearn_models: Path, tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="is damaged: "):
        bench.make(broken(sklearn_models / "forest.skops", tmp_path, cut=False), "onnx", "float32")


@requires("sklearn", "skops")
@pytest.mark.parametrize("name", ["forest.joblib", "forest.skops", "packed.joblib"])
def test_a_good_model_is_undamaged(sklearn_models: Path, name: str) -> None:
    ensure_undamaged(sklearn_models / name)


def test_an_archive_with_a_changed_member(tmp_path: Path) -> None:
    """Anatomy reads no weights: only their checksum shows the change."""
    with zipfile.ZipFile(tmp_path / "weights.zip", "w") as archive:
        archive.writestr("weights", bytes(1000))
    _ensure_members(tmp_path / "weights.zip")
    content = (tmp_path / "weights.zip").read_bytes()
    (tmp_path / "weights.zip").write_bytes(content.replace(bytes(1000), bytes(999) + b"1"))
    with pytest.raises(ModelError, match="its member weights does not match its checksum"):
        _ensure_members(tmp_path / "weights.zip")
