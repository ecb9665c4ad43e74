"""The generated networks run, are reproducible, and compute in the type that their names say."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from ai_edge_litert.interpreter import Interpreter

from edgecheck.checks.calibrate import generated_networks
from edgecheck.converters import model_files
from edgecheck.converters.calibration.layers import NETWORKS
from edgecheck.converters.calibration.tflite_networks import written


@pytest.mark.parametrize("kind", ["float", "int8"])
@pytest.mark.parametrize("name", NETWORKS)
def test_a_network_computes_something(name: str, kind: str) -> None:
    content = written(name, NETWORKS[name], is_int8=kind == "int8")
    network = Interpreter(model_content=content, num_threads=1)
    network.allocate_tensors()
    (given,), (result,) = network.get_input_details(), network.get_output_details()
    assert given["dtype"] == result["dtype"] == (np.int8 if kind == "int8" else np.float32)
    assert tuple(given["shape"]) == NETWORKS[name].input
    numbers = np.random.default_rng(0).standard_normal(given["shape"])
    network.set_tensor(given["index"], (numbers * 40).clip(-127, 127).astype(given["dtype"]))
    network.invoke()
    found = network.get_tensor(result["index"]).astype(np.float64)
    assert np.isfinite(found).all()
    assert len(np.unique(found)) > 10


def test_a_child_process_makes_the_same_networks_each_time() -> None:
    made = []
    for _ in range(2):
        with generated_networks(("separable", "dense"), lambda _words: None) as artifacts:
            made.append([(each.model, each.arithmetic, each.sha256) for each in artifacts])
            places = [Path(each.path) for each in artifacts]
            assert [model_files.params_and_arithmetic(place)[1] for place in places] == [
                each.arithmetic for each in artifacts
            ]
        assert not any(place.exists() for place in places)
    assert made[0] == made[1]
    assert [each[:2] for each in made[0]] == [
        ("dense-float", "float"),
        ("dense-int8", "int8"),
        ("separable-float", "float"),
        ("separable-int8", "int8"),
    ]
