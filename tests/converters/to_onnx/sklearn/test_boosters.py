"""XGBoost, LightGBM and CatBoost to `.onnx`, from pickles and their own files, by the libraries themselves.

Also covers `sources/boosters.py`, `anatomy/boosters.py`, and the gate's list.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
import pytest

from edgecheck.anatomy.formats import identify
from edgecheck.anatomy.reading import read
from edgecheck.converters.interface import Request
from edgecheck.converters.safety.gate import admit
from edgecheck.converters.sources.boosters import missing_library
from edgecheck.errors import ConversionError
from tests.converters.bench import requires

pytestmark = [pytest.mark.convert, requires("sklearn", "skl2onnx", "xgboost", "lightgbm", "catboost", "onnxmltools")]

#: Rows of numbers that are float32, with the classes or the value to learn.
RANDOM = np.random.Generator(np.random.PCG64(1))
ROWS = RANDOM.normal(size=(300, 5)).astype(np.float32).astype(np.float64)
PAIR = (ROWS[:, 0] + ROWS[:, 1] > 0).astype(int)
THREE = PAIR + (ROWS[:, 2] > 0.5)
VALUE = np.exp(ROWS[:, 0]) + np.abs(ROWS[:, 3])
HOLES = np.where(RANDOM.random(ROWS.shape) < 0.15, np.nan, ROWS)


def xgboost(kind: str, **settings: Any) -> Any:
    """An XGBoost estimator of a few small trees."""
    import xgboost as library

    return getattr(library, f"XGB{kind}")(n_estimators=6, max_depth=3, random_state=0, **settings)


def lightgbm(kind: str, **settings: Any) -> Any:
    """A LightGBM estimator of a few small trees."""
    import lightgbm as library

    return getattr(library, f"LGBM{kind}")(n_estimators=6, max_depth=3, verbose=-1, random_state=0, **settings)


def catboost(kind: str, **settings: Any) -> Any:
    """A CatBoost estimator of a few small trees."""
    import catboost as library

    settings = {"iterations": 6, "depth": 3, "verbose": 0, "allow_writing_files": False, **settings}
    return getattr(library, f"CatBoost{kind}")(random_seed=0, **settings)


def behind_a_scaler(model: Any) -> Any:
    """A pipeline of StandardScaler and the model."""
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    return make_pipeline(StandardScaler(), model)


CONVERTED: dict[str, Callable[[], Any]] = {
    "xgboost, two classes": lambda: xgboost("Classifier").fit(ROWS, PAIR),
    "xgboost, three classes": lambda: xgboost("Classifier").fit(ROWS, THREE),
    "xgboost, labels only": lambda: xgboost("Classifier", objective="multi:softmax").fit(ROWS, THREE),
    "xgboost, missing values": lambda: xgboost("Classifier").fit(HOLES, PAIR),
    "xgboost, counts": lambda: xgboost("Regressor", objective="count:poisson").fit(ROWS, np.round(VALUE)),
    "xgboost, pipeline": lambda: behind_a_scaler(xgboost("Classifier")).fit(ROWS, PAIR),
    "xgboost, booster": lambda: xgboost("Classifier").fit(ROWS, PAIR).get_booster(),
    "lightgbm, two classes": lambda: lightgbm("Classifier").fit(ROWS, PAIR),
    "lightgbm, words": lambda: lightgbm("Classifier").fit(ROWS, np.array(["a", "b", "c"])[THREE]),
    "lightgbm, missing values": lambda: lightgbm("Classifier").fit(HOLES, PAIR),
    "lightgbm, regression": lambda: lightgbm("Regressor").fit(ROWS, VALUE),
    "lightgbm, pipeline": lambda: behind_a_scaler(lightgbm("Regressor")).fit(ROWS, VALUE),
    "lightgbm, booster": lambda: lightgbm("Classifier").fit(ROWS, THREE).booster_,
    "catboost, two classes": lambda: catboost("Classifier").fit(ROWS, PAIR),
    "catboost, words": lambda: catboost("Classifier").fit(ROWS, np.array(["a", "b", "c"])[THREE]),
    "catboost, one versus all": lambda: catboost("Classifier", loss_function="MultiClassOneVsAll").fit(ROWS, THREE),
    "catboost, missing values": lambda: catboost("Classifier").fit(HOLES, PAIR),
    "catboost, counts": lambda: catboost("Regressor", loss_function="Poisson").fit(ROWS, np.round(VALUE)),
    "catboost, pipeline": lambda: behind_a_scaler(catboost("Classifier")).fit(ROWS, PAIR),
}
REFUSED: dict[str, tuple[Callable[[], Any], str]] = {
    "xgboost, dart": (lambda: xgboost("Classifier", booster="dart").fit(ROWS, PAIR), "does not convert"),
    "xgboost, two outputs": (
        lambda: xgboost("Regressor").fit(ROWS, np.stack([VALUE, VALUE], 1)),
        "answer otherwise|predictions .* wrong",
    ),
    "xgboost, categories": (
        lambda: xgboost("Classifier", enable_categorical=True, feature_types=["c", "q", "q", "q", "q"]).fit(
            np.column_stack([THREE, ROWS[:, 1:]]), PAIR
        ),
        "columns of categories",
    ),
    "lightgbm, linear leaves": (
        lambda: lightgbm("Regressor", linear_tree=True).fit(ROWS, VALUE),
        "predictions .* wrong",
    ),
    "lightgbm, zeros missing": (lambda: lightgbm("Regressor", zero_as_missing=True).fit(ROWS, VALUE), "takes zeros"),
    "catboost, other trees": (lambda: catboost("Classifier", grow_policy="Depthwise").fit(ROWS, PAIR), "oblivious"),
    "never fitted": (lambda: lightgbm("Classifier"), "LightGBM LGBMClassifier that does not take rows of numbers"),
}


def request(path: Path) -> Request:
    """A request as the gate admits it, without trust."""
    return admit(Request(model=path, source=identify(path).value, format="onnx", variant="float32")).request


def assert_same(path: Path, folder: Path) -> None:
    """Source and artifact answer the same on the rows of the training, with and without missing values."""
    from edgecheck.converters.sources.sklearn_model import FEATURES, open_model
    from edgecheck.converters.to_onnx.sklearn.from_sklearn import convert

    asked = request(path)
    made = convert(asked, folder)
    session = onnxruntime.InferenceSession(made.files[0])
    for rows in (ROWS, HOLES) if len(made.files) and "pipeline" not in str(path) else (ROWS,):
        feed = {FEATURES: rows.astype(np.float32)}
        wanted = [each.value for each in open_model(asked).run(feed)]
        found = session.run(None, feed)
        assert len(wanted) == len(found)
        for ours, theirs in zip(wanted, found, strict=True):
            if ours.dtype.kind == "f":
                assert np.abs(ours.reshape(np.shape(theirs)) - theirs).max() < 1e-5 * np.abs(ours).max()
            else:
                assert np.array_equal(ours.astype(str), np.asarray(theirs).astype(str))


@pytest.mark.parametrize("kind", CONVERTED)
def test_pickles_are_opened_without_trust_and_answer_the_same(kind: str, tmp_path: Path) -> None:
    import joblib

    path = tmp_path / f"{kind.replace(', ', '_')}.joblib"
    joblib.dump(CONVERTED[kind](), path)
    assert_same(path, tmp_path)


@pytest.mark.parametrize(("kind"), REFUSED)
def test_what_would_answer_otherwise_is_refused(kind: str, tmp_path: Path) -> None:
    import joblib

    from edgecheck.converters.to_onnx.sklearn.from_sklearn import convert

    make, reason = REFUSED[kind]
    path = tmp_path / "model.joblib"
    joblib.dump(make(), path)
    with pytest.raises(ConversionError, match=reason):
        convert(request(path), tmp_path)


def own_files(folder: Path) -> dict[str, Any]:
    """Files that the libraries wrote themselves, with the number of values that their trees have learned."""
    trees = {"ubj": xgboost("Classifier").fit(ROWS, THREE), "json": xgboost("Regressor").fit(ROWS, VALUE)}
    for suffix, model in trees.items():
        model.save_model(folder / f"model.{suffix}")
    boosted = lightgbm("Classifier").fit(ROWS, PAIR)
    boosted.booster_.save_model(folder / "model.txt")
    binary = catboost("Classifier").fit(ROWS, THREE)
    binary.save_model(folder / "model.cbm")
    counted = {f"model.{suffix}": len(model.get_booster().trees_to_dataframe()) for suffix, model in trees.items()}
    # LightGBM's table has a row for each split and each leaf
    counted["model.txt"] = len(boosted.booster_.trees_to_dataframe())
    counted["model.cbm"] = binary.get_leaf_values().size + sum(map(len, binary.get_borders().values())) + 3
    return counted


def test_their_own_files_are_read_to_the_byte_and_converted(tmp_path: Path) -> None:
    for name, count in own_files(tmp_path).items():
        anatomy = read(tmp_path / name)
        assert anatomy.totals.size == (tmp_path / name).stat().st_size
        assert anatomy.totals.params == count, name
        assert anatomy.totals.unclaimed < 100, name  # CatBoost's flatbuffer is padded
        assert_same(tmp_path / name, tmp_path)


def test_a_missing_library_is_named_with_the_command_that_installs_it() -> None:
    error = missing_library("churn.pkl", "lightgbm.sklearn")
    assert error is not None
    assert error.message == "churn.pkl is a model of LightGBM, which is not installed here."
    assert error.hint == "pip install 'edgecheck-ml[lightgbm]'."
    assert missing_library("churn.pkl", "pandas") is None
