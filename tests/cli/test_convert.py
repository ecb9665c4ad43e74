"""`edgecheck convert` on real models."""

from __future__ import annotations

import os
import pickle
import re
import shutil
from pathlib import Path

import numpy as np

from examples.real_models import fetch
from tests.cli.command import edgecheck


def test_an_artifact_and_what_it_cost(tmp_path: Path) -> None:
    shutil.copyfile(fetch("mtcnn_onet.onnx"), tmp_path / "net.onnx")
    np.savez(tmp_path / "faces.npz", input_3=np.random.default_rng(0).random((4, 48, 48, 3), dtype=np.float32))
    done = edgecheck("convert", "net.onnx", "--variant", "int8", "--samples", "faces.npz", "-o", "build", cwd=tmp_path)
    assert done.code == 0, done.err
    assert (tmp_path / "build" / "net.int8.onnx").stat().st_size < 450_000
    assert re.search(
        r"agreement 0\.8\d+ \(worst cosine 0\.9\d+, of what varies over the samples 0\.8\d+\), .*; "
        "measured on 4 samples",
        done.out,
    )


def test_an_open_dimension_and_an_artifact_that_could_not_be_compared(tmp_path: Path) -> None:
    shutil.copyfile(fetch("ocr_classify.onnx"), tmp_path / "ocr.onnx")
    done = edgecheck("convert", "ocr.onnx", "--variant", "float16", cwd=tmp_path)
    assert done.code == 3
    assert done.out.startswith("ocr.float16.onnx: "), "it is there, and that is told"
    assert "leaves a dimension open" in done.err
    assert "--input" in done.err
    shaped = edgecheck("convert", "ocr.onnx", "--variant", "float16", "--input", "x=1,3,48,192", cwd=tmp_path)
    assert shaped.code == 0, shaped.err
    assert re.search(r"agreement (1|0\.9+\d*) \(worst cosine", shaped.out)
    wrong = edgecheck("convert", "ocr.onnx", "--input", "x=1x3", cwd=tmp_path)
    assert wrong.code == 2
    assert wrong.err.splitlines()[1] == "  Write a name and its sizes: --input image=1,224,224,3"


def test_no_route_names_the_nearest(tmp_path: Path) -> None:
    shutil.copyfile(fetch("mtcnn_onet.onnx"), tmp_path / "net.onnx")
    done = edgecheck("convert", "net.onnx", "--format", "tflite", cwd=tmp_path)
    assert done.code == 3
    assert "No route converts onnx to tflite" in done.err
    assert "onnx" in done.err.splitlines()[1]


def test_a_share_that_is_not_a_number_is_a_usage_error(tmp_path: Path) -> None:
    shutil.copyfile(fetch("mtcnn_onet.onnx"), tmp_path / "net.onnx")
    done = edgecheck("convert", "net.onnx", "--prune", "nan", cwd=tmp_path)
    assert done.code == 2
    assert "--prune takes a number from 0 up to 1, not 'nan'" in done.err


def test_a_folder_that_cannot_be_written_to_is_known_before_anything_is_converted(tmp_path: Path) -> None:
    shutil.copyfile(fetch("mtcnn_onet.onnx"), tmp_path / "net.onnx")
    done = edgecheck("convert", "net.onnx", "-o", "net.onnx/here", cwd=tmp_path, XDG_CACHE_HOME=str(tmp_path / "cache"))
    assert (done.code, done.out) == (2, "")
    assert done.err == (
        "edgecheck: net.onnx/here cannot be written to: Not a directory.\n  Name another folder: -o FOLDER\n"
    )
    assert not (tmp_path / "cache").exists()


def test_agreement_is_a_limit_like_any_other_and_needs_no_device(tmp_path: Path) -> None:
    shutil.copyfile(fetch("mtcnn_onet.onnx"), tmp_path / "net.onnx")
    (tmp_path / "net.yaml").write_text(
        "model: net.onnx\nvariants: [int8-dynamic]\n"
        "devices: {pixel-8: {ram_peak: off, latency_p50: off, footprint: off, agreement: 0.9, top1: 90%}}\n",
        encoding="utf-8",
    )
    done = edgecheck("check", "net.yaml", cwd=tmp_path)
    assert done.code == 0, done.out
    assert re.search(r"✔ pass  agreement +0\.9\d+ +≥ 0\.9 ", done.out)
    assert "files only" in done.out


class _Payload:
    def __reduce__(self) -> tuple[object, tuple[str]]:
        return os.system, ("touch pwned",)


def test_a_pickle_runs_its_code_only_where_it_is_trusted(tmp_path: Path) -> None:
    """The list of what it would import is in the refusal."""
    (tmp_path / "m.pkl").write_bytes(pickle.dumps(_Payload()))
    done = edgecheck("convert", "m.pkl", cwd=tmp_path)
    assert (done.code, done.out) == (3, "")
    assert done.err.startswith("edgecheck: m.pkl is a pickle that would import and run posix.system.\n")
    assert not (tmp_path / "pwned").exists()
