"""Runs a scikit-learn model and its artifact in this process: a child process for each would take seconds."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from edgecheck.converters.interface import TRUST_ALL, Request

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray


def both(model: Path, samples: Path, folder: Path) -> list[tuple[NDArray[Any], NDArray[Any]]]:
    """For each output the values of the source and of the artifact, which is written to `folder`."""
    import onnxruntime

    from edgecheck.converters.sources.sklearn_model import FEATURES, open_model
    from edgecheck.converters.to_onnx.sklearn.from_sklearn import convert

    request = Request(model=model, source="joblib", format="onnx", variant="float32", trusted=TRUST_ALL)
    session = onnxruntime.InferenceSession(convert(request, folder).files[0])
    feed = {FEATURES: np.load(samples)["features"].astype(np.float32)}
    found = session.run(None, feed)
    assert [len(port.shape) for port in session.get_outputs()] == [np.ndim(value) for value in found]
    return list(zip((each.value for each in open_model(request).run(feed)), found, strict=True))


def assert_equal(pairs: list[tuple[NDArray[Any], NDArray[Any]]]) -> None:
    """Labels are equal, numbers within 1e-5 of the largest."""
    for wanted, given in pairs:
        if wanted.dtype.kind == "f":
            assert np.abs(wanted.reshape(given.shape) - given).max() < 1e-5 * np.abs(wanted).max()
        else:
            assert np.array_equal(wanted, given.reshape(wanted.shape))
