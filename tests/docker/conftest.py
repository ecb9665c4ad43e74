"""The images, built once for all tests of this folder."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.docker import arm64, images

if TYPE_CHECKING:
    from tests.docker.images import Builder


@pytest.fixture(scope="session")
def builder(tmp_path_factory: pytest.TempPathFactory) -> Builder:
    scratch = tmp_path_factory.mktemp("images")
    if reason := arm64.why_not(scratch):
        pytest.skip(reason)
    return images.builder(scratch)


@pytest.fixture(scope="session")
def runtime(builder: Builder) -> str:
    """The name of the image of stage `runtime`."""
    return builder.build("runtime")
