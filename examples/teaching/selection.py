"""SelectKBest keeps two of iris's four features: the effect on the size of models trained on them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import joblib
from sklearn.datasets import load_iris
from sklearn.ensemble import RandomForestClassifier
from sklearn.feature_selection import SelectKBest
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import StandardScaler

from examples.teaching import workshop

if TYPE_CHECKING:
    from pathlib import Path

    from sklearn.base import BaseEstimator

    from examples.teaching.table import Row


def lesson(folder: Path) -> list[Row]:
    """A linear model shrinks with its features; a forest does not: it makes up for them with more splits."""
    features, labels = load_iris(return_X_y=True)
    rows: list[Row] = []
    for name, make in (("logistic regression", _logistic), ("forest of 100 trees", _forest)):
        for kept in (4, 2):
            model = make_pipeline(SelectKBest(k=kept), make()).fit(features, labels)
            path = folder / f"selection_{name.partition(' ')[0]}_{kept}.joblib"
            joblib.dump(model, path)
            made = workshop.made(path, "onnx", "float32")
            rows.append({"model": name, "features": kept, "learned": _learned(model), ".onnx bytes": made.size})
    return rows


def _logistic() -> BaseEstimator:
    return make_pipeline(StandardScaler(), LogisticRegression())


def _forest() -> BaseEstimator:
    return RandomForestClassifier(100, random_state=0)


def _learned(model: Pipeline) -> str:
    last = model[-1]
    if isinstance(last, RandomForestClassifier):
        return f"{sum(tree.tree_.node_count for tree in last.estimators_):,} nodes"
    return f"{last[-1].coef_.size + last[-1].intercept_.size} coefficients"


if __name__ == "__main__":
    workshop.run(lesson)
