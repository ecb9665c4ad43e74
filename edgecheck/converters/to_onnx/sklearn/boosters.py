"""XGBoost, LightGBM and CatBoost in skl2onnx: their converters, and what those get wrong.

XGBoost's and LightGBM's converters are onnxmltools'; CatBoost exports itself.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import onnx
from onnx import helper
from skl2onnx import update_registered_converter
from skl2onnx.common.data_types import FloatTensorType, Int64TensorType, StringTensorType
from skl2onnx.common.shape_calculator import (
    calculate_linear_classifier_output_shapes,
    calculate_linear_regressor_output_shapes,
)

from edgecheck.converters.routes import remedy
from edgecheck.converters.sources.boosters import Library, library_of
from edgecheck.converters.sources.onnx_runner import session_of
from edgecheck.converters.sources.sklearn_model import FEATURES, steps
from edgecheck.errors import ConversionError

if TYPE_CHECKING:
    import onnx
    from numpy.typing import NDArray

    from edgecheck.converters.sources.boosters import Library
    from edgecheck.converters.sources.sklearn_model import SklearnModel

#: What to do where a model is not converted.
INSTEAD = "Train trees on numbers, with the library's default booster and objective: these convert."
#: Where scikit-learn's models keep those that they are made of.
_INNER = ("estimators_", "estimator_", "estimator", "final_estimator_", "calibrated_classifiers_", "regressor_")
#: Losses of CatBoost's whose prediction is the exponential of the trees' sum, and the one with a sigmoid per class.
_EXPONENTIAL, _ONE_VS_ALL = ("Poisson", "Tweedie"), "MultiClassOneVsAll"


def register(estimator: Any) -> tuple[Library, ...]:
    """Teach skl2onnx the libraries that the steps of `estimator` come from, and return these.

    Raises:
        ConversionError: onnxmltools is not installed.
    """
    found = {library for part in _parts(estimator) if (library := library_of(part)) is not None}
    for library in found:
        try:
            _REGISTER[library.module]()
        except ModuleNotFoundError as error:
            raise ConversionError(
                f"{error.name} is not installed here; it converts models of {library.title}.",
                f"{remedy(library.module)}.",
            ) from error
    return tuple(found)


def _parts(model: Any) -> Iterator[Any]:
    """A model's steps, and the models inside them: of a vote, a stack, a calibration."""
    for step in steps(model):
        yield step
        inner = [getattr(step, name, None) for name in _INNER]
        for each in inner:
            for part in each if isinstance(each, (list, tuple, np.ndarray)) else [each]:
                if hasattr(part, "__dict__") and part is not step:
                    yield from _parts(part)


def _register_xgboost() -> None:
    import xgboost
    from onnxmltools.convert.xgboost.operator_converters.XGBoost import convert_xgboost

    options = {"nocl": [True, False], "zipmap": [True, False, "columns"]}
    shapes = calculate_linear_classifier_output_shapes
    for each in (xgboost.XGBClassifier, xgboost.XGBRFClassifier):
        update_registered_converter(each, each.__name__, shapes, convert_xgboost, options=options)
    for each in (xgboost.XGBRegressor, xgboost.XGBRFRegressor, xgboost.XGBRanker):
        update_registered_converter(each, each.__name__, calculate_linear_regressor_output_shapes, convert_xgboost)


def _register_lightgbm() -> None:
    import lightgbm
    from onnxmltools.convert.lightgbm.operator_converters.LightGbm import convert_lightgbm

    options = {"nocl": [True, False], "zipmap": [True, False, "columns"]}
    shapes = calculate_linear_classifier_output_shapes
    update_registered_converter(lightgbm.LGBMClassifier, "LGBMClassifier", shapes, convert_lightgbm, options=options)
    for each in (lightgbm.LGBMRegressor, lightgbm.LGBMRanker):
        update_registered_converter(
            each, each.__name__, calculate_linear_regressor_output_shapes, convert_lightgbm, options={"split": None}
        )


def _register_catboost() -> None:
    import catboost

    options = {"zipmap": [True, False, "columns"]}
    update_registered_converter(
        catboost.CatBoostClassifier,
        "CatBoostClassifier",
        _catboost_classes,
        _convert_catboost,
        parser=_catboost_classifier,
        options=options,
    )
    for each in (catboost.CatBoostRegressor, catboost.CatBoostRanker):
        update_registered_converter(each, each.__name__, calculate_linear_regressor_output_shapes, _convert_catboost)


_REGISTER = {"xgboost": _register_xgboost, "lightgbm": _register_lightgbm, "catboost": _register_catboost}


def _catboost_classifier(scope: Any, model: Any, inputs: Any, custom_parsers: Any = None) -> Any:
    """The operator of a classifier, with two outputs: skl2onnx gives one to what is not of scikit-learn's classes."""
    del custom_parsers
    operator = scope.declare_local_operator("CatBoostClassifier", model)
    operator.inputs = inputs
    label = StringTensorType if isinstance(model.classes_[0], str) else Int64TensorType
    operator.outputs.append(scope.declare_local_variable("label", label()))
    operator.outputs.append(scope.declare_local_variable("probabilities", FloatTensorType()))
    return operator.outputs


def _catboost_classes(operator: Any) -> None:
    """The shapes of a classifier's outputs."""
    classes = operator.raw_operator.classes_
    label = StringTensorType if isinstance(classes[0], str) else Int64TensorType
    rows = operator.inputs[0].type.shape[0]
    operator.outputs[0].type = label([rows])
    operator.outputs[1].type = FloatTensorType([rows, len(classes)])


def _convert_catboost(scope: Any, operator: Any, container: Any) -> None:
    """Copy the nodes that CatBoost's own export writes; its ZipMap is left out."""
    from catboost.utils import convert_to_onnx_object

    model = operator.raw_operator
    graph = convert_to_onnx_object(model).graph
    loss = str(model.get_all_params().get("loss_function", "")).partition(":")[0]
    if loss == _ONE_VS_ALL:  # its export writes a softmax
        for node in graph.node:
            for each in node.attribute:
                if each.name == "post_transform":
                    each.s = b"LOGISTIC"
    if loss in _EXPONENTIAL:
        trees = graph.node[0].output[0]
        graph.node.append(helper.make_node("Exp", [trees], [f"exp_{trees}"]))
    names = {graph.input[0].name: operator.inputs[0].full_name}
    nodes = [node for node in graph.node if node.op_type != "ZipMap"]
    ends = [name for node in nodes for name in node.output if not any(name in other.input for other in nodes)]
    names |= dict(zip(ends, [each.full_name for each in operator.outputs], strict=True))
    for node in nodes:
        for name in node.output:
            names.setdefault(name, scope.get_unique_variable_name(name))
        container.add_node(
            node.op_type,
            [names[name] for name in node.input],
            [names[name] for name in node.output],
            op_domain=node.domain,
            op_version=1 if node.domain else container.target_opset,
            name=scope.get_unique_operator_name(node.op_type),
            **{each.name: helper.get_attribute_value(each) for each in node.attribute},
        )


_LIGHTGBM_SPLITS = re.compile(r"^split_feature=(.*)\n(?:.*\n)*?threshold=(.*)$", re.MULTILINE)


def round_down(model: onnx.ModelProto, estimator: Any) -> None:
    """Make every threshold of LightGBM's the largest float32 that is not above it.

    LightGBM compares x <= t in double precision; the artifact compares in float32, where a threshold that was rounded
    up would send an equal x the other way.

    Args:
        model: The converted model; its thresholds are the nearest float32.
        estimator: What it was converted from; one without LightGBM changes nothing.
    """
    for part in _parts(estimator):
        library = library_of(part)
        booster = getattr(part, "_Booster", None)  # `booster_` raises where a model was never fitted
        if library is None or library.module != "lightgbm" or booster is None:
            continue
        exact = _lightgbm_thresholds(booster.model_to_string())
        for values, features in thresholds(model):
            for at, feature in enumerate(features):
                lower = exact.get((feature, np.float32(values[at])))
                if lower is not None:
                    values[at] = float(lower)


def _lightgbm_thresholds(text: str) -> dict[tuple[int, np.float32], np.float32]:
    """By feature and nearest float32, the float32 below, for those that are rounded up."""
    found = {}
    for features, thresholds in _LIGHTGBM_SPLITS.findall(text):
        for feature, written in zip(features.split(), thresholds.split(), strict=True):
            exact = float(written)
            nearest = np.float32(exact)
            if float(nearest) > exact:
                found[int(feature), nearest] = np.nextafter(nearest, np.float32(-np.inf))
    return found


def thresholds(model: onnx.ModelProto) -> Iterator[tuple[Any, list[int]]]:
    """Of each tree ensemble, the thresholds, which can be changed in place, and the features they compare."""
    for node in model.graph.node:
        if node.op_type.startswith("TreeEnsemble"):
            attributes = {each.name: each for each in node.attribute}
            if "nodes_values" in attributes:
                yield attributes["nodes_values"].floats, list(attributes["nodes_featureids"].ints)


#: Rows on which source and artifact are compared.
_ROWS = 256
#: Share of their features that are missing: all three libraries take NaN.
_MISSING = 0.1
#: How far from a threshold rows are where rounding may move them, relative to it.
_ASIDE = 1e-3
#: Difference of two outputs, relative to the largest: what float32 loses in a sum of leaves stays below it.
_CLOSE = 1e-3
#: Share of rows that may differ by more: a threshold that float32 does not hold moves few rows.
_WRONG = 0.01


def ensure_same(model: onnx.ModelProto, source: SklearnModel, title: str, library: Library) -> None:
    """Compare artifact and source on rows at the model's own thresholds; some of their features are missing or zero.

    Raises:
        ConversionError: over one row in a hundred gets another answer.
    """
    rows = _rows(model, source)
    wanted = [np.asarray(each.value) for each in source.run({FEATURES: rows})]
    found = [np.asarray(each) for each in session_of(model, Path()).run(None, {FEATURES: rows})]
    wrong = _differing(wanted[-1], found[-1])
    if wrong > _WRONG:
        raise ConversionError(
            f"{title} would answer otherwise as .onnx: {wrong:.0%} of {_ROWS} rows around its thresholds differ from"
            f" {library.title}.",
            INSTEAD,
        )


def _rows(model: onnx.ModelProto, source: SklearnModel) -> NDArray[np.float32]:
    """Rows that reach both sides of every kind of split: thresholds, their neighbours, zeros and missing values."""
    random = np.random.Generator(np.random.PCG64(0))
    width = source.ports[0].dims[1] or 1
    plain = random.normal(size=(_ROWS, width)).astype(np.float32)
    before = list(steps(source.model))[:-1]
    rows: NDArray[np.float32] = plain.copy()
    for feature, values in _by_feature(model).items():
        if feature < width:  # otherwise behind a step that adds features
            rows[:, feature] = _around(np.array(values, np.float32), random, exactly=not before)
    rows[random.random(rows.shape) < _MISSING] = 0
    for step in reversed(before):  # the thresholds are those of scaled features
        if hasattr(step, "inverse_transform"):
            try:
                rows = np.asarray(step.inverse_transform(rows), np.float32)
            except (ValueError, TypeError):  # a step that was fitted on another number of columns
                return plain
    if rows.shape != plain.shape:
        return plain
    if not before and _takes_nan(source):
        rows[random.random(rows.shape) < _MISSING] = np.nan
    return rows


def _by_feature(model: onnx.ModelProto) -> dict[int, list[float]]:
    found: dict[int, list[float]] = {}
    for values, features in thresholds(model):
        for value, feature in zip(values, features, strict=True):
            found.setdefault(feature, []).append(value)
    return found


def _around(values: NDArray[np.float32], random: np.random.Generator, *, exactly: bool) -> NDArray[np.float32]:
    """Thresholds and their neighbours among float32 numbers, or what lies a little off them.

    What a scaler makes of a float32 is a float64: there, on a threshold itself, both answers are right.
    """
    chosen = random.choice(values, _ROWS)
    if not exactly:
        return np.asarray(chosen * (1 + _ASIDE * random.choice([-1, 1], _ROWS)), np.float32)
    side = random.integers(-1, 2, _ROWS)
    moved = np.nextafter(chosen, np.where(side > 0, np.inf, -np.inf).astype(np.float32))
    chosen[side != 0] = moved[side != 0]
    return chosen


def _takes_nan(source: SklearnModel) -> bool:
    """Whether the model predicts from missing values; a linear model on top of boosted trees does not."""
    row = np.full((1, source.ports[0].dims[1] or 1), np.nan, np.float32)
    try:
        source.run({FEATURES: row})
    except Exception:  # noqa: BLE001 - each library has its own errors
        return False
    return True


def _differing(wanted: NDArray[Any], found: NDArray[Any]) -> float:
    """The share of rows whose last output, scores or a prediction, is another."""
    if wanted.dtype.kind not in "fiu" or wanted.size != found.size:
        return float(wanted.size != found.size or (wanted.ravel() != found.ravel()).mean())
    wanted = wanted.reshape(len(wanted), -1)
    far = np.abs(wanted - found.reshape(wanted.shape)).max(axis=1)
    scale = np.abs(wanted).max()
    return float((~(far <= _CLOSE * max(float(scale), 1e-30))).mean())
