"""A repeated conversion does nothing, simultaneous ones convert once, and damaged results are made again.

Covers `cache.py` and `cache_key.py`.

Also covers `model_files.py`.
"""

from __future__ import annotations

import shutil
import threading
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest

from edgecheck.converters import cache
from edgecheck.converters.convert import compressed, convert
from edgecheck.errors import ConversionError
from examples.real_models import fetch
from tests.converters import onnx_models

if TYPE_CHECKING:
    from tests.converters.bench import Bench


@pytest.fixture
def model(tmp_path: Path) -> Path:
    return onnx_models.dense(tmp_path / "dense.onnx")


def test_a_second_conversion_starts_no_process(empty_bench: Bench, model: Path) -> None:
    first = empty_bench.make(model, "onnx", "int8-weights")
    assert empty_bench.conversions == 1
    assert empty_bench.make(model, "onnx", "int8-weights") == first
    assert empty_bench.conversions == 1


def test_contents_count_and_names_do_not(empty_bench: Bench, model: Path, tmp_path: Path) -> None:
    first = empty_bench.make(model, "onnx", "int8-weights")
    other = Path(shutil.copy(model, tmp_path / "another name.onnx"))
    again = empty_bench.make(other, "onnx", "int8-weights")
    assert (again.path, again.model) == (first.path, "another name.onnx")
    assert empty_bench.conversions == 1
    onnx_models.dense(model, seed=1)
    assert empty_bench.make(model, "onnx", "int8-weights").sha256 != first.sha256
    assert empty_bench.conversions == 2


def test_samples_count_only_where_they_are_used(empty_bench: Bench, model: Path, tmp_path: Path) -> None:
    paths = []
    for seed in (1, 2):
        paths.append(tmp_path / f"{seed}.npz")
        np.savez(paths[-1], image=np.random.default_rng(seed).random((4, 64), dtype=np.float32))
    for variant, processes in (("int8-weights", 1), ("int8", 3)):
        for path in paths:
            empty_bench.make(model, "onnx", variant, samples=path)
        assert empty_bench.conversions == processes


def test_another_version_of_a_converter_converts_again(
    empty_bench: Bench, model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Only what the route uses counts: another torch does not make another artifact of an .onnx."""
    first = empty_bench.make(model, "onnx", "int8-weights")
    known = cache._version
    for package, conversions in (("torch", 1), ("onnxruntime", 2)):
        monkeypatch.setattr(cache, "_version", lambda name, new=package: f"{name}==99" if name == new else known(name))
        assert empty_bench.make(model, "onnx", "int8-weights").sha256 == first.sha256
        assert empty_bench.conversions == conversions


def test_agreement_runs_nothing_a_second_time(empty_bench: Bench, model: Path) -> None:
    first = empty_bench.agreement(model, "onnx", "int8-weights")
    assert empty_bench.conversions == 3
    assert empty_bench.agreement(model, "onnx", "int8-weights") == first
    assert empty_bench.conversions == 3
    empty_bench.agreement(model, "onnx", "int8-dynamic")
    assert empty_bench.conversions == 5, "the source ran once for both variants"


@pytest.mark.parametrize("harm", ["cut", "changed", "removed", "record"])
def test_what_was_damaged_is_made_again(empty_bench: Bench, model: Path, harm: str) -> None:
    first = empty_bench.make(model, "onnx", "int8-weights")
    file = Path(first.path)
    content = file.read_bytes()
    match harm:
        case "cut":
            file.write_bytes(content[:-9])
        case "changed":
            file.write_bytes(content[:-9] + b"123456789")
        case "removed":
            file.unlink()
        case _:
            (file.parent / "entry.json").write_text("{", encoding="utf-8")
    again = empty_bench.make(model, "onnx", "int8-weights")
    assert empty_bench.conversions == 2
    assert again.sha256 == first.sha256
    assert file.read_bytes() == content


def test_two_at_once_convert_once(empty_bench: Bench, model: Path) -> None:
    made: list[object] = []
    request = empty_bench.request(model, "onnx", "int8")

    def work() -> None:
        made.append(convert(request, empty_bench.settings, progress=empty_bench.said.append))

    threads = [threading.Thread(target=work) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(made) == 3
    assert made[0] == made[1] == made[2]
    assert empty_bench.conversions == 1
    assert empty_bench.said.count("waiting for another edgecheck that is making the same artifact") == 2


def test_a_failure_is_not_kept(empty_bench: Bench, tmp_path: Path) -> None:
    path = onnx_models.convolutions(tmp_path / "c.onnx")
    for _ in range(2):
        with pytest.raises(ConversionError):
            empty_bench.make(path, "onnx", "int8-dynamic")
    assert empty_bench.conversions == 2
    assert cache.entries(empty_bench.settings.cache) == ()


def test_what_is_kept_can_be_listed(empty_bench: Bench, model: Path) -> None:
    made = empty_bench.make(model, "onnx", "float16")
    empty_bench.agreement(model, "onnx", "float16")
    entries = cache.entries(empty_bench.settings.cache)
    assert {each.what for each in entries} == {"float16 .onnx", "outputs of .onnx"}
    assert {each.model for each in entries} == {"dense.onnx", "the float16 .onnx"}
    assert [each.size for each in entries] == sorted((each.size for each in entries), reverse=True)
    assert all(each.made_at > 0 for each in entries)
    assert sum(each.size for each in entries) >= made.size


def test_a_ready_files_download_is_counted_once_and_is_gzips(empty_bench: Bench) -> None:
    import gzip

    model = fetch("mtcnn_rnet.onnx")
    made = empty_bench.make(model, "onnx", "as-is")
    assert made.download is None, "nobody asked"
    assert compressed(made, empty_bench.settings).download == len(gzip.compress(model.read_bytes(), 9))
    note = empty_bench.settings.cache / "downloads" / made.sha256
    note.write_text("7", encoding="ascii")
    assert compressed(made, empty_bench.settings) == replace(made, download=7), "it is read, not counted again"
