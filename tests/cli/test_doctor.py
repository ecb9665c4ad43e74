"""`edgecheck doctor`."""

from __future__ import annotations

import re
from pathlib import Path

from edgecheck.cli.doctor import _SOURCES
from edgecheck.converters.routes import ROUTES
from tests.cli.command import edgecheck


def test_every_source_of_a_route_has_a_name_that_people_know() -> None:
    assert {source for route in ROUTES for source in route.sources} == set(_SOURCES)


def test_each_extra_says_what_it_converts_and_how_to_get_it(tmp_path: Path) -> None:
    done = edgecheck("doctor", cwd=tmp_path)
    assert done.code == 0, done.err
    lines = done.out.partition("Converters\n")[2].partition("\n\n")[0].splitlines()
    assert len(lines) == len({route.extra for route in ROUTES})
    assert any(re.match(r"  . \.onnx to \.onnx +onnxruntime [\d.]+, onnx [\d.]+$", line) for line in lines)
    assert any(re.match(r"  . Keras \.keras, \.h5, SavedModel to \.tflite and \.onnx ", line) for line in lines)
    for line in lines:
        assert line.startswith("  ✔") or "missing: pip install 'edgecheck-ml[" in line
        if "litert-torch" in line and line.startswith("  ✘"):
            assert line.endswith("pip install 'edgecheck-ml[litert-torch]', in a separate environment")
