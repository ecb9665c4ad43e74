"""Trains scikit-learn models that skl2onnx has something against: `python sklearn_kinds.py FOLDER`."""

from __future__ import annotations

import sys
import warnings
from pathlib import Path
from typing import TYPE_CHECKING

import joblib
import numpy as np
from sklearn.calibration import CalibratedClassifierCV
from sklearn.cluster import KMeans
from sklearn.compose import ColumnTransformer
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis
from sklearn.ensemble import (
    BaggingClassifier,
    ExtraTreesClassifier,
    RandomForestClassifier,
    StackingClassifier,
    VotingClassifier,
)
from sklearn.linear_model import LogisticRegression, Perceptron, RidgeClassifier, SGDClassifier
from sklearn.mixture import GaussianMixture
from sklearn.model_selection import GridSearchCV
from sklearn.multiclass import OneVsRestClassifier
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import KBinsDiscretizer, OneHotEncoder, StandardScaler
from sklearn.svm import SVC, LinearSVC, NuSVC
from sklearn.tree import DecisionTreeClassifier

if TYPE_CHECKING:
    from sklearn.base import BaseEstimator


def scaled(model: BaseEstimator) -> Pipeline:
    return make_pipeline(StandardScaler(), model)


#: Told apart by whether a flower's third measurement is large, which overlaps.
TWO = {
    "svc": scaled(SVC()),
    "nu_svc": scaled(NuSVC()),
    "sgd": scaled(SGDClassifier(random_state=0)),
    "perceptron": scaled(Perceptron(random_state=0)),
    "ridge_classifier": scaled(RidgeClassifier()),
    "linear_svc": scaled(LinearSVC(random_state=0)),
    "nested": make_pipeline(make_pipeline("passthrough", StandardScaler()), make_pipeline(LinearSVC(random_state=0))),
    "search": GridSearchCV(scaled(SVC()), {"svc__C": [0.5, 1.0]}),
    "discriminant": LinearDiscriminantAnalysis(),
    "by_heads": VotingClassifier([("a", LogisticRegression()), ("b", DecisionTreeClassifier(max_depth=2))]),
    "by_shares": VotingClassifier(
        [("a", LinearDiscriminantAnalysis()), ("b", DecisionTreeClassifier(max_depth=2))], voting="soft"
    ),
}
#: Models for which skl2onnx would get labels or probabilities wrong.
REFUSED = {
    "isotonic": CalibratedClassifierCV(ExtraTreesClassifier(5, random_state=0), method="isotonic"),
    "one_vs_rest": OneVsRestClassifier(SVC()),
    "bagging": BaggingClassifier(LinearSVC(random_state=0), n_estimators=3, random_state=0),
    "stacking": StackingClassifier([("a", DecisionTreeClassifier(max_depth=2))], final_estimator=SVC()),
    "voting": VotingClassifier([("a", RidgeClassifier()), ("b", LogisticRegression())]),
    "one_hot": make_pipeline(KBinsDiscretizer(3), LogisticRegression()),
}


def main(folder: Path) -> None:
    """Write them all, and their rows."""
    source = np.random.default_rng(0)
    rows = source.normal([5.8, 3.1, 3.8, 1.2], [0.8, 0.4, 1.8, 0.8], (200, 4)).astype(np.float32)
    large = rows[:, 2] + source.normal(0, 0.5, 200) > 3.8
    three = np.digitize(rows[:, 2] + source.normal(0, 0.5, 200), [3, 5])
    for name, model in {**TWO, **REFUSED}.items():
        joblib.dump(model.fit(rows, np.where(large, "large", "little")), folder / f"{name}.joblib")
    joblib.dump(
        RandomForestClassifier(5, random_state=0).fit(rows, np.stack([three, large], axis=1)), folder / "labels.joblib"
    )
    flipped = TWO["linear_svc"].fit(rows, np.where(large, "little", "large"))
    joblib.dump(flipped, folder / "flipped.joblib")
    joblib.dump(KMeans(3, n_init=1, random_state=0).fit(rows), folder / "means.joblib")
    joblib.dump(GaussianMixture(2, random_state=0).fit(rows), folder / "mixture.joblib")
    words = np.stack([rows[:, 0].astype(object), np.where(large, "x", "y").astype(object)], axis=1)
    columns = ColumnTransformer([("s", StandardScaler(), [0]), ("o", OneHotEncoder(), [1])])
    joblib.dump(make_pipeline(columns, LogisticRegression()).fit(words, large), folder / "words.joblib")
    np.savez(folder / "rows.npz", features=rows)


if __name__ == "__main__":
    warnings.simplefilter("ignore")
    main(Path(sys.argv[1]))
