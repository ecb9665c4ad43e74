"""Core ML packages: a real one, and broken ones."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from edgecheck.anatomy.reading import read
from edgecheck.anatomy.values import Kind
from edgecheck.errors import ModelError
from examples.real_models import fetch
from tests.anatomy.real_anatomies import anatomy

MODEL = Path("Data", "com.apple.CoreML", "model.mlmodel")
WEIGHTS = Path("Data", "com.apple.CoreML", "weights", "weight.bin")
SENTINEL = bytes.fromhex("efbeadde")


def copied(tmp_path: Path) -> Path:
    return Path(shutil.copytree(fetch("nmp.mlpackage"), tmp_path / "m.mlpackage"))


def test_weights_are_in_the_weight_file_and_have_an_operator() -> None:
    found = anatomy("nmp.mlpackage")
    names = [file.name for file in found.files]
    filed = [tensor for tensor in found.tensors if names[tensor.places[0].file] == WEIGHTS.as_posix()]
    assert filed
    assert all(tensor.operator for tensor in filed)
    assert found.operators["conv"] > 0
    assert "const" not in found.operators


def test_headers_of_weights_are_structure() -> None:
    weights = next(file for file in anatomy("nmp.mlpackage").files if file.name == WEIGHTS.as_posix())
    headers = next(part for part in weights.parts if part.what == "weight headers")
    assert headers.kind is Kind.STRUCTURE
    assert headers.size == 64 * (1 + (fetch("nmp.mlpackage") / WEIGHTS).read_bytes().count(SENTINEL))


def test_a_weight_without_its_header_is_refused(tmp_path: Path) -> None:
    model = copied(tmp_path)
    content = (model / WEIGHTS).read_bytes()
    (model / WEIGHTS).write_bytes(content.replace(SENTINEL, bytes(4), 1))
    with pytest.raises(ModelError, match=r"is not at byte 64 of Data/com\.apple\.CoreML/weights/weight\.bin"):
        read(model)


def test_a_missing_weight_file_is_reported(tmp_path: Path) -> None:
    model = copied(tmp_path)
    (model / WEIGHTS).unlink()
    with pytest.raises(ModelError, match=r"weight\.bin, which is missing from its folder"):
        read(model)


def test_a_manifest_without_a_model_is_refused(tmp_path: Path) -> None:
    model = copied(tmp_path)
    (model / "Manifest.json").write_text("{}")
    with pytest.raises(ModelError, match="its manifest names no model"):
        read(model)


def test_a_model_that_is_not_a_program_has_a_note(tmp_path: Path) -> None:
    model = copied(tmp_path)
    (model / MODEL).write_bytes(b"\x08\x04")  # specificationVersion 4, and nothing else
    found = read(model)
    assert found.notes == ("This Core ML model is not a MIL program: its weights are not listed one by one.",)
    assert found.tensors == ()
    assert found.totals.size == found.size
