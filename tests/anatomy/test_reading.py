"""Real models: the weights that their frameworks count, and bytes on disk and in memory."""

from __future__ import annotations

import pytest

from tests.anatomy.real_anatomies import anatomy

#: facts written down before this reader was: what their frameworks count, to the digit where they count alike.
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


@pytest.mark.parametrize("name", PARAMS)
def test_params_are_what_the_frameworks_count(name: str) -> None:
    assert anatomy(name).totals.params == PARAMS[name]


def test_weights_generated_on_loading_count_in_memory_and_not_on_disk() -> None:
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
