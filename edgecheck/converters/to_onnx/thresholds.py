"""Thresholds of histogram boosting, rounded so that float32 inputs take the branches that scikit-learn takes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    import onnx

_LEAF = b"LEAF"


def round_down(model: onnx.ModelProto, boosting: Any) -> None:
    """Make every threshold the largest float32 that is not above scikit-learn's.

    scikit-learn compares x <= t in double precision and the artifact in float32. For an x that is a float32, x <= t and
    x <= floor(t) are the same, floor being to float32. skl2onnx rounds to the nearest, which is above t for half of the
    thresholds: an x that is this nearest takes the other branch.

    Args:
        model: With the tree ensemble that skl2onnx made of `boosting`, and no other.
        boosting: A fitted HistGradientBoostingClassifier or -Regressor.
    """
    trees = [tree.nodes for iteration in boosting._predictors for tree in iteration]  # noqa: SLF001 - its only place
    for node in model.graph.node:
        if not node.op_type.startswith("TreeEnsemble"):
            continue
        attributes = {each.name: each for each in node.attribute}
        values = attributes["nodes_values"].floats
        places = zip(
            attributes["nodes_treeids"].ints,
            attributes["nodes_nodeids"].ints,
            attributes["nodes_modes"].strings,
            strict=True,
        )
        for at, (tree, place, mode) in enumerate(places):
            exact = float(trees[tree]["num_threshold"][place])
            if mode != _LEAF and values[at] == np.float32(exact) and values[at] > exact:
                values[at] = float(np.nextafter(np.float32(exact), np.float32(-np.inf)))
