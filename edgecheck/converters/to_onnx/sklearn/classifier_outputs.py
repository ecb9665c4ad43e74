"""The outputs of a converted classifier: labels and scores as in scikit-learn, or a refusal.

For two classes, `decision_function` is a single score. skl2onnx writes one column or two, depending on the classifier.
Of two columns, the second is the score for linear models and its negative for SVC and NuSVC, where the larger column
then belongs to the class that was not chosen.
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

#: Random rows on which source and artifact are compared.
_ROWS = 128

#: Difference of two scores, relative to the largest: float32 stays below it, another layout is above it.
_CLOSE = 1e-3

#: Share of rows with a wrong label above which rounding cannot be the cause.
_WRONG = 0.05


def match_decisions(model: onnx.ModelProto, source: SklearnModel, title: str) -> None:
    """Make the second output `decision_function`, of shape [rows, 1] for two classes, if the classifier has it.

    It stays unchanged for classifiers with probabilities, and if its layout is unknown. It is removed if the classifier
    has neither, as with hard voting.

    Args:
        model: The converted classifier; its outputs are a label and scores.
        source: The classifier.
        title: Its name, to show.

    Raises:
        ConversionError: the labels differ from the source's.
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
    """Compare the labels of the rows for which the source's label is certain."""
    if label.ndim > 1 or found.shape != label.shape:
        return  # several labels, or another layout; the agreement with the source will show it
    wrong = ~np.broadcast_to(np.asarray(label == found), label.shape)
    if scores and len(scores[0]) == len(label):
        wrong &= _is_sure(scores[0])
    if wrong.mean() > _WRONG:
        raise ConversionError(
            f"skl2onnx gets the labels of {title} wrong: {wrong.sum()} of {len(label)} random rows get another label.",
            "Train a model of another kind; forests, boosting, linear models, SVMs and MLPs keep their labels.",
        )


def _is_sure(scores: NDArray[Any]) -> NDArray[np.bool_]:
    """Whether each row's label is further from the next one than rounding can move it."""
    ranked = np.sort(scores, axis=1) if scores.ndim > 1 else np.stack([-np.abs(scores), np.abs(scores)], axis=1)
    sure: NDArray[np.bool_] = ranked[:, -1] - ranked[:, -2] > _CLOSE * np.abs(scores).max()
    return sure


def _one_score(model: onnx.ModelProto, wanted: NDArray[Any], found: NDArray[Any]) -> None:
    """Keep only the column that equals the wanted scores, if one does."""
    scores = model.graph.output[1]
    if found.shape[1] > 1:
        far = np.abs(found - wanted[:, None]).max(axis=0)
        if far.min() > _CLOSE * np.abs(wanted).max():
            return
        _take(model, scores.name, int(np.argmin(far)))
    scores.CopyFrom(helper.make_tensor_value_info(scores.name, TensorProto.FLOAT, [None, 1]))


def _take(model: onnx.ModelProto, name: str, column: int) -> None:
    """Replace an output by one of its columns."""
    both = f"{name}_of_both_classes"
    for node in model.graph.node:
        for places in (node.input, node.output):
            for at, each in enumerate(places):
                if each == name:
                    places[at] = both
    index = f"{name}_column"
    model.graph.initializer.append(numpy_helper.from_array(np.array([column], np.int64), index))
    model.graph.node.append(helper.make_node("Gather", [both, index], [name], name=index, axis=1))
