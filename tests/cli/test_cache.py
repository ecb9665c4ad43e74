"""`edgecheck cache`: what it shows and clears, and caches that cannot be written to."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import pytest

from examples.real_models import fetch
from tests.cli.command import edgecheck


def test_what_was_converted_is_shown_and_cleared(tmp_path: Path) -> None:
    shutil.copyfile(fetch("mtcnn_onet.onnx"), tmp_path / "net.onnx")
    cache = {"XDG_CACHE_HOME": str(tmp_path / "cache")}
    assert edgecheck("convert", "net.onnx", "--variant", "float16", cwd=tmp_path, **cache).code == 0
    shown = edgecheck("cache", cwd=tmp_path, **cache)
    assert shown.code == 0
    assert re.search(
        r"  artifacts  +[\d.]+ .?B  converted models.*\n +[\d.]+ kB  \d{4}-\d\d-\d\d  net\.onnx: float16 \.?onnx, "
        r"onnxruntime [\d.]+ float16",
        shown.out,
    )
    assert "outputs of .onnx" in shown.out
    assert edgecheck("cache", "--clear", cwd=tmp_path, **cache).out.endswith("Cleared.\n")
    assert "net.onnx" not in edgecheck("cache", cwd=tmp_path, **cache).out
    assert not list((tmp_path / "cache").rglob("*.onnx"))


@pytest.mark.parametrize("place", ["a file/below", "/proc/nowhere"])
def test_a_cache_that_cannot_be_written_to_is_reported_and_is_not_an_internal_error(tmp_path: Path, place: str) -> None:
    (tmp_path / "a file").touch()
    cache = str(tmp_path / place)  # an absolute place stays what it is
    ready = edgecheck("check", fetch("mtcnn_onet.onnx"), "--limit", "ram_peak=off", cwd=tmp_path, XDG_CACHE_HOME=cache)
    assert ready.code == 0, ready.out + ready.err
    made = edgecheck(
        "check", fetch("mtcnn_onet.onnx"), "--variant", "int8-dynamic", "--limit", "size=2MB", cwd=tmp_path,
        XDG_CACHE_HOME=cache,
    )  # fmt: skip
    assert made.code == 3, made.out + made.err
    text = " ".join(made.out.split())
    assert "cannot be used" in text
    assert "set XDG_CACHE_HOME to a folder that is" in text
    emulated = edgecheck(
        "check", fetch("mtcnn_onet.onnx"), "--device", "raspberry-pi-4-2gb", "--limit", "ram_peak=1GiB", cwd=tmp_path,
        XDG_CACHE_HOME=cache,
    )  # fmt: skip
    assert emulated.code == 3, emulated.out + emulated.err
    assert "set XDG_CACHE_HOME to a folder that is." in " ".join(emulated.out.split())
