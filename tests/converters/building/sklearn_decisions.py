"""Trains scikit-learn models that decide on categories and missing values: `python sklearn_decisions.py FOLDER`."""

from __future__ import annotations

import sys
import warnings
from pathlib import Path

import joblib
import numpy as np
from sklearn.compose import ColumnTransformer
from sklearn.ensemble import (
    BaggingRegressor,
    ExtraTreesRegressor,
    HistGradientBoostingClassifier,
    RandomForestClassifier,
    RandomForestRegressor,
)
from sklearn.feature_selection import RFE, RFECV
from sklearn.linear_model import LinearRegression, LogisticRegression, TweedieRegressor
from sklearn.multioutput import MultiOutputClassifier
from sklearn.naive_bayes import CategoricalNB
from sklearn.neighbors import KNeighborsRegressor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler
from sklearn.tree import DecisionTreeClassifier, DecisionTreeRegressor

#: Trained on rows with missing values.
GAPS = {
    "tree_gaps": DecisionTreeClassifier(max_depth=5, random_state=0),
    "forest_gaps": RandomForestClassifier(5, random_state=0),
    "scaled_gaps": make_pipeline(StandardScaler(), RandomForestClassifier(5, random_state=0)),
    "regression_gaps": RandomForestRegressor(5, random_state=0),
    "extra_gaps": ExtraTreesRegressor(5, random_state=0),
    "bagging_gaps": BaggingRegressor(DecisionTreeRegressor(max_depth=4), 3, max_features=0.7, random_state=0),
}
#: A column of whole numbers, 0 to 5, that decides.
CATEGORIES = {
    "one_hot": make_pipeline(
        ColumnTransformer([("s", StandardScaler(), [0, 1, 2]), ("o", OneHotEncoder(), [3])]), LogisticRegression()
    ),
    "boosted_categories": HistGradientBoostingClassifier(max_iter=5, categorical_features=[3], random_state=0),
}
ELIMINATIONS = {
    "eliminated": RFE(LogisticRegression(), n_features_to_select=2),
    "eliminated_first": make_pipeline(RFE(LogisticRegression(), n_features_to_select=2), LogisticRegression()),
    "eliminated_last": make_pipeline(StandardScaler(), RFECV(LogisticRegression())),
}
REGRESSIONS = {
    "eliminated_regression": RFE(LinearRegression(), n_features_to_select=2),
    "tweedie": TweedieRegressor(power=1.5),
    "near": KNeighborsRegressor(5, weights="distance"),
}


def main(folder: Path) -> None:
    """Write them all, and their rows."""
    source = np.random.default_rng(0)
    rows = np.c_[source.normal(size=(400, 3)), source.integers(0, 6, 400)].astype(np.float32)
    amounts = np.exp(0.5 * rows[:, 0] + 0.2 * (rows[:, 3] == 1))
    three = np.digitize(rows[:, 0] + (rows[:, 3] == 2), [-0.5, 0.5])
    gaps = np.where(source.random(rows.shape) < 0.2, np.float32(np.nan), rows)
    for name, model in GAPS.items():
        wanted = amounts if name in ("regression_gaps", "extra_gaps", "bagging_gaps") else three
        joblib.dump(model.fit(gaps, wanted), folder / f"{name}.joblib")
    for name, model in {**CATEGORIES, **ELIMINATIONS}.items():
        joblib.dump(model.fit(rows, three), folder / f"{name}.joblib")
    for name, model in REGRESSIONS.items():
        joblib.dump(model.fit(rows, amounts), folder / f"{name}.joblib")
    several = MultiOutputClassifier(DecisionTreeClassifier(max_depth=3, random_state=0))
    joblib.dump(several.fit(rows, np.c_[three, three > 0]), folder / "unequal_labels.joblib")
    codes = source.integers(0, 4, (300, 3)).astype(np.float32)
    joblib.dump(CategoricalNB().fit(codes, codes[:, 0] > 1), folder / "codes.joblib")
    np.savez(folder / "codes.npz", features=codes)
    np.savez(folder / "rows.npz", features=rows)
    np.savez(folder / "gaps.npz", features=gaps)


if __name__ == "__main__":
    warnings.simplefilter("ignore")
    main(Path(sys.argv[1]))
