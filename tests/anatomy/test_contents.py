"""Zeros, entropy, gzip, and weights that are stored twice."""

from __future__ import annotations

import zlib
from typing import TYPE_CHECKING

import numpy as np
import pytest
from onnx import TensorProto, helper, numpy_helper

from edgecheck.anatomy.contents import Contents
from edgecheck.anatomy.duplicates import repeated
from edgecheck.anatomy.measuring import measure
from edgecheck.anatomy.reading import read
from edgecheck.errors import ModelError
from examples.real_models import fetch
from tests.anatomy.made_files import dense_model, float_tensor, onnx_model, save
from tests.anatomy.real_anatomies import NAMES, anatomy

if TYPE_CHECKING:
    from pathlib import Path

    from edgecheck.anatomy.values import Anatomy


def made(tmp_path: Path, **arrays: np.ndarray) -> Anatomy:
    tensors = [numpy_helper.from_array(array, name) for name, array in arrays.items()]
    return read(save(tmp_path / "m.onnx", onnx_model([], tensors)))


def test_zeros_are_counted_in_every_type(tmp_path: Path) -> None:
    half = np.ones(1000, np.float32)
    half[::2] = 0
    half[0] = -0.0
    kinds = (np.float32, np.float16, np.float64, np.int8, np.uint8, np.int64)
    arrays = {np.dtype(kind).name: half.astype(kind) for kind in kinds}
    found = made(tmp_path, **arrays)
    assert {measured.zeros for measured in measure(found).values()} == {0.5}


def test_zeros_of_brain_floats(tmp_path: Path) -> None:
    values = np.array([0, 0x8000, 0x3F80, 0x3F80], np.uint16)  # 0, -0, 1, 1
    tensor = helper.make_tensor("w", TensorProto.BFLOAT16, [4], values.tobytes(), raw=True)
    (measured,) = measure(read(save(tmp_path / "m.onnx", onnx_model([], [tensor])))).values()
    assert measured.zeros == 0.5


def test_small_models_are_measured_exactly(tmp_path: Path) -> None:
    random = np.random.default_rng(0)
    noise = random.integers(0, 256, 100_000, np.uint8)
    found = made(tmp_path, noise=noise, flat=np.full(100_000, 7, np.uint8))
    by_noise, flat = measure(found).values()
    assert by_noise.exact
    assert flat.exact
    assert by_noise.gzip == len(zlib.compress(noise.tobytes(), 6))
    assert by_noise.entropy > 7.99
    assert (flat.entropy, flat.zeros) == (0.0, 0.0)
    assert flat.gzip < 300


def test_large_models_are_estimated_from_a_sample_within_a_few_percent(tmp_path: Path) -> None:
    random = np.random.default_rng(0)
    weights = random.standard_normal(2_500_000).astype(np.float32)
    weights[random.random(weights.size) < 0.5] = 0
    found = made(tmp_path, w=weights)
    (measured,) = measure(found).values()
    assert not measured.exact
    assert measured.gzip == pytest.approx(len(zlib.compress(weights.tobytes(), 6)), rel=0.03)
    assert measured.zeros == pytest.approx(np.mean(weights == 0), abs=1e-12)


def test_sparse_tensors_have_the_zeros_that_they_leave_out() -> None:
    found = anatomy("face_detection_full_range_sparse.tflite")
    measured = measure(found)
    sparse = [index for index, tensor in enumerate(found.tensors) if tensor.encoding == "sparse"]
    shares = [measured[index].zeros for index in sparse]
    assert all(share is not None and 0.3 < share < 0.9 for share in shares)


@pytest.mark.parametrize("name", NAMES)
def test_every_tensor_with_bytes_is_measured(name: str) -> None:
    found = anatomy(name)
    measured = measure(found)
    for index, tensor in enumerate(found.tensors):
        assert (index in measured) == (bool(tensor.places) and not tensor.shares)
    assert all(0 <= each.entropy <= 8 for each in measured.values())


def test_copies_are_found_by_content_and_not_by_shape(tmp_path: Path) -> None:
    model = dense_model({"a": (32, 32), "b": (32, 32), "c": (32, 32)})
    model.graph.initializer[2].raw_data = model.graph.initializer[0].raw_data
    (group,) = repeated(read(save(tmp_path / "m.onnx", model)))
    assert (group.names, group.tied, group.wasted) == (("a.weight", "c.weight"), False, 32 * 32 * 4)


def test_copies_that_differ_in_the_middle_are_none(tmp_path: Path) -> None:
    first, second = float_tensor("a", (64, 64)), float_tensor("b", (64, 64))
    changed = bytearray(first.raw_data)
    changed[8000] ^= 1
    second.raw_data = bytes(changed)
    assert repeated(read(save(tmp_path / "m.onnx", onnx_model([], [first, second])))) == ()


def test_copies_and_ties_in_real_models() -> None:
    copied = repeated(anatomy("nmp_saved_model"))[0]
    assert (copied.names[:2], copied.tied, copied.wasted) == (("Cast/x", "model_1/cq_t2010v2_1/Cast/x"), False, 9_888)
    assert any(group.tied for group in repeated(anatomy("nmp.tflite")))


def test_a_file_that_is_gone_is_told(tmp_path: Path) -> None:
    found = read(save(tmp_path / "m.onnx", fetch("mtcnn_pnet.onnx").read_bytes()))
    (tmp_path / "m.onnx").unlink()
    with Contents(found) as contents, pytest.raises(ModelError, match="cannot be read: No such file"):
        contents.digest(found.tensors[0])
