"""Models that skl2onnx converts wrongly or not at all, in an equivalent form that it converts correctly.

Selections of columns are among them.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from skl2onnx.algebra.onnx_ops import OnnxGather
from skl2onnx.operator_converters.common import concatenate_variables
from sklearn.calibration import CalibratedClassifierCV
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis
from sklearn.ensemble import BaggingClassifier, StackingClassifier, VotingClassifier
from sklearn.feature_selection import RFE, SelectorMixin, VarianceThreshold
from sklearn.linear_model import LogisticRegression
from sklearn.multiclass import OneVsRestClassifier
from sklearn.pipeline import Pipeline

from edgecheck.converters.sources.sklearn_model import steps
from edgecheck.converters.sources.sklearn_rows import HISTOGRAM_BOOSTING, best_found
from edgecheck.errors import ConversionError

#: Classes for which a classifier returns a single score.
_PAIR = 2


def equivalent(model: Any, title: str) -> Any:
    """A model that predicts the same; the original may be changed, and a new pipeline shares its steps.

    Args:
        model: Fitted.
        title: Its name, to show.

    Raises:
        ConversionError: there is none that skl2onnx converts correctly.
    """
    model = best_found(model)
    if isinstance(model, (Pipeline, RFE)):
        # flattened: options of an inner pipeline would be passed to classifiers that do not have them
        *before, last = _unfolded(model)
        parts = [selection(step) if isinstance(step, SelectorMixin) else step for step in before]
        return Pipeline([(str(at), step) for at, step in enumerate([*parts, equivalent(last, title)])])
    if isinstance(model, HISTOGRAM_BOOSTING) and model.is_categorical_ is not None and np.any(model.is_categorical_):
        raise ConversionError(
            f"{title} is histogram boosting with categories (`categorical_features`), which skl2onnx converts as"
            " numbers: its answers would be wrong.",
            "Train it without `categorical_features`, on columns that are one-hot encoded in front of it.",
        )
    if isinstance(model, LinearDiscriminantAnalysis) and len(model.classes_) == _PAIR:
        return _logistic(model)
    if isinstance(model, CalibratedClassifierCV) and model.method == "isotonic":
        raise ConversionError(
            f"{title} is calibrated with isotonic regression, which skl2onnx converts to steps: probabilities would"
            " be wrong by up to 0.1.",
            "Calibrate it with method='sigmoid', or convert the model without its calibration.",
        )
    if isinstance(model, (BaggingClassifier, OneVsRestClassifier, StackingClassifier, VotingClassifier)):
        _ensure_members_count(model, title)
        model.estimators_ = [equivalent(member, title) for member in model.estimators_]
    if isinstance(model, VotingClassifier):
        model.flatten_transform = False  # skl2onnx refuses the default, which only affects `transform`
    return model


def _unfolded(model: Any) -> list[Any]:
    """The steps of a pipeline; an elimination at its end as a selection and the model that it fitted."""
    *before, last = steps(model)
    return [*before, last, *_unfolded(last.estimator_)] if isinstance(last, RFE) else [*before, last]


def _ensure_members_count(model: Any, title: str) -> None:
    """Refuse members without probabilities if skl2onnx would take their scores for probabilities.

    It then assigns every row to one class, or to the other: found in all of these, with up to all labels wrong.
    """
    if isinstance(model, (StackingClassifier, VotingClassifier)) and len(model.classes_) > _PAIR:
        return
    members = [*model.estimators_, getattr(model, "final_estimator_", None)]
    for member in members:
        if member is not None and not hasattr(member, "predict_proba"):
            kind = type(list(steps(member))[-1]).__name__
            raise ConversionError(
                f"{title} holds {type(model).__name__} over {kind}, which has no probabilities: skl2onnx would get"
                " its labels wrong.",
                f"Wrap {kind} in CalibratedClassifierCV, which adds probabilities, or train another model.",
            )


def _logistic(discriminant: LinearDiscriminantAnalysis) -> LogisticRegression:
    """The same for two classes, 1 / (1 + exp(-score)); skl2onnx's discriminant computes 1 / (1 + exp(-2 score))."""
    made = LogisticRegression()
    made.classes_, made.n_features_in_ = discriminant.classes_, discriminant.n_features_in_
    made.coef_, made.intercept_ = discriminant.coef_, discriminant.intercept_
    made.n_iter_ = np.zeros(1, np.int32)
    return made


# skl2onnx takes RFE for a classifier, with a classifier's options; it has no converter for a sequential selection; and
# it makes a constant of a selection that keeps the first column alone.


def selection(selector: SelectorMixin) -> VarianceThreshold:
    """The same columns by the plainest selector, which `CONVERTERS` converts."""
    made = VarianceThreshold()
    made.variances_ = selector.get_support().astype(np.float64)
    made.n_features_in_ = selector.n_features_in_
    return made


def _convert(scope: Any, operator: Any, container: Any) -> None:
    joined = (
        concatenate_variables(scope, operator.inputs, container)
        if len(operator.inputs) > 1
        else operator.inputs[0].full_name
    )
    columns = operator.raw_operator.get_support(indices=True).astype(np.int64)
    opset, names = container.target_opset, [operator.outputs[0].full_name]
    OnnxGather(joined, columns, axis=1, op_version=opset, output_names=names).add_to(scope, container)


def _shape(operator: Any) -> None:
    first = operator.inputs[0]
    width = int(operator.raw_operator.get_support().sum())
    operator.outputs[0].type = type(first.type)([first.get_first_dimension(), width])


#: The `custom_conversion_functions` and `custom_shape_calculators` of `skl2onnx.convert_sklearn`.
CONVERTERS = {VarianceThreshold: _convert}
SHAPES = {VarianceThreshold: _shape}
