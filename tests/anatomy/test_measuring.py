"""Zeros, entropy and gzip of real weights, and what gzip and pruning save.

Covers `values.py`.
"""

from __future__ import annotations

import gzip
import zlib
from pathlib import Path

import numpy as np
import pytest
from onnx import TensorProto, helper, numpy_helper

from edgecheck.anatomy.advice import Means, Saved
from edgecheck.anatomy.measuring import advise_compression, measure
from edgecheck.anatomy.reading import read
from edgecheck.anatomy.values import Anatomy
from examples.real_models import fetch
from tests.anatomy.real_anatomies import NAMES, anatomy
from tests.anatomy.small_files import onnx_model, save


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
    assert len(shares) == 46
    assert all(share is not None and 0.3 < share < 0.9 for share in shares)


@pytest.mark.parametrize("name", NAMES)
def test_every_tensor_with_bytes_is_measured(name: str) -> None:
    found = anatomy(name)
    measured = measure(found)
    assert measured
    for index, tensor in enumerate(found.tensors):
        assert (index in measured) == (bool(tensor.places) and not tensor.shares)
    assert all(0 <= each.entropy <= 8 for each in measured.values())


def test_gzip_saves_what_it_saves() -> None:
    found = anatomy("mtcnn_onet.onnx")
    advice = {each.means: each for each in advise_compression(found, measure(found))}
    content = fetch("mtcnn_onet.onnx").read_bytes()
    saved = len(content) - len(gzip.compress(content, 6))
    assert advice[Means.GZIP].saves == pytest.approx(saved, rel=0.05)
    assert advice[Means.GZIP].of is Saved.DOWNLOAD


def test_pruning_half_saves_what_it_saves(tmp_path: Path) -> None:
    weights = np.random.default_rng(0).standard_normal((512, 512)).astype(np.float32)
    found = read(save(tmp_path / "m.onnx", onnx_model([], [numpy_helper.from_array(weights, "w")])))
    advice = {each.means: each for each in advise_compression(found, measure(found))}
    pruned = np.where(np.abs(weights) > np.median(np.abs(weights)), weights, 0)
    now, then = (len(zlib.compress(values.tobytes(), 6)) for values in (weights, pruned))
    assert advice[Means.PRUNE].saves == pytest.approx(now - then, rel=0.03)


def test_joblib_can_write_smaller_files() -> None:
    found = anatomy("profanity.joblib")
    advice = {each.means: each for each in advise_compression(found, measure(found))}
    content = fetch("profanity.joblib").read_bytes()
    assert advice[Means.COMPRESS].of is Saved.SIZE
    assert advice[Means.COMPRESS].saves == pytest.approx(len(content) - len(zlib.compress(content, 6)), rel=0.05)
