"""This machine as the device, where its agent does not answer; the rest is in `tests/targets/test_contract.py`."""

from __future__ import annotations

from pathlib import Path

import pytest

from edgecheck.errors import TargetError
from edgecheck.targets import local


def test_an_agent_that_fails_says_why_in_a_line_and_what_to_do(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "json.py").write_text("raise RuntimeError('half an installation.')\n", encoding="utf-8")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    with pytest.raises(TargetError) as caught:
        local.probe(())
    assert caught.value.message == "This machine's agent did not answer: RuntimeError: half an installation."
    assert caught.value.hint == "See what works here: edgecheck doctor"


def test_an_agent_that_hangs_is_named_with_the_time_that_it_had(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "json.py").write_text("import time\ntime.sleep(3600)\n", encoding="utf-8")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    monkeypatch.setattr(local, "_PROBING", 1.0)
    with pytest.raises(TargetError, match=r"did not answer: it did not end within 1 s\.$"):
        local.probe(())
