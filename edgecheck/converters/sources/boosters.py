"""Models of XGBoost, LightGBM and CatBoost: opened from their own files, and made estimators of scikit-learn's kind.

A library is imported only for its own models: nobody has all three.
"""

from __future__ import annotations

import json
import re
from importlib import import_module
from typing import Any, NamedTuple

import numpy as np

from edgecheck.converters.interface import Request
from edgecheck.errors import ConversionError


class Library(NamedTuple):
    """A library of gradient boosting."""

    title: str
    module: str
    """Its module, which is also the extra of edgecheck that installs it."""


#: By the format of their files, which is also the name of their module.
LIBRARIES = {
    "xgboost": Library("XGBoost", "xgboost"),
    "lightgbm": Library("LightGBM", "lightgbm"),
    "catboost": Library("CatBoost", "catboost"),
}

#: Objectives of XGBoost and LightGBM whose prediction is the probability of classes.
_OF_CLASSES = re.compile(r"binary|multi|cross_entropy\b|xentropy\b")
#: Losses of CatBoost's of that kind.
_CLASSIFYING_LOSSES = ("Logloss", "CrossEntropy", "MultiClass", "MultiClassOneVsAll")
#: XGBoost's objective that predicts labels, and the one that predicts the probabilities behind them.
_LABELS_ONLY, _PROBABILITIES = "multi:softmax", "multi:softprob"
#: How a split on a category is written in LightGBM's own text: a set bit 0 of `decision_type`.
_CATEGORICAL_BIT = 1
#: Bits 2 and 3 of it, of a split that takes zeros for missing values.
_MISSING_BITS, _ZERO_IS_MISSING = 0b1100, 0b0100


def library_of(model: Any) -> Library | None:
    """The library that a model's class belongs to; `None` for other libraries."""
    return LIBRARIES.get(type(model).__module__.partition(".")[0])


def width(model: Any) -> int | None:
    """The number of features in a row; `None` where the estimator does not say or was never fitted.

    CatBoost loses `n_features_in_` when a model is saved, and keeps a name for each feature.
    """
    library = library_of(model)
    if library is not None and library.module == "catboost":
        return len(model.feature_names_ or ()) or None
    return getattr(model, "n_features_in_", None)


def missing_library(title: str, package: str) -> ConversionError | None:
    """The error for a model of a library that is not installed; `None` for packages that are not such a library."""
    from edgecheck.converters.routes import remedy

    library = LIBRARIES.get(package.partition(".")[0])
    if library is None:
        return None
    return ConversionError(
        f"{title} is a model of {library.title}, which is not installed here.", f"{remedy(library.module)}."
    )


def of_file(request: Request) -> Any:
    """The estimator in a file that a library wrote itself.

    Raises:
        ModuleNotFoundError: the library is not installed.
        Exception: the library does not open the file.
    """
    module = import_module(request.source)
    path = str(request.model)
    if request.source == "catboost":
        made = module.CatBoost()
        made.load_model(path)
        return made
    return module.Booster(model_file=path)


def as_estimator(model: Any, title: str) -> Any:
    """A fitted estimator that predicts what `model` does; other objects are returned unchanged.

    Columns are known by their number from here on: edgecheck's rows have no names.

    Args:
        model: An estimator or a booster of one of the libraries, or any other object.
        title: The model's name, to show.

    Raises:
        ConversionError: it takes categories, which no conversion keeps.
    """
    library = library_of(model)
    if library is None:
        return model
    return {"xgboost": _of_xgboost, "lightgbm": _of_lightgbm, "catboost": _of_catboost}[library.module](model, title)


def _of_xgboost(model: Any, title: str) -> Any:
    import xgboost

    if isinstance(model, xgboost.Booster):
        objective = json.loads(model.save_config())["learner"]["objective"]["name"]
        made = xgboost.XGBClassifier() if _OF_CLASSES.match(objective) else xgboost.XGBRegressor()
        made.load_model(model.save_raw("ubj"))
        model = made
    try:
        booster = model.get_booster()
    except Exception:  # noqa: BLE001 - an estimator that was never fitted, which is refused like any other
        return model
    if "c" in (booster.feature_types or ()):
        raise _categories(title)
    booster.feature_names = booster.feature_types = None
    if getattr(model, "objective", None) == _LABELS_ONLY:
        model.objective = _PROBABILITIES
        booster.set_param({"objective": _PROBABILITIES})
    return model


def _of_lightgbm(model: Any, title: str) -> Any:
    import lightgbm

    booster = model if isinstance(model, lightgbm.Booster) else getattr(model, "_Booster", None)
    if booster is None:
        return model
    text = booster.model_to_string()
    kinds = {int(kind) for line in re.findall(r"^decision_type=(.*)$", text, re.MULTILINE) for kind in line.split()}
    if any(kind & _CATEGORICAL_BIT for kind in kinds):
        raise _categories(title)
    if any(kind & _MISSING_BITS == _ZERO_IS_MISSING for kind in kinds):
        raise ConversionError(
            f"{title} takes zeros for missing values (zero_as_missing), which .onnx cannot express.",
            "Train it with NaN for missing values.",
        )
    return _lightgbm_estimator(booster, text) if model is booster else model


def _lightgbm_estimator(booster: Any, text: str) -> Any:
    """The estimator around a booster: LightGBM has no public way to make one."""
    import lightgbm
    from sklearn.preprocessing import LabelEncoder

    found = re.search(r"^objective=(.*)$", text, re.MULTILINE)
    counted = re.search(r"^num_class=(\d+)$", text, re.MULTILINE)
    classes = int(counted[1]) if counted else 1
    objective = found[1] if found else ""
    classifies = bool(_OF_CLASSES.match(objective))
    made = lightgbm.LGBMClassifier() if classifies else lightgbm.LGBMRegressor()
    facts: dict[str, Any] = {"_Booster": booster, "fitted_": True, "_objective": objective.partition(" ")[0]}
    facts |= {"_n_features": booster.num_feature(), "_n_features_in": booster.num_feature()}
    if classifies:
        labels = np.arange(max(2, classes))
        facts |= {"_classes": labels, "_n_classes": len(labels), "_class_map": dict(enumerate(labels))}
        facts["_le"] = LabelEncoder().fit(labels)
    vars(made).update(facts)
    return made


def _of_catboost(model: Any, title: str) -> Any:
    import catboost

    if not model.is_fitted():
        return model
    if model.get_cat_feature_indices() or model.get_text_feature_indices():
        raise _categories(title)
    if type(model) is not catboost.CatBoost:
        return model
    loss = str(model.get_all_params().get("loss_function", ""))
    made = catboost.CatBoostClassifier() if loss in _CLASSIFYING_LOSSES else catboost.CatBoostRegressor()
    made.load_model(blob=model._serialize_model())  # noqa: SLF001 - the public way writes a file
    return made


def _categories(title: str) -> ConversionError:
    return ConversionError(
        f"{title} splits on columns of categories or words, which .onnx does not express as its library does.",
        "Train it on numbers: encode the categories before the model, in training and on the device.",
    )
