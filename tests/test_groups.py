"""Tests that share what is built once run in one process, in their order: `make test` asks xdist for that."""

from __future__ import annotations

import os

import pytest


@pytest.mark.slow
def test_xdist_keeps_the_groups(request: pytest.FixtureRequest) -> None:
    """Under pytest 9.2, xdist 3.8 runs each test anywhere and says nothing."""
    if "PYTEST_XDIST_WORKER" not in os.environ or not request.config.getvalue("loadgroup"):
        pytest.skip("runs under --dist loadgroup")
    grouped = [item for item in request.session.items if item.get_closest_marker("xdist_group") is not None]
    assert [item.nodeid for item in grouped if "@" not in item.nodeid] == []
