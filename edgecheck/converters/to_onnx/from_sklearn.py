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
from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor

from edgecheck.converters.interface import Made, Request
from edgecheck.converters.sources.sklearn_model import FEATURES, SklearnModel
from edgecheck.converters.to_onnx.precision import notes, steps
from edgecheck.converters.to_onnx.scaling import CONVERTERS, SHAPES
from edgecheck.converters.to_onnx.thresholds import round_down
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
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            model = _converted(source)
            for part in steps(source.model):
                if isinstance(part, (HistGradientBoostingClassifier, HistGradientBoostingRegressor)):
                    round_down(model, part)
    except (MissingConverter, MissingShapeCalculator) as error:
        raise ConversionError(
            f"skl2onnx converts no {type(source.model).__name__} like the one in {request.title}:"
            f" {str(error).splitlines()[0][:160]}",
            "Train a model that it converts: forests, boosting, linear models, SVMs, MLPs and pipelines of them.",
        ) from error
    made = folder / "model.onnx"
    onnx.save(model, made)
    sizes = f"{request.model.stat().st_size:,} bytes as .{request.source}, {made.stat().st_size:,} as .onnx."
    return Made(
        (made,), f"skl2onnx {version('skl2onnx')}, scikit-learn {sklearn.__version__}", (*notes(source.model), sizes)
    )


def _converted(source: SklearnModel) -> onnx.ModelProto:
    """Convert, with the settings that a model of this kind takes."""
    settings: dict[str, Any] = {
        "initial_types": [(FEATURES, FloatTensorType([None, source.ports[0].dims[1]]))],
        "custom_conversion_functions": CONVERTERS,
        "custom_shape_calculators": SHAPES,
    }
    plain = {id(source.model): {"zipmap": False}} if source.is_classifier else None
    try:
        return convert_sklearn(source.model, options=plain, **settings)
    except NameError:  # a classifier without that option gives a tensor anyway
        return convert_sklearn(source.model, **settings)
    except RuntimeError as error:
        if "target_opset" not in str(error):
            raise
        return convert_sklearn(source.model, options=plain, target_opset=_OLDER, **settings)
