"""Every byte of every real model is accounted for, once."""

from __future__ import annotations

import pytest

from edgecheck.anatomy.tables import By, Node, table, top, tree
from edgecheck.anatomy.values import Kind
from examples.real_models import fetch
from tests.anatomy.real_anatomies import NAMES, anatomy, bytes_on_disk

PARAMS = {
    "hey_jarvis.tflite": 24_921,
    "alexa.tflite": 27_473,
    "hey_mycroft.tflite": 28_753,
    "okay_nabu.tflite": 40_593,
    "emotion.hdf5": 58_423,
    "emotion_quantized.tflite": 56_463,
    "nmp.tflite": 35_739,
    "nmp.onnx": 35_740,
    "mtcnn_pnet.onnx": 6_632,
    "mtcnn_rnet.onnx": 100_178,
    "mtcnn_onet.onnx": 389_040,
    "facenet_pnet.pt": 6_632,
    "facenet_rnet.pt": 100_178,
    "facenet_onet.pt": 389_040,
    "ocr_classify.onnx": 133_700,
    "lpips_v0.0_alex.pth": 1_152,
    "lpips_v0.1_squeeze.pth": 2_240,
    "profanity.joblib": 5 * (15_442 + 1),
    "light_vgg19.onnx": 143_667_240,
}
"""facts written down before this reader was: what their frameworks count, to the digit where they count alike."""


@pytest.mark.parametrize("name", NAMES)
def test_kinds_sum_to_the_file_size(name: str) -> None:
    found = anatomy(name)
    totals = found.totals
    assert totals.tensors + totals.structure + totals.metadata + totals.padding == bytes_on_disk(fetch(name))
    assert totals.unclaimed == 0
    assert all(file.overlaps == () for file in found.files)


@pytest.mark.parametrize("name", NAMES)
def test_parts_sum_to_each_file(name: str) -> None:
    for file in anatomy(name).files:
        assert sum(part.size for part in file.parts) == file.size
        assert all(part.size > 0 for part in file.parts)


@pytest.mark.parametrize("name", NAMES)
def test_tensors_sum_to_the_tensors_total(name: str) -> None:
    found = anatomy(name)
    assert sum(tensor.stored for tensor in found.tensors) == found.totals.tensors


@pytest.mark.parametrize("name", NAMES)
def test_places_lie_in_their_files_and_hold_what_is_stored(name: str) -> None:
    found = anatomy(name)
    for tensor in found.tensors:
        for place in tensor.places:
            assert 0 <= place.start <= place.start + place.size <= found.files[place.file].size
        if not tensor.shares:
            assert sum(place.size for place in tensor.places) == tensor.stored


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("by", By)
def test_tables_sum_to_the_file_size(name: str, by: By) -> None:
    found = anatomy(name)
    rows = table(found, by)
    assert sum(row.stored for row in rows) == found.size
    assert sum(row.stored for row in top(rows, 3)) == found.size
    assert sum(row.params for row in rows) == found.totals.params


def test_only_hdf5_has_gaps_and_they_are_listed() -> None:
    with_gaps = {name for name in NAMES if any(file.gaps for file in anatomy(name).files)}
    assert with_gaps == {"emotion.hdf5"}
    file = anatomy("emotion.hdf5").files[0]
    freed = next(part for part in file.parts if part.what == "freed and not used again")
    assert freed.kind is Kind.PADDING
    assert freed.size == sum(gap.size for gap in file.gaps)


def check_sums(node: Node) -> None:
    """A node's own sums are its children's."""
    if node.children:
        assert sum(child.stored for child in node.children) == node.stored
        assert sum(child.params for child in node.children) == node.params
        assert [child.stored for child in node.children] == sorted(
            (child.stored for child in node.children), reverse=True
        )
    for child in node.children:
        check_sums(child)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("depth", [1, 2, None])
def test_trees_sum_at_every_depth(name: str, depth: int | None) -> None:
    found = anatomy(name)
    root = tree(found, depth)
    assert root.stored == found.size
    assert root.params == found.totals.params
    check_sums(root)


@pytest.mark.parametrize("name", PARAMS)
def test_params_are_what_the_frameworks_count(name: str) -> None:
    assert anatomy(name).totals.params == PARAMS[name]


def test_weights_made_on_loading_are_told_apart_from_those_on_disk() -> None:
    totals = anatomy("light_vgg19.onnx").totals
    assert totals.size == 9_311
    assert totals.memory == 574_669_672


def test_sparse_weights_are_smaller_on_disk_than_dense() -> None:
    totals = anatomy("face_detection_full_range_sparse.tflite").totals
    sparse = [
        tensor for tensor in anatomy("face_detection_full_range_sparse.tflite").tensors if tensor.encoding == "sparse"
    ]
    assert len(sparse) == 46
    assert totals.memory == 1_016_696
    assert totals.tensors == 560_882
    assert totals.params == 508_308
