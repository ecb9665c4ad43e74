from __future__ import annotations

import re
import shutil
from pathlib import Path

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
