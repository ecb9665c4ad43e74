"""scikit-learn to float32 `.onnx` by skl2onnx."""

from __future__ import annotations

import warnings
from importlib.metadata import version
from typing import TYPE_CHECKING, Any

import onnx
import sklearn
from skl2onnx import convert_sklearn
from skl2onnx.common.data_types import FloatTensorType
from skl2onnx.common.exceptions import MissingConverter, MissingShapeCalculator

from edgecheck.converters.interface import Made, Request
from edgecheck.converters.sources.sklearn_model import FEATURES, SklearnModel
from edgecheck.converters.sources.sklearn_parts import steps
from edgecheck.converters.to_onnx.sklearn.classifier_outputs import as_decided
from edgecheck.converters.to_onnx.sklearn.equivalents import equivalent
from edgecheck.converters.to_onnx.sklearn.float32_notes import notes
from edgecheck.converters.to_onnx.sklearn.scaling import CONVERTERS, SHAPES
from edgecheck.converters.to_onnx.sklearn.thresholds import round_down
from edgecheck.errors import ConversionError

#: What converters that were not brought up to date ask for (IsolationForest's).
_OLDER = {"": 15, "ai.onnx.ml": 3}

if TYPE_CHECKING:
    from pathlib import Path


def convert(request: Request, folder: Path) -> Made:
    """Convert a fitted model; its probabilities come as one tensor, not as a list of dicts.

    Raises:
        ConversionError: skl2onnx knows no converter for one of its parts.
    """
    source = SklearnModel(request)
    estimator = equivalent(source.model, request.title)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            model = _converted(source, estimator)
    except (MissingConverter, MissingShapeCalculator, *_REFUSALS) as error:
        raise ConversionError(
            f"skl2onnx converts no {_name(source.model)} like the one in {request.title}: {_reason(error)}.",
            "Train a model that it converts: forests, boosting, linear models, SVMs, MLPs and pipelines of them.",
        ) from error
    for part in steps(estimator):
        round_down(model, part)
    if source.is_classifier:
        as_decided(model, source, request.title)
    made = folder / "model.onnx"
    onnx.save(model, made)
    sizes = f"{request.model.stat().st_size:,} bytes as .{request.source}, {made.stat().st_size:,} as .onnx."
    return Made(
        (made,), f"skl2onnx {version('skl2onnx')}, scikit-learn {sklearn.__version__}", (*notes(source.model), sizes)
    )


#: What skl2onnx raises where it gives up on a setting of a model that it knows.
_REFUSALS = (NotImplementedError, RuntimeError, NameError, TypeError, ValueError)


def _converted(source: SklearnModel, estimator: Any) -> onnx.ModelProto:
    """Convert, with the settings that a model of this kind takes.

    An option has to be that of the classifier itself: one of the pipeline around it is handed on to classifiers that
    have no such option, which LinearSVC is.
    """
    settings: dict[str, Any] = {
        "initial_types": [(FEATURES, FloatTensorType([None, source.ports[0].dims[1]]))],
        "custom_conversion_functions": CONVERTERS,
        "custom_shape_calculators": SHAPES,
    }
    last = id(list(steps(estimator))[-1])
    plain = {last: {"zipmap": False}} if source.is_classifier else None
    try:
        return convert_sklearn(estimator, options=plain, **settings)
    except NameError:  # a classifier without that option gives a tensor anyway
        return convert_sklearn(estimator, options={last: {}}, **settings)
    except RuntimeError as error:
        if "target_opset" not in str(error):
            raise
        return convert_sklearn(estimator, options=plain, target_opset=_OLDER, **settings)


def _name(model: Any) -> str:
    """The names of a model's classes, a pipeline's after each other."""
    return " > ".join(type(step).__name__ for step in steps(model))


def _reason(error: Exception) -> str:
    """The first line of what skl2onnx says, without its invitation to open an issue."""
    return str(error).partition("\n")[0].partition(" You may raise")[0][:160].rstrip(".")
