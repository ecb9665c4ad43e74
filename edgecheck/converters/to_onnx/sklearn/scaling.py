"""Scalers in double precision: trees behind them decide on the last bit of what a scaler gives.

skl2onnx computes scalers in float32 (its `div_cast` divides in double, but subtracts a float32 mean). Where training
data are whole numbers, thresholds lie half-way between two of them, which often is a third: then its last bit decides,
and one in ten rows of a forest behind a StandardScaler took another branch. Large means, such as times in seconds,
cancel in float32. So these do in double precision, operation for operation, what scikit-learn does.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from onnx import TensorProto
from skl2onnx.algebra.onnx_ops import OnnxAdd, OnnxCast, OnnxClip, OnnxDiv, OnnxIdentity, OnnxMul, OnnxSub
from skl2onnx.common.data_types import DoubleTensorType, FloatTensorType
from skl2onnx.operator_converters.common import concatenate_variables
from sklearn.preprocessing import MaxAbsScaler, MinMaxScaler, RobustScaler, StandardScaler

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    Steps = list[tuple[Any, tuple[NDArray[Any], ...]]]
    """Operators, each with what it takes besides the values."""


def _standard(scaler: StandardScaler) -> Steps:
    centred: Steps = [(OnnxSub, (scaler.mean_,))] if scaler.with_mean else []
    return centred + ([(OnnxDiv, (scaler.scale_,))] if scaler.with_std else [])


def _robust(scaler: RobustScaler) -> Steps:
    centred: Steps = [(OnnxSub, (scaler.center_,))] if scaler.with_centering else []
    return centred + ([(OnnxDiv, (scaler.scale_,))] if scaler.with_scaling else [])


def _between(scaler: MinMaxScaler) -> Steps:
    moved: Steps = [(OnnxMul, (scaler.scale_,)), (OnnxAdd, (scaler.min_,))]
    return moved + _clipped(scaler, *scaler.feature_range)


def _largest(scaler: MaxAbsScaler) -> Steps:
    divided: Steps = [(OnnxDiv, (scaler.scale_,))]
    return divided + _clipped(scaler, -1.0, 1.0)


def _clipped(scaler: Any, least: float, most: float) -> Steps:
    """Older scikit-learns know no `clip`, and a file that one of them wrote has none."""
    return [(OnnxClip, (np.array(least), np.array(most)))] if getattr(scaler, "clip", False) else []


_STEPS: dict[type, Callable[[Any], Steps]] = {
    StandardScaler: _standard,
    RobustScaler: _robust,
    MinMaxScaler: _between,
    MaxAbsScaler: _largest,
}


def _convert(scope: Any, operator: Any, container: Any) -> None:
    """One scaler: to double, its steps, back to float32."""
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
    """As many numbers as went in."""
    width = sum(each.get_second_dimension() for each in operator.inputs)
    kind = DoubleTensorType if isinstance(operator.inputs[0].type, DoubleTensorType) else FloatTensorType
    operator.outputs[0].type = kind([operator.inputs[0].get_first_dimension(), width])


#: What `skl2onnx.convert_sklearn` takes as `custom_conversion_functions` and `custom_shape_calculators`.
CONVERTERS = dict.fromkeys(_STEPS, _convert)
SHAPES = dict.fromkeys(_STEPS, _shape)
