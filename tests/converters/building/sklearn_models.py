"""Trains the scikit-learn models of the tests: `python sklearn_models.py FOLDER`."""

from __future__ import annotations

import pickle
import sys
import warnings
from pathlib import Path

import joblib
import numpy as np
import skops.io
from sklearn.datasets import load_iris
from sklearn.ensemble import (
    GradientBoostingClassifier,
    HistGradientBoostingClassifier,
    IsolationForest,
    RandomForestClassifier,
    RandomForestRegressor,
)
from sklearn.feature_selection import SelectKBest
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import LabelEncoder, StandardScaler
from sklearn.svm import SVC, LinearSVC

MODELS = {
    "forest": RandomForestClassifier(20, random_state=0),
    "forest_regressor": RandomForestRegressor(10, random_state=0),
    "boosting": GradientBoostingClassifier(n_estimators=5, random_state=0),
    "histogram_boosting": HistGradientBoostingClassifier(max_iter=5, random_state=0),
    "logistic": make_pipeline(StandardScaler(), LogisticRegression()),
    "ridge": Ridge(),
    "svc": make_pipeline(StandardScaler(), SVC()),
    "linear_svc": LinearSVC(random_state=0),
    "mlp": make_pipeline(StandardScaler(), MLPClassifier((16,), max_iter=200, random_state=0)),
    "select": make_pipeline(SelectKBest(k=2), LogisticRegression()),
    "isolation": IsolationForest(n_estimators=5, random_state=0),
}


def main(folder: Path) -> None:
    """Write them all."""
    rows, labels = load_iris(return_X_y=True)
    for name, model in MODELS.items():
        model.fit(rows, labels)
        joblib.dump(model, folder / f"{name}.joblib")
    joblib.dump(MODELS["forest"], folder / "packed.joblib", compress=3)
    for name in ("forest", "logistic"):
        (folder / f"{name}.pkl").write_bytes(pickle.dumps(MODELS[name]))
        skops.io.dump(MODELS[name], folder / f"{name}.skops")
    joblib.dump(LabelEncoder().fit(["a", "b"]), folder / "encoder.joblib")
    joblib.dump(LogisticRegression(), folder / "unfitted.joblib")
    np.savez(folder / "iris.npz", features=rows.astype(np.float32))


if __name__ == "__main__":
    warnings.simplefilter("ignore")
    main(Path(sys.argv[1]))
