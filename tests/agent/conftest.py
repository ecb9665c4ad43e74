"""After every test of the agent: no process, no temporary file and no core file is left."""

from __future__ import annotations

import uuid
from typing import TYPE_CHECKING

import pytest

from tests.agent.agent_runs import MARK, soon_gone

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture(autouse=True)
def _nothing_left(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    mark = uuid.uuid4().hex
    empty = tmp_path_factory.mktemp("empty")
    monkeypatch.setenv(MARK, mark)
    monkeypatch.setenv("TMPDIR", str(empty))
    monkeypatch.chdir(empty)
    yield
    assert soon_gone(mark) == []
    assert list(empty.iterdir()) == []
