"""Where a tree sends a missing value: scikit-learn learns that for each node, and skl2onnx drops it."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import numpy as np

from edgecheck.converters.sources.sklearn_rows import best_found, members

if TYPE_CHECKING:
    import onnx

#: The mode of a node that is a leaf.
_LEAF = b"LEAF"


def follow(model: onnx.ModelProto, estimator: Any) -> None:
    """Set `nodes_missing_value_tracks_true` of every tree as scikit-learn's tree has it.

    Trees are found by their features and thresholds, which differ by float32's rounding only, and among equal ones in
    the order of the ensemble. A tree that is not scikit-learn's own, as those of histogram boosting, stays unchanged.

    Args:
        model: What skl2onnx made of `estimator`.
        estimator: A fitted model.
    """
    known: dict[tuple[int, ...], list[Any]] = defaultdict(list)
    for tree in _trees(estimator):
        known[tuple(tree.feature[tree.children_left >= 0])].append(tree)
    for node in model.graph.node:
        if node.op_type.startswith("TreeEnsemble"):
            _follow(node, known)


def _follow(node: onnx.NodeProto, known: dict[tuple[int, ...], list[Any]]) -> None:
    attributes = {each.name: each for each in node.attribute}
    ids, places = np.array(attributes["nodes_treeids"].ints), np.array(attributes["nodes_nodeids"].ints)
    features = np.array(attributes["nodes_featureids"].ints)
    values = np.array(attributes["nodes_values"].floats, dtype=np.float32)
    inner = np.array([mode != _LEAF for mode in attributes["nodes_modes"].strings])
    tracks = attributes.get("nodes_missing_value_tracks_true")
    if tracks is None:
        tracks = node.attribute.add(name="nodes_missing_value_tracks_true", type=7)  # AttributeProto.INTS
    directions = np.array(tracks.ints or np.zeros(len(ids)), dtype=np.int64)
    for tree_id in np.unique(ids):
        chosen = (ids == tree_id) & inner
        candidates = known.get(tuple(features[chosen][np.argsort(places[chosen])]), [])
        at = places[chosen]
        for tree in candidates:
            if np.allclose(tree.threshold[at], values[chosen], rtol=1e-6, atol=1e-30):
                directions[chosen] = tree.missing_go_to_left[at]
                candidates.remove(tree)
                break
    del tracks.ints[:]
    tracks.ints.extend(int(each) for each in directions)


def _trees(part: Any) -> Iterator[Any]:
    """scikit-learn's trees in `part`, in its order."""
    part = best_found(part)
    tree = getattr(part, "tree_", None)
    if tree is not None:
        if hasattr(tree, "missing_go_to_left"):  # since 1.3
            yield tree
        return
    for _, step in getattr(part, "steps", ()):
        yield from _trees(step)
    for member in members(part):
        yield from _trees(member)
    if (last := getattr(part, "final_estimator_", None)) is not None:
        yield from _trees(last)
