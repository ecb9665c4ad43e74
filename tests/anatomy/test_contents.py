"""The bytes of tensors, read on demand."""

from __future__ import annotations

from pathlib import Path

import pytest

from edgecheck.anatomy.contents import Contents
from edgecheck.anatomy.reading import read
from edgecheck.errors import ModelError
from examples.real_models import fetch
from tests.anatomy.small_files import save


def test_a_file_that_is_gone_is_reported(tmp_path: Path) -> None:
    found = read(save(tmp_path / "m.onnx", fetch("mtcnn_pnet.onnx").read_bytes()))
    (tmp_path / "m.onnx").unlink()
    with Contents(found) as contents, pytest.raises(ModelError, match="cannot be read: No such file"):
        contents.digest(found.tensors[0])
