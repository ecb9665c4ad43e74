"""scikit-learn to float32 `.onnx` by skl2onnx."""

from __future__ import annotations

import warnings
from importlib.metadata import version
from pathlib import Path
from typing import Any

import onnx
import sklearn
from skl2onnx import convert_sklearn
from skl2onnx.common.data_types import FloatTensorType
from skl2onnx.common.exceptions import MissingConverter, MissingShapeCalculator

from edgecheck.converters.interface import Made, Request
from edgecheck.converters.sources.sklearn_columns import in_order
from edgecheck.converters.sources.sklearn_model import FEATURES, SklearnModel, steps
from edgecheck.converters.to_onnx.sklearn import boosters, missing_values, precision, same_answers, selection
from edgecheck.converters.to_onnx.sklearn.classifier_outputs import match_decisions
from edgecheck.converters.to_onnx.sklearn.equivalents import equivalent
from edgecheck.converters.to_onnx.sklearn.trial import Trial
from edgecheck.errors import ConversionError

#: The opsets that outdated converters of skl2onnx's need (IsolationForest's).
_OLDER = {"": 15, "ai.onnx.ml": 3}

#: What skl2onnx raises for a setting that it does not convert, of a model that it does.
_REFUSALS = (NotImplementedError, RuntimeError, NameError, TypeError, ValueError)


def convert(request: Request, folder: Path) -> Made:
    """Convert a fitted model; its probabilities become one tensor instead of a list of dicts.

    Raises:
        ConversionError: skl2onnx has no converter for one of its parts.
    """
    source = SklearnModel(request)
    trial = Trial(source, request)  # before the model is changed
    estimator = equivalent(source.model, request.title)
    libraries = boosters.register(estimator)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            model = _converted(source, estimator)
    except (MissingConverter, MissingShapeCalculator, *_REFUSALS) as error:
        raise _not_converted(source, request.title, error) from error
    except Exception as error:
        if not libraries:
            raise
        raise _not_converted(source, request.title, error, boosters.INSTEAD) from error
    _correct(model, estimator)
    if source.is_classifier:
        match_decisions(model, source, trial)
    trial.ensure_same(model)
    for library in libraries:
        same_answers.ensure_same(model, source, request.title, library)
    made = folder / "model.onnx"
    onnx.save(model, made)
    used = "".join(f", {each.title} {version(each.module)}" for each in libraries)
    route = f"skl2onnx {version('skl2onnx')}, scikit-learn {sklearn.__version__}{used}"
    return Made((made,), route, (*_notes(source), _sizes(request, made)))


def _notes(source: SklearnModel) -> tuple[str, ...]:
    """The order of named columns, and what float32 inputs lose."""
    return (*([in_order(source.names)] if source.names else []), *precision.float32_notes(source.model))


def _sizes(request: Request, made: Path) -> str:
    return f"{request.model.stat().st_size:,} bytes as .{request.source}, {made.stat().st_size:,} as .onnx."


def _correct(model: onnx.ModelProto, estimator: Any) -> None:
    """Write what skl2onnx loses: thresholds that float32 rounds up, and where missing values go."""
    for part in steps(estimator):
        precision.round_thresholds_down(model, part)
    boosters.round_down(model, estimator)
    missing_values.follow(model, estimator)


def _not_converted(
    source: SklearnModel,
    title: str,
    error: Exception,
    hint: str = "Train a model that it converts: forests, boosting, linear models, SVMs, MLPs and pipelines of them.",
) -> ConversionError:
    return ConversionError(f"skl2onnx does not convert the {_name(source.model)} in {title}: {_reason(error)}.", hint)


def _converted(source: SklearnModel, estimator: Any) -> onnx.ModelProto:
    """Convert, with the settings that fit the kind of model.

    An option has to be set for the classifier itself: one of the pipeline around it would be passed to classifiers that
    do not have the option, such as LinearSVC.
    """
    settings: dict[str, Any] = {
        "initial_types": [(FEATURES, FloatTensorType([None, source.ports[0].dims[1]]))],
        "custom_conversion_functions": {**precision.SCALER_CONVERTERS, **selection.CONVERTERS},
        "custom_shape_calculators": {**precision.SCALER_SHAPES, **selection.SHAPES},
    }
    last = id(list(steps(estimator))[-1])
    plain = {last: {"zipmap": False}} if source.is_classifier else None
    try:
        return convert_sklearn(estimator, options=plain, **settings)
    except NameError:  # a classifier without that option returns a tensor anyway
        return convert_sklearn(estimator, options={last: {}}, **settings)
    except RuntimeError as error:
        if "target_opset" not in str(error):
            raise
        return convert_sklearn(estimator, options=plain, target_opset=_OLDER, **settings)


def _name(model: Any) -> str:
    """The name of a model's class; of a pipeline, those of its steps."""
    return " > ".join(type(step).__name__ for step in steps(model))


def _reason(error: Exception) -> str:
    """The first line of what skl2onnx says, without its invitation to open an issue."""
    if isinstance(error, KeyError):  # XGBoost's configuration of other boosters lacks what onnxmltools reads
        return f"its configuration has no {error}"
    return str(error).partition("\n")[0].partition(" You may raise")[0][:160].rstrip(".")
