"""scikit-learn to `.onnx`: equal labels, probabilities within 1e-5, sizes before and after.

Also covers `precision.py` and `sources/sklearn_model.py`.

Also covers `output_checks.py`.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import onnxruntime
import pytest

from edgecheck.converters.interface import TRUST_ALL
from edgecheck.errors import ConversionError
from examples.real_models import fetch
from tests.converters.bench import requires
from tests.converters.sklearn_in_process import assert_equal, both

if TYPE_CHECKING:
    from tests.converters.bench import Bench

pytestmark = [pytest.mark.convert, requires("sklearn", "skl2onnx", "skops", "onnxruntime")]

CLASSIFIERS = ("forest", "boosting", "histogram_boosting", "logistic", "svc", "linear_svc", "mlp", "select")
OTHERS = ("forest_regressor", "ridge", "isolation")


@pytest.mark.parametrize("name", ["forest", "svc", "ridge"])
def test_labels_are_equal_and_probabilities_close(bench: Bench, sklearn_models: Path, name: str) -> None:
    model, samples = sklearn_models / f"{name}.joblib", sklearn_models / "iris.npz"
    agreement = bench.agreement(model, "onnx", "float32", samples=samples)
    assert agreement.samples == 150
    assert agreement.relative_error < 1e-5
    assert agreement.top1 == (None if name == "ridge" else 1.0)


@pytest.mark.parametrize("name", [*CLASSIFIERS, *OTHERS])
def test_each_kind_in_one_process(sklearn_models: Path, tmp_path: Path, name: str) -> None:
    assert_equal(both(sklearn_models / f"{name}.joblib", sklearn_models / "iris.npz", tmp_path))


@pytest.mark.parametrize("scaler", ["standard", "standard_select", "between", "largest", "robust"])
def test_a_forest_behind_a_scaler_takes_the_same_branches(sklearn_models: Path, tmp_path: Path, scaler: str) -> None:
    assert_equal(both(sklearn_models / f"scaled_{scaler}.joblib", sklearn_models / "digits.npz", tmp_path))


def test_histogram_boosting_takes_the_same_branches(bench: Bench, sklearn_models: Path, tmp_path: Path) -> None:
    """Thresholds rounded to the nearest float32 sent 43 of 569 rows the other way."""
    model = sklearn_models / "thresholds.joblib"
    assert_equal(both(model, sklearn_models / "cells.npz", tmp_path))
    assert not any("double precision" in note for note in bench.make(model, "onnx", "float32").notes)


def test_large_means_do_not_cancel_and_what_float32_loses_is_noted(bench: Bench, sklearn_models: Path) -> None:
    model, samples = sklearn_models / "times.joblib", sklearn_models / "times.npz"
    agreement = bench.agreement(model, "onnx", "float32", samples=samples)
    assert agreement.relative_error < 1e-5
    assert agreement.top1 == 1.0
    note = next(note for note in bench.make(model, "onnx", "float32").notes if "float32" in note)
    assert note.startswith("Its input is float32, where numbers around 1.7e+09 are 1.3e+02 apart: feature 0 lies there")


@pytest.mark.parametrize("variant", ["float16", "int8-weights"])
def test_a_scaler_in_double_precision_survives_the_variants(bench: Bench, sklearn_models: Path, variant: str) -> None:
    agreement = bench.agreement(sklearn_models / "mlp.joblib", "onnx", variant, samples=sklearn_models / "iris.npz")
    assert agreement.cosine > 0.99


@pytest.mark.parametrize("name", ["forest.pkl", "forest.skops", "packed.joblib", "logistic.pkl", "logistic.skops"])
def test_every_saved_form_gives_the_same_artifact(bench: Bench, sklearn_models: Path, name: str) -> None:
    usual = "forest.joblib" if name == "packed.joblib" else f"{name.partition('.')[0]}.joblib"
    made, plain = (
        bench.make(sklearn_models / name, "onnx", "float32"),
        bench.make(sklearn_models / usual, "onnx", "float32"),
    )
    rows = np.load(sklearn_models / "iris.npz")["features"]
    results = [onnxruntime.InferenceSession(str(each.path)).run(None, {"features": rows}) for each in (made, plain)]
    assert all(np.array_equal(one, two) for one, two in zip(*results, strict=True))


def test_sizes_and_the_version_that_wrote_it_are_noted(bench: Bench, sklearn_models: Path) -> None:
    model = sklearn_models / "forest.joblib"
    made = bench.make(model, "onnx", "float32")
    assert made.notes == (
        "Written by scikit-learn 1.9.1.",
        f"{model.stat().st_size:,} bytes as .joblib, {made.size:,} as .onnx.",
    )
    assert made.size < model.stat().st_size / 2


def test_a_real_model(bench: Bench) -> None:
    agreement = bench.agreement(fetch("profanity.joblib"), "onnx", "float32")
    assert agreement.top1 == 1.0
    assert agreement.relative_error < 1e-5


@pytest.mark.parametrize(
    ("name", "kind"), [("encoder.joblib", "LabelEncoder"), ("profanity_vectorizer.joblib", "TfidfVectorizer")]
)
def test_what_predicts_nothing_is_refused_with_the_reason(
    bench: Bench, sklearn_models: Path, name: str, kind: str
) -> None:
    model = sklearn_models / name if name == "encoder.joblib" else fetch(name)
    with pytest.raises(ConversionError) as caught:
        bench.make(model, "onnx", "float32")
    assert caught.value.message == f"{name} holds a {kind}, which prepares data and predicts nothing."
    assert caught.value.hint == "Save the entire pipeline, with the model at its end."


def test_what_is_not_an_estimator_is_refused(bench: Bench, sklearn_models: Path) -> None:
    with pytest.raises(ConversionError) as caught:
        bench.make(sklearn_models / "dict.joblib", "onnx", "float32")
    assert caught.value.message == "dict.joblib holds a dict, not an estimator."
    assert caught.value.hint == "Save the estimator itself: joblib.dump(model, path)."


def test_a_model_that_was_never_fitted_is_refused(bench: Bench, sklearn_models: Path) -> None:
    with pytest.raises(ConversionError, match="does not take rows of numbers, or was never fitted"):
        bench.make(sklearn_models / "unfitted.joblib", "onnx", "float32")


def test_trees_have_no_weights_to_make_smaller(bench: Bench, sklearn_models: Path) -> None:
    with pytest.raises(ConversionError) as caught:
        bench.make(sklearn_models / "forest.joblib", "onnx", "int8-weights")
    assert "consists of decision trees" in caught.value.message
    assert caught.value.hint == "Use `float32`; fewer or shallower trees make it smaller."


def test_the_weights_of_an_mlp_can_be_made_smaller(bench: Bench, sklearn_models: Path) -> None:
    agreement = bench.agreement(
        sklearn_models / "mlp.joblib", "onnx", "int8-weights", samples=sklearn_models / "iris.npz"
    )
    assert agreement.cosine > 0.99
    assert agreement.top1 is not None
    assert agreement.top1 > 0.95


def test_a_file_of_another_scikit_learn_names_the_installed_one(
    bench: Bench, sklearn_models: Path, tmp_path: Path
) -> None:
    """As with files of the 0.2 series: a class that does not exist any more."""
    content = (
        (sklearn_models / "forest.pkl").read_bytes().replace(b"sklearn.ensemble._forest", b"sklearn.ensemble._f0rest")
    )
    (tmp_path / "old.pkl").write_bytes(content)
    with pytest.raises(ConversionError) as caught:
        bench.make(tmp_path / "old.pkl", "onnx", "float32", trusted=TRUST_ALL)
    assert caught.value.message.startswith("scikit-learn 1.9.1 does not open old.pkl: No module named")
    assert "the scikit-learn that wrote it" in caught.value.hint
