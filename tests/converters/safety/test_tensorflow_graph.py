"""Operators of TensorFlow graphs that do more than compute are found without TensorFlow."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from edgecheck.converters.safety.tensorflow_graph import of_saved_model
from tests.converters.bench import requires

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = [pytest.mark.convert, requires("tensorflow")]


@pytest.fixture
def graphs(keras_models: Path) -> Path:
    return keras_models / "graphs"


def test_a_model_with_variables_and_a_vocabulary_only_computes(graphs: Path) -> None:
    assert list(of_saved_model((graphs / "plain/saved_model.pb").read_bytes())) == []


def test_what_reaches_out_is_named(graphs: Path) -> None:
    found = set(of_saved_model((graphs / "bad/saved_model.pb").read_bytes()))
    assert found == {
        "WriteFile",
        "ReadFile",
        "EagerPyFunc",
        f"PrintV2 to file://{graphs / 'other'}",
        "SaveV2 of a file that the model names",
    }


def test_operators_that_run_on_loading(graphs: Path) -> None:
    assert list(of_saved_model((graphs / "v1/saved_model.pb").read_bytes())) == ["WriteFile"]
