"""Weights that are stored twice, and tied weights."""

from __future__ import annotations

from pathlib import Path

from edgecheck.anatomy.duplicates import repeated
from edgecheck.anatomy.reading import read
from tests.anatomy.real_anatomies import anatomy
from tests.anatomy.small_files import dense_model, float_tensor, onnx_model, save


def test_copies_are_found_by_content_and_not_by_shape(tmp_path: Path) -> None:
    model = dense_model({"a": (32, 32), "b": (32, 32), "c": (32, 32)})
    model.graph.initializer[2].raw_data = model.graph.initializer[0].raw_data
    (group,) = repeated(read(save(tmp_path / "m.onnx", model)))
    assert (group.names, group.tied, group.wasted) == (("a.weight", "c.weight"), False, 32 * 32 * 4)


def test_weights_that_differ_in_the_middle_are_not_copies(tmp_path: Path) -> None:
    first, second = float_tensor("a", (64, 64)), float_tensor("b", (64, 64))
    changed = bytearray(first.raw_data)
    changed[8000] ^= 1
    second.raw_data = bytes(changed)
    assert repeated(read(save(tmp_path / "m.onnx", onnx_model([], [first, second])))) == ()


def test_copies_and_ties_in_real_models() -> None:
    copied = repeated(anatomy("nmp_saved_model"))[0]
    assert (copied.names[:2], copied.tied, copied.wasted) == (("Cast/x", "model_1/cq_t2010v2_1/Cast/x"), False, 9_888)
    assert any(group.tied for group in repeated(anatomy("nmp.tflite")))
