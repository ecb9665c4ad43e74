"""Variables that TensorFlow Model Optimization adds to a layer for the training: masks, thresholds, steps, clusters.

A wrapper (`PruneLowMagnitude`, `ClusterWeights`) has them next to the layer's own weights. They are not parameters of
the model: https://github.com/tensorflow/model-optimization, `pruning_wrapper.py` and `cluster_wrapper.py`.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import replace

from edgecheck.anatomy.values import Role, Tensor

#: By the variable that gives a wrapper away: the variables next to it that are not the layer's.
_BY_SIGN = (
    (re.compile(r"pruning_step"), re.compile(r"pruning_step|(?:mask|threshold)(?:_\d+)?")),
    (re.compile(r"pulling_indices\w*"), re.compile(r"(?:pulling_indices|cluster_centroids)\w*")),
)
#: In a `.keras`, variables have numbers. Those of the wrapper itself include its kernel again, which is the layer's.
_NUMBERED = re.compile(r"(?:^|/)(?:prune_low_magnitude|cluster_weights)(?:_\d+)?/vars/\d+$")


def of_training(tensors: Iterable[Tensor]) -> list[Tensor]:
    """The tensors, those of such wrappers with the role of an optimiser's state."""
    found = list(tensors)
    wrapped: dict[str, list[re.Pattern[str]]] = {}
    for tensor in found:
        parent, leaf = _parted(tensor.name)
        for sign, added in _BY_SIGN:
            if sign.fullmatch(leaf):
                wrapped.setdefault(parent, []).append(added)
    return [replace(each, role=Role.OPTIMIZER) if _is_added(each.name, wrapped) else each for each in found]


def _is_added(name: str, wrapped: dict[str, list[re.Pattern[str]]]) -> bool:
    parent, leaf = _parted(name)
    return _NUMBERED.search(name) is not None or any(added.fullmatch(leaf) for added in wrapped.get(parent, ()))


def _parted(name: str) -> tuple[str, str]:
    """The group, and the variable's own name without the output's number."""
    parent, _, leaf = name.rpartition("/")
    return parent, leaf.removesuffix(":0")
