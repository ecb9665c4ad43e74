"""An .h5 with the wrappers of tensorflow_model_optimization, as its version 0.8 writes them with tf_keras."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from tests.converters.bench import requires

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = [pytest.mark.convert, requires("h5py", "keras")]

KERNEL = np.array([[0.1, 0.9], [0.2, -1.0]], np.float32)


def dense(name: str) -> dict[str, Any]:
    return {"module": "keras.layers", "class_name": "Dense", "config": {"name": name, "units": 2}}


def wrapped(kind: str, name: str, **more: object) -> dict[str, Any]:
    return {"class_name": kind, "name": name, "config": {"name": name, "layer": dense("dense"), **more}}


def saved(path: Path, layers: list[dict[str, Any]], weights: dict[str, dict[str, Any]]) -> Path:
    import h5py

    with h5py.File(path, "w") as file:
        config = {"name": "net", "layers": layers, "output_layers": [[layers[-1]["config"]["name"], 0, 0]]}
        file.attrs["model_config"] = json.dumps({"class_name": "Functional", "config": config})
        group = file.create_group("model_weights")
        for layer, named in weights.items():
            inside = group.create_group(layer)
            inside.attrs["weight_names"] = list(named)
            for name, values in named.items():
                inside[name] = values
    return path


def read(path: Path, layer: str) -> tuple[dict[str, Any], list[str]]:
    """The configuration, and the listed weights of a layer."""
    import h5py

    with h5py.File(path) as file:
        return json.loads(file.attrs["model_config"])["config"], list(
            file["model_weights"][layer].attrs["weight_names"]
        )


def test_a_pruned_layer_takes_the_place_of_its_wrapper(tmp_path: Path) -> None:
    from edgecheck.converters.sources.keras_wrappers import stripped

    own = {"dense/kernel:0": KERNEL, "dense/bias:0": np.zeros(2)}
    added = {f"pruned/{name}:0": 0.0 for name in ("mask", "threshold", "pruning_step")}
    path = saved(tmp_path / "p.h5", [wrapped("PruneLowMagnitude", "pruned")], {"pruned": {**own, **added}})
    before = path.read_bytes()
    plain = stripped(path, tmp_path)
    assert plain is not None
    config, names = read(plain, "pruned")
    assert config["layers"] == [{**dense("dense"), "name": "dense"}]
    assert config["output_layers"] == [["dense", 0, 0]]
    assert names == list(own)
    assert path.read_bytes() == before


def test_a_clustered_kernel_has_the_nearest_centroids_and_comes_first(tmp_path: Path) -> None:
    from edgecheck.converters.sources.keras_wrappers import stripped

    weights = {
        "dense/bias:0": np.zeros(2),
        "dense/kernel:0": KERNEL,
        "c/cluster_centroids_kernel:0": np.array([1.0, -1.0, 0.0], np.float32),
        "c/pulling_indices_kernel:0": np.zeros((2, 2), np.int64),  # as before the last step of the training
    }
    path = saved(tmp_path / "c.h5", [wrapped("ClusterWeights", "c", preserve_sparsity=False)], {"c": weights})
    plain = stripped(path, tmp_path)
    assert plain is not None
    assert read(plain, "c")[1] == ["dense/kernel:0", "dense/bias:0"]
    import h5py

    with h5py.File(plain) as file:
        assert file["model_weights/c/dense/kernel:0"][()].tolist() == [[0, 1], [0, -1]]


def test_what_the_file_does_not_hold_is_said(tmp_path: Path) -> None:
    from edgecheck.converters.sources.keras_wrappers import stripped

    path = saved(tmp_path / "s.h5", [wrapped("ClusterWeights", "c", preserve_sparsity=True)], {})
    with pytest.raises(ValueError, match="ClusterWeights that preserve_sparsity"):
        stripped(path, tmp_path)


def test_a_model_without_wrappers_is_left_alone(tmp_path: Path) -> None:
    from edgecheck.converters.sources.keras_wrappers import stripped

    path = saved(tmp_path / "plain.h5", [dense("dense")], {"dense": {"mask:0": np.ones(2)}})
    assert stripped(path, tmp_path) is None
