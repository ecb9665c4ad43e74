"""scikit-learn models that skl2onnx converts wrongly: repaired, or refused with the reason.

Covers `equivalents.py` and `from_sklearn.py`. All are converted in this process; `test_from_sklearn` starts child
processes.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest

from edgecheck.converters.interface import TRUST_ALL, Request
from edgecheck.errors import ConversionError
from tests.converters.bench import requires
from tests.converters.sklearn_in_process import assert_equal, both

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = [pytest.mark.convert, requires("sklearn", "skl2onnx", "onnxruntime")]

REPAIRED = (
    "svc", "nu_svc", "sgd", "perceptron", "ridge_classifier", "linear_svc", "nested", "search", "discriminant",
    "by_heads", "by_shares", "labels", "means", "mixture",
)  # fmt: skip
WRONG_LABELS = {
    "one_vs_rest": ("OneVsRestClassifier", "SVC"),
    "bagging": ("BaggingClassifier", "LinearSVC"),
    "stacking": ("StackingClassifier", "SVC"),
    "voting": ("VotingClassifier", "RidgeClassifier"),
}


@pytest.mark.parametrize("name", REPAIRED)
def test_labels_are_equal_and_scores_close(sklearn_kinds: Path, tmp_path: Path, name: str) -> None:
    assert_equal(both(sklearn_kinds / f"{name}.joblib", sklearn_kinds / "rows.npz", tmp_path))


@pytest.mark.parametrize("name", ["svc", "sgd", "linear_svc", "ridge_classifier"])
def test_two_classes_have_one_score_which_is_positive_for_the_second(
    sklearn_kinds: Path, tmp_path: Path, name: str
) -> None:
    """skl2onnx writes the negative of an SVC's score in the second of two columns."""
    (_, labels), (_, scores) = both(sklearn_kinds / f"{name}.joblib", sklearn_kinds / "rows.npz", tmp_path)
    assert scores.shape == (200, 1)
    assert np.array_equal(labels, np.where(scores[:, 0] > 0, "little", "large"))


@pytest.mark.parametrize("name", WRONG_LABELS)
def test_what_would_get_wrong_labels_is_refused(sklearn_kinds: Path, tmp_path: Path, name: str) -> None:
    outer, inner = WRONG_LABELS[name]
    with pytest.raises(ConversionError) as caught:
        both(sklearn_kinds / f"{name}.joblib", sklearn_kinds / "rows.npz", tmp_path)
    assert caught.value.message == (
        f"{name}.joblib holds {outer} over {inner}, which has no probabilities: skl2onnx would get its labels wrong."
    )
    assert caught.value.hint.startswith(f"Wrap {inner} in CalibratedClassifierCV")


def test_an_artifact_with_wrong_labels_is_refused(sklearn_kinds: Path, tmp_path: Path) -> None:
    """As happened with ensembles before they were known to be converted wrongly."""
    import onnx

    from edgecheck.converters.sources.sklearn_model import open_model
    from edgecheck.converters.to_onnx.sklearn.trial import Trial

    both(sklearn_kinds / "linear_svc.joblib", sklearn_kinds / "rows.npz", tmp_path)
    flipped = sklearn_kinds / "flipped.joblib"
    request = Request(model=flipped, source="joblib", format="onnx", variant="float32", trusted=TRUST_ALL)
    trial = Trial(open_model(request), request)
    with pytest.raises(ConversionError, match=r"gets the labels of flipped\.joblib wrong: 1\d\d of 128 random rows"):
        trial.ensure_same(onnx.load(tmp_path / "model.onnx"))


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("isotonic", "isotonic.joblib is calibrated with isotonic regression"),
        ("words", "words.joblib holds a Pipeline with a column of words."),
        ("one_hot", "skl2onnx does not convert the KBinsDiscretizer > LogisticRegression in one_hot.joblib"),
    ],
)
def test_what_cannot_be_converted_is_refused_with_the_reason(
    sklearn_kinds: Path, tmp_path: Path, name: str, said: str
) -> None:
    with pytest.raises(ConversionError) as caught:
        both(sklearn_kinds / f"{name}.joblib", sklearn_kinds / "rows.npz", tmp_path)
    assert caught.value.message.startswith(said)
    assert caught.value.hint
