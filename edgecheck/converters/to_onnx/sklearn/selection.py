"""Selections of columns, as one operator that takes them.

skl2onnx takes RFE for a classifier, with a classifier's options; it has no converter for a sequential selection; and it
makes a constant of a selection that keeps the first column alone.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from skl2onnx.algebra.onnx_ops import OnnxGather
from skl2onnx.operator_converters.common import concatenate_variables
from sklearn.feature_selection import VarianceThreshold

if TYPE_CHECKING:
    from sklearn.feature_selection import SelectorMixin


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
