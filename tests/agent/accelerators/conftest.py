"""What the tests of accelerators share: the fake NPU, and onnxruntime with OpenVINO in a bundle."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.agent.accelerators.npu import build


@pytest.fixture(scope="session")
def npu(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The fake NPU's library."""
    return build(tmp_path_factory.mktemp("npu"))
