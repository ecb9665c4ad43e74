"""What float32 changes in a scikit-learn model, which computes in double: repaired, or noted where nothing repairs it.

Trees decide on the last bit of a value. Scalers are computed in double precision, and thresholds are rounded down.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np
from onnx import TensorProto
from skl2onnx.algebra.onnx_ops import OnnxAdd, OnnxCast, OnnxClip, OnnxDiv, OnnxIdentity, OnnxMul, OnnxSub
from skl2onnx.common.data_types import DoubleTensorType, FloatTensorType
from skl2onnx.operator_converters.common import concatenate_variables
from sklearn.ensemble._forest import ForestClassifier
from sklearn.preprocessing import MaxAbsScaler, MinMaxScaler, RobustScaler, StandardScaler
from sklearn.tree import DecisionTreeClassifier

from edgecheck.converters.sources.sklearn_model import steps
from edgecheck.converters.sources.sklearn_rows import HISTOGRAM_BOOSTING

if TYPE_CHECKING:
    import onnx
    from numpy.typing import NDArray

    #: Operators, each with its operands besides the values.
    Steps = list[tuple[Any, tuple[NDArray[Any], ...]]]

    #: By tree: the thresholds of its nodes in double precision.
    Trees = list[NDArray[Any]]

# Scalers. skl2onnx computes them in float32 (its `div_cast` divides in double, but subtracts a float32 mean). If
# training data are integers, thresholds lie half-way between two of them, often on a third: then the last bit of the
# scaler's result decides, and one in ten rows of a forest behind a StandardScaler took another branch. Large means,
# such as times in seconds, cancel in float32. These do in double precision exactly what scikit-learn does.


def _standard(scaler: StandardScaler) -> Steps:
    centred: Steps = [(OnnxSub, (scaler.mean_,))] if scaler.with_mean else []
    return centred + ([(OnnxDiv, (scaler.scale_,))] if scaler.with_std else [])


def _robust(scaler: RobustScaler) -> Steps:
    centred: Steps = [(OnnxSub, (scaler.center_,))] if scaler.with_centering else []
    return centred + ([(OnnxDiv, (scaler.scale_,))] if scaler.with_scaling else [])


def _min_max(scaler: MinMaxScaler) -> Steps:
    moved: Steps = [(OnnxMul, (scaler.scale_,)), (OnnxAdd, (scaler.min_,))]
    return moved + _clipped(scaler, *scaler.feature_range)


def _max_abs(scaler: MaxAbsScaler) -> Steps:
    divided: Steps = [(OnnxDiv, (scaler.scale_,))]
    return divided + _clipped(scaler, -1.0, 1.0)


def _clipped(scaler: Any, least: float, most: float) -> Steps:
    """Older versions of scikit-learn have no `clip`, and neither have the files that they wrote."""
    return [(OnnxClip, (np.array(least), np.array(most)))] if getattr(scaler, "clip", False) else []


_STEPS: dict[type, Callable[[Any], Steps]] = {
    StandardScaler: _standard,
    RobustScaler: _robust,
    MinMaxScaler: _min_max,
    MaxAbsScaler: _max_abs,
}


def _convert(scope: Any, operator: Any, container: Any) -> None:
    """Convert one scaler: to double, its steps, back to float32."""
    joined = (
        concatenate_variables(scope, operator.inputs, container)
        if len(operator.inputs) > 1
        else operator.inputs[0].full_name
    )
    opset = container.target_opset
    value = OnnxCast(joined, to=TensorProto.DOUBLE, op_version=opset)
    for step, constants in _STEPS[type(operator.raw_operator)](operator.raw_operator):
        value = step(value, *(each.astype(np.float64) for each in constants), op_version=opset)
    end = operator.outputs[0]
    if isinstance(end.type, DoubleTensorType):
        OnnxIdentity(value, op_version=opset, output_names=[end.full_name]).add_to(scope, container)
        return
    OnnxCast(value, to=TensorProto.FLOAT, op_version=opset, output_names=[end.full_name]).add_to(scope, container)


def _shape(operator: Any) -> None:
    """The output has as many numbers as the inputs together."""
    width = sum(each.get_second_dimension() for each in operator.inputs)
    kind = DoubleTensorType if isinstance(operator.inputs[0].type, DoubleTensorType) else FloatTensorType
    operator.outputs[0].type = kind([operator.inputs[0].get_first_dimension(), width])


#: The `custom_conversion_functions` and `custom_shape_calculators` of `skl2onnx.convert_sklearn`.
SCALER_CONVERTERS = dict.fromkeys(_STEPS, _convert)
SCALER_SHAPES = dict.fromkeys(_STEPS, _shape)

#: The mode of a node that is a leaf, which has no threshold.
LEAF = b"LEAF"


def round_thresholds_down(model: onnx.ModelProto, part: Any) -> None:
    """Make every threshold the largest float32 that is not above scikit-learn's.

    scikit-learn compares x <= t in double precision and the artifact in float32. For an x that is a float32, x <= t and
    x <= floor(t) are equivalent, floor being to float32. skl2onnx rounds so for most trees. Those of histogram boosting
    and of classifiers with several labels it rounds to the nearest float32, which is above t for half of the
    thresholds: an x equal to it takes the other branch.

    Args:
        model: Contains the tree ensembles that skl2onnx made of `part`, and no others.
        part: A fitted model; one without such trees changes nothing.
    """
    ensembles = (node for node in model.graph.node if node.op_type.startswith("TreeEnsemble"))
    for node, trees in zip(ensembles, _ensembles(part), strict=False):
        attributes = {each.name: each for each in node.attribute}
        values = attributes["nodes_values"].floats
        places = zip(
            attributes["nodes_treeids"].ints,
            attributes["nodes_nodeids"].ints,
            attributes["nodes_modes"].strings,
            strict=True,
        )
        for at, (tree, place, mode) in enumerate(places):
            exact = float(trees[tree][place])
            if mode != LEAF and values[at] == np.float32(exact) and values[at] > exact:
                values[at] = float(np.nextafter(np.float32(exact), np.float32(-np.inf)))


def _ensembles(part: Any) -> list[Trees]:
    """The thresholds of each TreeEnsemble node, in the order of the nodes."""
    if isinstance(part, HISTOGRAM_BOOSTING):
        grown = part._predictors  # noqa: SLF001 - nothing public holds the trees
        return [[tree.nodes["num_threshold"] for iteration in grown for tree in iteration]]
    if isinstance(part, ForestClassifier) and part.n_outputs_ > 1:
        return [[tree.tree_.threshold] for tree in part.estimators_]
    if isinstance(part, DecisionTreeClassifier) and part.n_outputs_ > 1:
        return [[part.tree_.threshold]]
    return []


#: A step between two float32 numbers, in spreads of the feature, from which probabilities may change by over 1e-5.
_COARSE = 1e-4


def float32_notes(model: Any) -> tuple[str, ...]:
    """What float32 loses and no converter can repair, one sentence each: too fine features, too fine thresholds."""
    parts = list(steps(model))
    located = _centres_and_spreads(parts[0])
    found = [_too_fine(*located) if located is not None else ""]
    if any(isinstance(part, HISTOGRAM_BOOSTING) for part in parts[1:]):
        found.append(
            "Histogram boosting compares the output of the steps before it in double precision, the artifact in"
            " float32: a value on a threshold may take the other branch."
        )
    return tuple(note for note in found if note)


def _centres_and_spreads(first: Any) -> tuple[Any, Any] | None:
    """Where the features lie and how far they spread, if the first step is a scaler."""
    if isinstance(first, StandardScaler) and first.with_mean and first.with_std:
        return first.mean_, first.scale_
    if isinstance(first, RobustScaler) and first.with_centering and first.with_scaling:
        return first.center_, first.scale_
    if isinstance(first, MinMaxScaler):
        return first.data_max_, first.data_range_
    return None


def _too_fine(centres: Any, spreads: Any) -> str:
    """A note on the feature that float32 resolves worst; empty if that is fine enough."""
    gaps = np.spacing(np.abs(centres).astype(np.float32)).astype(np.float64)
    shares = np.where(np.isfinite(spreads) & (spreads > 0), gaps / np.where(spreads > 0, spreads, 1.0), 0.0)
    worst = int(np.argmax(shares))
    if not shares[worst] > _COARSE:
        return ""
    return (
        f"Its input is float32, where numbers around {centres[worst]:.3g} are {gaps[worst]:.2g} apart:"
        f" feature {worst} lies there and spreads over {spreads[worst]:.3g}; finer differences are lost before the"
        " model sees them. Subtract a constant from it in training and on the device."
    )
