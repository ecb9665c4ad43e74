"""A separate folder for each test, as the working directory, so that places read as a user sees them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

Write = Callable[[str, str], Path]


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The working directory; the model `net.tflite` is in it."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "net.tflite").write_bytes(b"")
    return tmp_path


@pytest.fixture
def write(here: Path) -> Write:
    """Writes a file under the working directory and gives its relative path."""

    def write_text(name: str, text: str) -> Path:
        path = here / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
        return Path(name)

    return write_text
