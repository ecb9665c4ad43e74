"""Models that skl2onnx converts wrongly or not at all, in a form that it converts rightly."""

from __future__ import annotations

from typing import Any

import numpy as np
from sklearn.calibration import CalibratedClassifierCV
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis
from sklearn.ensemble import BaggingClassifier, StackingClassifier, VotingClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.multiclass import OneVsRestClassifier
from sklearn.pipeline import Pipeline

from edgecheck.converters.sources.sklearn_parts import found, steps
from edgecheck.errors import ConversionError

_PAIR = 2
"""Classes, of which a classifier gives one score."""


def equivalent(model: Any, title: str) -> Any:
    """A model that predicts the same; the one given may be changed. A pipeline's parts are the given one's.

    Args:
        model: Fitted.
        title: What a person knows it as.

    Raises:
        ConversionError: there is none.
    """
    model = found(model)
    if isinstance(model, Pipeline):  # flat: what skl2onnx tells an inner pipeline, not every classifier in it takes
        *before, last = steps(model)
        return Pipeline([(str(at), step) for at, step in enumerate([*before, equivalent(last, title)])])
    if isinstance(model, LinearDiscriminantAnalysis) and len(model.classes_) == _PAIR:
        return _logistic(model)
    if isinstance(model, CalibratedClassifierCV) and model.method == "isotonic":
        raise ConversionError(
            f"{title} is calibrated with isotonic regression, which skl2onnx converts to steps: probabilities would"
            " be off by up to a tenth.",
            "Calibrate it with method='sigmoid', or convert the model without its calibration.",
        )
    if isinstance(model, (BaggingClassifier, OneVsRestClassifier, StackingClassifier, VotingClassifier)):
        _ensure_members_count(model, title)
        model.estimators_ = [equivalent(member, title) for member in model.estimators_]
    if isinstance(model, VotingClassifier):
        model.flatten_transform = False  # skl2onnx refuses the default, which says what `transform` gives
    return model


def _ensure_members_count(model: Any, title: str) -> None:
    """Refuse members without probabilities where skl2onnx takes their scores for some.

    It gives every row to one class then, or to the other one: found in all of these, with up to all labels wrong.
    """
    if isinstance(model, (StackingClassifier, VotingClassifier)) and len(model.classes_) > _PAIR:
        return
    members = [*model.estimators_, getattr(model, "final_estimator_", None)]
    for member in members:
        if member is not None and not hasattr(member, "predict_proba"):
            kind = type(list(steps(member))[-1]).__name__
            raise ConversionError(
                f"{title} holds {type(model).__name__} over {kind}, which has no probabilities: skl2onnx converts that"
                " to other labels.",
                f"Wrap {kind} in CalibratedClassifierCV, which gives it probabilities, or train another model.",
            )


def _logistic(discriminant: LinearDiscriminantAnalysis) -> LogisticRegression:
    """Of two classes, both say 1 / (1 + exp(-score)); skl2onnx's discriminant says 1 / (1 + exp(-2 score))."""
    made = LogisticRegression()
    made.classes_, made.n_features_in_ = discriminant.classes_, discriminant.n_features_in_
    made.coef_, made.intercept_ = discriminant.coef_, discriminant.intercept_
    made.n_iter_ = np.zeros(1, np.int32)
    return made
