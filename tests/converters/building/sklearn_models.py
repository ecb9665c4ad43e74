"""Trains the scikit-learn models of the tests: `python sklearn_models.py FOLDER`."""

from __future__ import annotations

import pickle
import sys
import warnings
from pathlib import Path

import joblib
import numpy as np
import skops.io
from sklearn.datasets import load_breast_cancer, load_digits, load_iris
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
from sklearn.preprocessing import LabelEncoder, MaxAbsScaler, MinMaxScaler, RobustScaler, StandardScaler
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

#: In front of a forest on integers: thresholds lie half-way between two, often on a third.
SCALERS = {
    "standard": [StandardScaler()],
    "standard_select": [StandardScaler(), SelectKBest(k=12)],
    "between": [MinMaxScaler(clip=True)],
    "largest": [MaxAbsScaler()],
    "robust": [RobustScaler()],
}


def on_thresholds(folder: Path) -> None:
    """Histogram boosting learns thresholds in double precision, between decimals that are not float32 numbers."""
    cells, grown = load_breast_cancer(return_X_y=True)
    joblib.dump(HistGradientBoostingClassifier(random_state=0).fit(cells, grown), folder / "thresholds.joblib")
    np.savez(folder / "cells.npz", features=cells[:256])


def scaled(folder: Path) -> None:
    """A forest behind each scaler, and a model of times in seconds since 1970."""
    pictures, digits = load_digits(return_X_y=True)
    for name, steps in SCALERS.items():
        model = make_pipeline(*steps, RandomForestClassifier(20, random_state=0)).fit(pictures, digits)
        joblib.dump(model, folder / f"scaled_{name}.joblib")
    np.savez(folder / "digits.npz", features=pictures[:200])
    source = np.random.default_rng(0)
    times = np.stack([1.7e9 + source.uniform(0, 200, 400), source.normal(size=400)], axis=1)
    late = times[:, 0] + 40 * times[:, 1] > 1.7e9 + 100
    joblib.dump(make_pipeline(StandardScaler(), LogisticRegression()).fit(times, late), folder / "times.joblib")
    np.savez(folder / "times.npz", features=times)


def main(folder: Path) -> None:
    """Write them all."""
    scaled(folder)
    on_thresholds(folder)
    rows, labels = load_iris(return_X_y=True)
    for name, model in MODELS.items():
        model.fit(rows, labels)
        joblib.dump(model, folder / f"{name}.joblib")
    joblib.dump(MODELS["forest"], folder / "packed.joblib", compress=3)
    for name in ("forest", "logistic"):
        (folder / f"{name}.pkl").write_bytes(pickle.dumps(MODELS[name]))
        skops.io.dump(MODELS[name], folder / f"{name}.skops")
    joblib.dump(LabelEncoder().fit(["a", "b"]), folder / "encoder.joblib")
    joblib.dump({"model": MODELS["forest"]}, folder / "dict.joblib")
    joblib.dump(LogisticRegression(), folder / "unfitted.joblib")
    np.savez(folder / "iris.npz", features=rows.astype(np.float32))


if __name__ == "__main__":
    warnings.simplefilter("ignore")
    main(Path(sys.argv[1]))
