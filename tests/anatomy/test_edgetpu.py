"""Where the operators of a compiled model run, by the file and by the model before compiling."""

from __future__ import annotations

from pathlib import Path

import pytest

from edgecheck.anatomy.edgetpu import Placement, is_compiled, placement
from edgecheck.anatomy.reading import read
from tests.anatomy.edgetpu_models import COMPILED, EXECUTABLE, save

SOURCE = ("CONV_2D", "DEPTHWISE_CONV_2D", "CONV_2D", "RESHAPE", "SOFTMAX")


def placed(folder: Path, compiled: tuple[str, ...], source: tuple[str, ...] = ()) -> Placement | None:
    before = read(save(folder / "net.tflite", source)) if source else None
    return placement(read(save(folder / "net_edgetpu.tflite", compiled)), before)


def test_a_model_that_was_not_compiled_has_no_placement(tmp_path: Path) -> None:
    assert placed(tmp_path, SOURCE) is None
    assert not is_compiled(read(save(tmp_path / "custom.tflite", ("SOFTMAX", "another-custom-op"))))


def test_the_share_is_what_the_model_before_compiling_has_more(tmp_path: Path) -> None:
    found = placed(tmp_path, (COMPILED, "SOFTMAX"), SOURCE)
    assert found is not None
    assert (found.parts, found.on_cpu) == (1, {"SOFTMAX": 1})
    assert found.on_tpu == {"CONV_2D": 2, "DEPTHWISE_CONV_2D": 1, "RESHAPE": 1}
    assert found.share == 4 / 5
    assert (found.source, found.doubt) == (str(tmp_path / "net.tflite"), "")


def test_of_one_type_some_may_be_taken_and_some_left(tmp_path: Path) -> None:
    found = placed(tmp_path, (COMPILED, "CONV_2D", COMPILED, "SOFTMAX"), SOURCE)
    assert found is not None
    assert found.parts == 2
    assert found.on_tpu == {"CONV_2D": 1, "DEPTHWISE_CONV_2D": 1, "RESHAPE": 1}
    assert found.share == 3 / 5


def test_without_that_model_the_share_is_known_only_if_nothing_is_left(tmp_path: Path) -> None:
    whole, partly = placed(tmp_path, (COMPILED,)), placed(tmp_path, (COMPILED, "ARG_MAX", "SOFTMAX"))
    assert whole is not None
    assert partly is not None
    assert (whole.share, whole.on_tpu, whole.on_cpu) == (1.0, None, {})
    assert (partly.share, partly.on_tpu, partly.on_cpu) == (None, None, {"ARG_MAX": 1, "SOFTMAX": 1})


@pytest.mark.parametrize(
    ("source", "doubt"),
    [
        (("CONV_2D", "RESHAPE"), "it has fewer SOFTMAX than are left on the CPU"),
        (("SOFTMAX",), "it has no operator beyond those left"),
    ],
)
def test_another_model_is_not_taken_for_the_source(tmp_path: Path, source: tuple[str, ...], doubt: str) -> None:
    found = placed(tmp_path, (COMPILED, "SOFTMAX"), source)
    assert found is not None
    assert (found.share, found.on_tpu, found.doubt) == (None, None, doubt)


def test_a_compiled_model_is_not_another_ones_source(tmp_path: Path) -> None:
    found = placed(tmp_path, (COMPILED, "SOFTMAX"), (COMPILED, "ARG_MAX", "SOFTMAX"))
    assert found is not None
    assert (found.share, found.source, found.doubt) == (None, "", "")


def test_every_byte_of_an_executable_is_accounted_for(tmp_path: Path) -> None:
    found = read(save(tmp_path / "net.tflite", (COMPILED, "SOFTMAX", COMPILED)))
    sizes = {part.what: part.size for file in found.files for part in file.parts}
    held = sizes["Edge TPU executables, weights included"]
    assert 2 * len(EXECUTABLE) <= held <= 2 * len(EXECUTABLE) + 16
    assert found.totals.unclaimed == 0
