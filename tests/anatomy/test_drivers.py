"""The sentences about what drives a model's size."""

from __future__ import annotations

import pytest

from edgecheck.anatomy.drivers import drivers
from tests.anatomy.real_anatomies import anatomy

READINGS = {
    "light_vgg19.onnx": (
        "2 of 20 layers hold 83 % of the weights: fc6, fc7.",
        "The widest is fc6: 4096 x 25088 of float32, 72 % of all weights.",
        "Weights by type: float32 100 %.",
        "1,368 bytes of tensors in the file become 574,669,672 in memory: they are generated or unpacked on loading.",
        "85 % of the file is not weights, mostly nodes.",
    ),
    "profanity_vectorizer.joblib": (
        "2 of 2 layers hold 100 % of the weights: vocabulary_, _tfidf/idf_.",
        "Weights by type: float64 100 %.",
        "The vocabulary vocabulary_ has 15,442 entries in 199,638 bytes.",
    ),
    "hey_jarvis.tflite": (
        "7 of 32 layers hold 81 % of the weights: model/stream/conv2d, model/conv2d_2, model/conv2d_3, ….",
        "The widest is model/stream/conv2d: 30 x 5 x 1 x 40 of int8, 25 % of all weights.",
        "Weights by type: int8 93 %, int32 7 %.",
        "49 % of the file is not weights, mostly quantisation.",
    ),
}


@pytest.mark.parametrize("name", READINGS)
def test_what_drives_the_size(name: str) -> None:
    assert drivers(anatomy(name)) == READINGS[name]
