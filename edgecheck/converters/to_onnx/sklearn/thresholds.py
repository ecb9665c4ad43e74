"""Thresholds of trees, rounded so that float32 inputs take the branches that scikit-learn takes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor
from sklearn.ensemble._forest import ForestClassifier
from sklearn.tree import DecisionTreeClassifier

if TYPE_CHECKING:
    import onnx
    from numpy.typing import NDArray

    Trees = list[NDArray[Any]]
    """By tree: its nodes' thresholds in double precision."""

_LEAF = b"LEAF"


def round_down(model: onnx.ModelProto, part: Any) -> None:
    """Make every threshold the largest float32 that is not above scikit-learn's.

    scikit-learn compares x <= t in double precision and the artifact in float32. For an x that is a float32, x <= t and
    x <= floor(t) are the same, floor being to float32. skl2onnx does so for most trees; those of histogram boosting and
    of classifiers with several labels it rounds to the nearest, which is above t for half of the thresholds: an x that
    is this nearest takes the other branch.

    Args:
        model: With the tree ensembles that skl2onnx made of `part`, and no others.
        part: A fitted model; one that has no such trees changes nothing.
    """
    ensembles = (node for node in model.graph.node if node.op_type.startswith("TreeEnsemble"))
    for node, trees in zip(ensembles, _ensembles(part), strict=False):
        attributes = {each.name: each for each in node.attribute}
        values = attributes["nodes_values"].floats
        places = zip(
            attributes["nodes_treeids"].ints,
            attributes["nodes_nodeids"].ints,
            attributes["nodes_modes"].strings,
            strict=True,
        )
        for at, (tree, place, mode) in enumerate(places):
            exact = float(trees[tree][place])
            if mode != _LEAF and values[at] == np.float32(exact) and values[at] > exact:
                values[at] = float(np.nextafter(np.float32(exact), np.float32(-np.inf)))


def _ensembles(part: Any) -> list[Trees]:
    """The thresholds behind each TreeEnsemble node, in the order of the nodes."""
    if isinstance(part, (HistGradientBoostingClassifier, HistGradientBoostingRegressor)):
        grown = part._predictors  # noqa: SLF001 - its only place
        return [[tree.nodes["num_threshold"] for iteration in grown for tree in iteration]]
    if isinstance(part, ForestClassifier) and part.n_outputs_ > 1:
        return [[tree.tree_.threshold] for tree in part.estimators_]
    if isinstance(part, DecisionTreeClassifier) and part.n_outputs_ > 1:
        return [[part.tree_.threshold]]
    return []
