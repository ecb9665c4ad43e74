"""Takes the wrappers of TensorFlow Model Optimization off an .h5, which Keras 3 does not know.

The result is what `strip_pruning` and `strip_clustering` of tensorflow_model_optimization return: the wrapped layers,
with their weights, and of a clustered kernel the nearest centroids.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import h5py
import numpy as np

#: The wrappers, by their class' name.
WRAPPERS = ("PruneLowMagnitude", "ClusterWeights")

_CONFIG, _WEIGHTS, _NAMES = "model_config", "model_weights", "weight_names"
#: What a clustering adds for a weight, whose name follows.
_CENTROIDS = "cluster_centroids_"
#: What the wrappers add to the weights of a layer.
_ADDED = ("mask", "threshold", "pruning_step", _CENTROIDS, "pulling_indices_")


def stripped(model: Path, folder: Path) -> Path | None:
    """A copy of an .h5 without wrappers, in `folder`; None where it has none.

    Raises:
        ValueError, KeyError: the file is not as Keras writes it.
    """
    with h5py.File(model) as file:
        config = json.loads(_text(file.attrs.get(_CONFIG, "{}")))
        renamed = {each["config"]["name"]: each["config"]["layer"]["config"]["name"] for each in _wrappers(config)}
        if not renamed:
            return None
        if any(each["config"].get("preserve_sparsity") for each in _wrappers(config)):
            raise ValueError("ClusterWeights that preserve_sparsity, whose zeros the file does not hold")
    copy = folder / "stripped.h5"
    shutil.copyfile(model, copy)
    copy.chmod(0o600)
    with h5py.File(copy, "r+") as file:
        file.attrs[_CONFIG] = json.dumps(_renamed(_unwrapped(config), renamed))
        for group in file[_WEIGHTS].values():
            if _NAMES in group.attrs:
                _keep_own(group, set(renamed))
    return copy


def _wrappers(part: Any) -> Iterator[dict[str, Any]]:
    """Every wrapper in a configuration, at any depth."""
    if isinstance(part, dict):
        if part.get("class_name") in WRAPPERS:
            yield part
        part = list(part.values())
    if isinstance(part, list):
        for each in part:
            yield from _wrappers(each)


def _unwrapped(part: Any) -> Any:
    """The configuration with each wrapper replaced by its layer, at the same place in the network."""
    if isinstance(part, list):
        return [_unwrapped(each) for each in part]
    if not isinstance(part, dict):
        return part
    if part.get("class_name") in WRAPPERS:
        layer, outer = part["config"]["layer"], part["config"]
        shape = {key: outer[key] for key in ("batch_input_shape",) if key in outer}
        inner = {**layer, "config": {**shape, **layer["config"]}}
        around = {key: value for key, value in part.items() if key not in ("class_name", "config", "module")}
        return {**around, **_unwrapped(inner), **({"name": layer["config"]["name"]} if "name" in part else {})}
    return {key: _unwrapped(value) for key, value in part.items()}


def _renamed(part: Any, names: dict[str, str]) -> Any:
    """The configuration with the layers' own names where the wrappers' were: in what connects layers."""
    if isinstance(part, dict):
        return {key: _renamed(value, names) for key, value in part.items()}
    if isinstance(part, list):
        return [_renamed(each, names) for each in part]
    return names.get(part, part) if isinstance(part, str) else part


def _keep_own(group: Any, wrappers: set[str]) -> None:
    """List only the layers' own weights, which Keras reads in the order of the list; cluster them if they are to be."""
    names = [_text(each) for each in group.attrs[_NAMES]]
    added = [name for name in names if name.rpartition("/")[2].startswith(_ADDED) and wrappers & set(name.split("/"))]
    own = [name for name in names if name not in added]
    clustered = []
    for name in (each for each in added if _CENTROIDS in each):
        weight = name.rpartition(_CENTROIDS)[2]
        clustered += [each for each in own if each.rpartition("/")[2] == weight]
        centroids = np.sort(group[name][()])
        if centroids.ndim != 1 or len(set(clustered)) < len(clustered):
            raise ValueError("ClusterWeights by channel, or in a model inside the model")
        # The nearest of them, as in every call: the indices in the file are those before the training's last step.
        nearest = np.searchsorted((centroids[1:] + centroids[:-1]) / 2, group[clustered[-1]][()])
        group[clustered[-1]][...] = centroids[nearest]
    # A clustered kernel is not trained and comes after the bias; a layer without a wrapper has it first.
    kept = [*clustered, *(name for name in own if name not in clustered)]
    group.attrs.create(_NAMES, kept, shape=(len(kept),), dtype=h5py.string_dtype())


def _text(value: Any) -> str:
    return value.decode() if isinstance(value, bytes) else str(value)
