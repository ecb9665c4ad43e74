"""The generated networks run, are reproducible, and compute in the type that their names say."""

from __future__ import annotations

import numpy as np
import onnxruntime as ort
import pytest

from edgecheck.converters.calibration.layers import NETWORKS
from edgecheck.converters.calibration.onnx_networks import written


@pytest.mark.parametrize("kind", ["float", "int8"])
@pytest.mark.parametrize("name", NETWORKS)
def test_a_network_computes_something(name: str, kind: str) -> None:
    content = written(name, NETWORKS[name], is_int8=kind == "int8")
    assert content == written(name, NETWORKS[name], is_int8=kind == "int8")
    session = ort.InferenceSession(content, providers=["CPUExecutionProvider"])
    (given,) = session.get_inputs()
    numbers = np.random.default_rng(0).standard_normal(given.shape).astype(np.float32)
    (found,) = session.run(None, {given.name: numbers})
    assert np.isfinite(found).all()
    assert len(np.unique(found)) > 10


def test_an_int8_network_is_computed_in_int8() -> None:
    """Its weights are stored in a byte each."""
    small, large = (len(written("weights", NETWORKS["weights"], is_int8=is_int8)) for is_int8 in (True, False))
    assert small < large / 3.5
