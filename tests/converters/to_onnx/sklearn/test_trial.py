"""What a scikit-learn model decides on - categories, gaps, neighbours - is the artifact's too, or it is refused.

Covers `trial.py`, `from_sklearn.py`, `equivalents.py` and `sources/sklearn_rows.py`; models convert in this process.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from edgecheck.converters.interface import TRUST_ALL, Request
from edgecheck.errors import ConversionError
from tests.converters.bench import requires
from tests.converters.sklearn_in_process import assert_equal, both

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = [pytest.mark.convert, requires("sklearn", "skl2onnx", "onnxruntime")]

GAPS = ("tree_gaps", "forest_gaps", "scaled_gaps", "regression_gaps", "extra_gaps", "bagging_gaps")
WHOLE = ("one_hot", "eliminated", "eliminated_first", "eliminated_last", "eliminated_regression", "tweedie")


def opened(model: Path) -> Any:
    from edgecheck.converters.sources.sklearn_model import open_model

    return open_model(Request(model=model, source="joblib", format="onnx", variant="float32", trusted=TRUST_ALL))


@pytest.mark.parametrize("name", GAPS)
def test_missing_values_go_where_the_tree_learned(sklearn_decisions: Path, tmp_path: Path, name: str) -> None:
    assert_equal(both(sklearn_decisions / f"{name}.joblib", sklearn_decisions / "gaps.npz", tmp_path))


@pytest.mark.parametrize("name", WHOLE)
def test_the_artifact_answers_as_the_model(sklearn_decisions: Path, tmp_path: Path, name: str) -> None:
    assert_equal(both(sklearn_decisions / f"{name}.joblib", sklearn_decisions / "rows.npz", tmp_path))


def test_a_model_of_codes_is_tried_on_codes(sklearn_decisions: Path, tmp_path: Path) -> None:
    assert_equal(both(sklearn_decisions / "codes.joblib", sklearn_decisions / "codes.npz", tmp_path))


def test_several_labels_with_different_numbers_of_classes(sklearn_decisions: Path, tmp_path: Path) -> None:
    import onnxruntime

    from edgecheck.converters.to_onnx.sklearn.from_sklearn import convert

    model, rows = sklearn_decisions / "unequal_labels.joblib", np.load(sklearn_decisions / "rows.npz")["features"]
    request = Request(model=model, source="joblib", format="onnx", variant="float32", trusted=TRUST_ALL)
    labels = onnxruntime.InferenceSession(convert(request, tmp_path).files[0]).run(None, {"features": rows})[0]
    assert np.array_equal(labels, opened(model).model.predict(rows))


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("boosted_categories", "boosted_categories.joblib is histogram boosting with categories"),
        ("near", "skl2onnx gets the predictions of near.joblib wrong: "),
    ],
)
def test_other_answers_are_refused(sklearn_decisions: Path, tmp_path: Path, name: str, said: str) -> None:
    with pytest.raises(ConversionError) as caught:
        both(sklearn_decisions / f"{name}.joblib", sklearn_decisions / "rows.npz", tmp_path)
    assert caught.value.message.startswith(said)
    assert caught.value.hint


def test_a_selection_that_predicts_nothing_is_refused(sklearn_decisions: Path, tmp_path: Path) -> None:
    """As skl2onnx makes of RFE: the selected columns instead of labels."""
    import onnx

    from edgecheck.converters.to_onnx.sklearn.trial import Trial

    nodes = [onnx.helper.make_node("Identity", ["features"], ["label"])]
    ends = [
        onnx.helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, [None, 4]) for name in ("features", "label")
    ]
    graph = onnx.helper.make_graph(nodes, "g", ends[:1], ends[1:])
    model = onnx.helper.make_model(graph, opset_imports=[onnx.helper.make_opsetid("", 17)], ir_version=8)
    path = sklearn_decisions / "eliminated.joblib"
    request = Request(model=path, source="joblib", format="onnx", variant="float32", trusted=TRUST_ALL)
    with pytest.raises(ConversionError, match=r"returns \[128, 4\] for 128 rows, where `predict` returns \[128\]"):
        Trial(opened(path), request).ensure_same(model)


def test_a_conversion_is_tried_on_the_samples_if_there_are_some(sklearn_decisions: Path, tmp_path: Path) -> None:
    from edgecheck.converters.to_onnx.sklearn.from_sklearn import convert

    request = Request(
        model=sklearn_decisions / "near.joblib",
        source="joblib",
        format="onnx",
        variant="float32",
        trusted=TRUST_ALL,
        samples=sklearn_decisions / "rows.npz",
    )
    with pytest.raises(ConversionError, match="of 256 samples get other predictions"):
        convert(request, tmp_path)


def test_random_rows_have_the_categories_and_the_gaps_of_the_training(sklearn_decisions: Path) -> None:
    source = np.random.Generator(np.random.PCG64(0))
    rows = opened(sklearn_decisions / "one_hot.joblib").rows(source, 64)
    assert set(rows[:, 3]) == {0, 1, 2, 3, 4, 5}
    assert not np.isnan(rows).any()
    gaps = opened(sklearn_decisions / "scaled_gaps.joblib").rows(source, 64)
    assert np.isnan(gaps[3::4]).any(axis=0).all()
    assert not np.isnan(gaps[0::4]).any()


def test_random_rows_lie_where_the_thresholds_are(sklearn_decisions: Path) -> None:
    """Half-way between two whole numbers for the column of categories, around zero for the others."""
    source = np.random.Generator(np.random.PCG64(0))
    rows = opened(sklearn_decisions / "tree_gaps.joblib").rows(source, 128)
    assert np.nanmin(rows[:, 3]) < 1.6
    assert np.nanmax(rows[:, 3]) > 2.4
    assert np.nanmin(rows[:, 0]) < -0.3
    assert np.nanmax(rows[:, 0]) > 0.3
