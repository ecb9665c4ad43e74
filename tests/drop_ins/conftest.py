"""A user's project: a real model, and budgets for it."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.drop_ins.projects import Project, make_project


@pytest.fixture
def project(tmp_path: Path) -> Project:
    """A folder with `net.onnx` and `budgets/net.yaml`, which holds; no repository."""
    return make_project(tmp_path / "project")
