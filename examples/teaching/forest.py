"""A random forest on iris: its size grows with its trees, their depth, and the rows that it was trained on."""

from __future__ import annotations

from typing import TYPE_CHECKING

import joblib
import numpy as np
from sklearn.datasets import load_iris
from sklearn.ensemble import RandomForestClassifier

from examples.teaching import workshop

if TYPE_CHECKING:
    from pathlib import Path

    from examples.teaching.table import Row

#: Trees, greatest depth, rows of the 150.
FORESTS: tuple[tuple[int, int | None, int], ...] = (
    (10, None, 150),
    (100, None, 150),
    (500, None, 150),
    (100, 2, 150),
    (100, 4, 150),
    (100, None, 30),
    (100, None, 75),
)


def lesson(folder: Path) -> list[Row]:
    """Nodes are what a forest stores: each split and each leaf is one."""
    rows: list[Row] = []
    features, labels = load_iris(return_X_y=True)
    order = np.random.default_rng(0).permutation(len(labels))
    for trees, depth, count in FORESTS:
        chosen = order[:count]
        forest = RandomForestClassifier(trees, max_depth=depth, random_state=0).fit(features[chosen], labels[chosen])
        path = folder / f"forest_{trees}_{depth}_{count}.joblib"
        joblib.dump(forest, path)
        made = workshop.made(path, "onnx", "float32")
        rows.append(
            {
                "trees": trees,
                "depth": "free" if depth is None else str(depth),
                "rows": count,
                "nodes": sum(tree.tree_.node_count for tree in forest.estimators_),
                ".joblib bytes": path.stat().st_size,
                ".onnx bytes": made.size,
            }
        )
    return rows


if __name__ == "__main__":
    workshop.run(lesson)
