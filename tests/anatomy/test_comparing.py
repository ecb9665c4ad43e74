"""What grew between two models, matched by name, content and shape; deltas sum to the difference."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import onnx
import pytest
from onnx import TensorProto, helper

from edgecheck.anatomy.comparing import Change, Comparison, Status, compare
from edgecheck.anatomy.reading import read
from edgecheck.anatomy.values import Kind
from tests.anatomy.real_anatomies import NAMES, anatomy
from tests.anatomy.small_files import dense_model, onnx_model, save

LAYERS = {"a": (16, 32), "b": (32, 32), "c": (32, 64), "head": (64, 10)}


def compared(tmp_path: Path, new: onnx.ModelProto, old: onnx.ModelProto) -> Comparison:
    found = compare(read(save(tmp_path / "new.onnx", new)), read(save(tmp_path / "old.onnx", old)))
    sizes = [(tmp_path / name).stat().st_size for name in ("old.onnx", "new.onnx")]
    assert [found.old, found.new] == sizes
    assert sum(change.delta for change in found.changes) == found.delta == sizes[1] - sizes[0]
    return found


def layers(found: Comparison) -> dict[str, Change]:
    return {change.name: change for change in found.changes if change.kind is Kind.TENSORS}


def summary(found: Comparison) -> dict[str, tuple[str, Status]]:
    return {name: (change.was, change.status) for name, change in layers(found).items()}


def renamed(names: Mapping[str, str]) -> dict[str, tuple[int, int]]:
    return {names.get(name, name): shape for name, shape in LAYERS.items()}


def test_a_model_is_the_same_as_itself(tmp_path: Path) -> None:
    found = compared(tmp_path, dense_model(LAYERS), dense_model(LAYERS))
    assert found.delta == 0
    assert {change.status for change in found.changes} == {Status.SAME}


def test_growth_appearance_and_loss(tmp_path: Path) -> None:
    wider = {"a": (16, 48), "b": (32, 32), "extra": (7, 7), "head": (64, 5)}
    found = compared(tmp_path, dense_model(wider), dense_model(LAYERS))
    assert summary(found) == {
        "a": ("", Status.GREW),
        "b": ("", Status.SAME),
        "extra": ("", Status.APPEARED),
        "c": ("", Status.VANISHED),
        "head": ("", Status.SHRANK),
    }
    assert (layers(found)["a"].delta, layers(found)["a"].detail) == (16 * 16 * 4, "16x32 → 16x48")
    assert found.changes[0].name == "c"
    assert found.changes[0].delta == -32 * 64 * 4


def test_renamed_layers_are_found_by_their_content(tmp_path: Path) -> None:
    names = {"a": "stem", "b": "body", "c": "neck"}
    found = compared(tmp_path, dense_model(renamed(names)), dense_model(LAYERS))
    assert summary(found) == {
        "stem": ("a", Status.SAME),
        "body": ("b", Status.SAME),
        "neck": ("c", Status.SAME),
        "head": ("", Status.SAME),
    }


def test_content_tells_layers_of_one_shape_apart(tmp_path: Path) -> None:
    old = {"p": (8, 8), "q": (8, 8), "r": (8, 8)}
    new = dense_model({"z": (8, 8), "y": (8, 8), "x": (8, 8)})
    first, _, last = new.graph.initializer
    first.raw_data, last.raw_data = last.raw_data, first.raw_data
    assert summary(compared(tmp_path, new, dense_model(old))) == {
        "z": ("r", Status.SAME),
        "y": ("q", Status.SAME),
        "x": ("p", Status.SAME),
    }


def test_renamed_and_trained_again_is_found_by_shape_and_order(tmp_path: Path) -> None:
    names = {"a": "stem", "b": "body", "c": "neck"}
    found = compared(tmp_path, dense_model(renamed(names), seed=99), dense_model(LAYERS))
    assert {name: was for name, (was, _) in summary(found).items()} == {
        "stem": "a",
        "body": "b",
        "neck": "c",
        "head": "",
    }
    assert {status for _, status in summary(found).values()} == {Status.SAME}


def test_a_new_first_part_of_the_name_is_the_same_layer(tmp_path: Path) -> None:
    old = {f"model.block.{name}": shape for name, shape in LAYERS.items()}
    new = {f"model_1.block.{name}": shape for name, shape in LAYERS.items()}
    found = compared(tmp_path, dense_model(new, seed=5), dense_model(old))
    assert summary(found)["model_1/block/a"] == ("model/block/a", Status.SAME)


def test_another_type_is_named(tmp_path: Path) -> None:
    half = helper.make_tensor("a.weight", TensorProto.FLOAT16, [16, 32], bytes(16 * 32 * 2), raw=True)
    found = compared(tmp_path, onnx_model([], [half]), dense_model({"a": (16, 32)}))
    assert (layers(found)["a"].status, layers(found)["a"].detail) == (Status.SHRANK, "float32 → float16")


def test_bytes_outside_the_layers_are_compared_too(tmp_path: Path) -> None:
    documented = dense_model(LAYERS)
    documented.doc_string = "d" * 5000
    found = compared(tmp_path, documented, dense_model(LAYERS))
    assert found.changes[0].name == "(documentation)"
    assert (found.changes[0].status, found.changes[0].kind) == (Status.APPEARED, Kind.METADATA)


@pytest.mark.parametrize("name", NAMES)
def test_a_real_model_is_the_same_as_itself(name: str) -> None:
    found = compare(anatomy(name), anatomy(name))
    assert {change.status for change in found.changes} <= {Status.SAME}


PAIRS = [
    ("ocr_recognise.onnx", "ocr_detect.onnx"),
    ("nmp.onnx", "nmp.tflite"),
    ("facenet_onet.pt", "mtcnn_onet.onnx"),
    ("emotion_quantized.tflite", "emotion.hdf5"),
    ("hey_jarvis.tflite", "alexa.tflite"),
    ("nmp.mlpackage", "nmp_saved_model"),
    ("profanity.joblib", "profanity_vectorizer.joblib"),
]


@pytest.mark.parametrize(("new", "old"), PAIRS)
def test_deltas_of_real_models_sum_to_the_difference(new: str, old: str) -> None:
    found = compare(anatomy(new), anatomy(old))
    assert sum(change.delta for change in found.changes) == anatomy(new).size - anatomy(old).size
    assert sum(change.new for change in found.changes) == anatomy(new).size
    assert sum(change.old for change in found.changes) == anatomy(old).size
