"""What a converted classifier decides, and by what: as scikit-learn does, or not at all.

Of two classes, `decision_function` is one score. skl2onnx writes two columns or one, as the classifier is. Of the two,
the second is the score for linear models and its opposite for SVC and NuSVC, whose larger column is then that of the
class that was not chosen.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from onnx import TensorProto, helper, numpy_helper

from edgecheck.converters.sources.onnx_runner import session_of
from edgecheck.converters.sources.sklearn_model import FEATURES
from edgecheck.errors import ConversionError

if TYPE_CHECKING:
    import onnx
    from numpy.typing import NDArray

    from edgecheck.converters.sources.sklearn_model import SklearnModel

_ROWS = 128
_CLOSE = 1e-3
"""How far a score may be off, in the largest score: float32 is closer, another layout is further."""
_WRONG = 0.05
"""Share of rows with another label from which on it is no matter of rounding."""


def as_decided(model: onnx.ModelProto, source: SklearnModel, title: str) -> None:
    """Let the second output be `decision_function`, of shape [rows, 1] for two classes, where there is such a function.

    It stays what it is for classifiers with probabilities, and where it is known in no layout. Where there is neither,
    as where models vote by heads, it goes.

    Args:
        model: What was converted; its outputs are a label and scores.
        source: A classifier.
        title: What a person knows it as.

    Raises:
        ConversionError: the labels are others than the source's.
    """
    rows = np.random.Generator(np.random.PCG64(0)).normal(size=(_ROWS, source.ports[0].dims[1] or 1)).astype(np.float32)
    label, *wanted = (np.asarray(each.value) for each in source.run({FEATURES: rows}))
    found = _run(model, rows)
    _ensure_labels(label, found[0], wanted, title)
    if not wanted:
        del model.graph.output[1:]
    elif not hasattr(source.model, "predict_proba") and wanted[0].ndim == 1:
        _one_score(model, wanted[0], found[1])


def _run(model: onnx.ModelProto, rows: NDArray[np.float32]) -> list[NDArray[Any]]:
    return [np.asarray(each) for each in session_of(model, Path()).run(None, {FEATURES: rows})]


def _ensure_labels(label: NDArray[Any], found: NDArray[Any], scores: list[NDArray[Any]], title: str) -> None:
    """Compare labels where the source is sure of them."""
    if label.ndim > 1 or found.shape != label.shape:
        return  # several labels, or another layout, which the comparison with the source tells
    wrong = ~np.broadcast_to(np.asarray(label == found), label.shape)
    if scores and len(scores[0]) == len(label):
        wrong &= _is_sure(scores[0])
    if wrong.mean() > _WRONG:
        raise ConversionError(
            f"skl2onnx converts {title} to other labels: {wrong.sum()} of {len(label)} random rows get another one.",
            "Train a model of another kind; forests, boosting, linear models, SVMs and MLPs keep their labels.",
        )


def _is_sure(scores: NDArray[Any]) -> NDArray[np.bool_]:
    """Whether a row's label is further from the next one than rounding goes."""
    ranked = np.sort(scores, axis=1) if scores.ndim > 1 else np.stack([-np.abs(scores), np.abs(scores)], axis=1)
    sure: NDArray[np.bool_] = ranked[:, -1] - ranked[:, -2] > _CLOSE * np.abs(scores).max()
    return sure


def _one_score(model: onnx.ModelProto, wanted: NDArray[Any], found: NDArray[Any]) -> None:
    """Leave of several columns the one that is wanted, if one is."""
    scores = model.graph.output[1]
    if found.shape[1] > 1:
        far = np.abs(found - wanted[:, None]).max(axis=0)
        if far.min() > _CLOSE * np.abs(wanted).max():
            return
        _take(model, scores.name, int(np.argmin(far)))
    scores.CopyFrom(helper.make_tensor_value_info(scores.name, TensorProto.FLOAT, [None, 1]))


def _take(model: onnx.ModelProto, name: str, column: int) -> None:
    """Put one column of an output in its place."""
    whole = f"{name}_of_both_classes"
    for node in model.graph.node:
        for places in (node.input, node.output):
            for at, each in enumerate(places):
                if each == name:
                    places[at] = whole
    index = f"{name}_column"
    model.graph.initializer.append(numpy_helper.from_array(np.array([column], np.int64), index))
    model.graph.node.append(helper.make_node("Gather", [whole, index], [name], name=index, axis=1))
