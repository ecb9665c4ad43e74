"""The outputs of a converted classifier: labels and scores as in scikit-learn.

For two classes, `decision_function` is a single score. skl2onnx writes one column or two, depending on the classifier.
Of two columns, the second is the score for linear models and its negative for SVC and NuSVC, where the larger column
then belongs to the class that was not chosen.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from onnx import TensorProto, helper, numpy_helper

from edgecheck.converters.to_onnx.sklearn.trial import CLOSE

if TYPE_CHECKING:
    import onnx
    from numpy.typing import NDArray

    from edgecheck.converters.sources.sklearn_model import SklearnModel
    from edgecheck.converters.to_onnx.sklearn.trial import Trial


def match_decisions(model: onnx.ModelProto, source: SklearnModel, trial: Trial) -> None:
    """Make the second output `decision_function`, of shape [rows, 1] for two classes, if the classifier has it.

    It stays unchanged for classifiers with probabilities, and if its layout is unknown. It is removed if the classifier
    has neither, as with hard voting.

    Args:
        model: The converted classifier; its outputs are a label and scores.
        source: The classifier.
        trial: The rows, and the classifier's answers.
    """
    wanted = trial.outputs[1:]
    if not wanted:
        del model.graph.output[1:]
    elif not hasattr(source.model, "predict_proba") and wanted[0].ndim == 1:
        _one_score(model, wanted[0], trial.run(model)[1])


def _one_score(model: onnx.ModelProto, wanted: NDArray[Any], found: NDArray[Any]) -> None:
    """Keep only the column that equals the wanted scores, if one does."""
    scores = model.graph.output[1]
    if found.shape[1] > 1:
        far = np.nanmax(np.abs(found - wanted[:, None]), axis=0)
        if far.min() > CLOSE * np.abs(wanted).max():
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
