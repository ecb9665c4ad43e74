"""Temporary folders: those of killed processes are removed, those of living ones and of others never."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import pytest

from edgecheck import scratch as scratches
from edgecheck.scratch import scratch

HOLDS = """
import time
from edgecheck.scratch import scratch
with scratch() as folder:
    (folder / "file").write_text("x")
    print(folder, flush=True)
    time.sleep(600)
"""


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder for temporary files, in which a folder without a lock is abandoned after a second."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    monkeypatch.setattr(scratches, "_ABANDONED", 1.0)
    return tmp_path


def holder(place: Path) -> tuple[subprocess.Popen[str], Path]:
    """A process with a folder."""
    environment = os.environ | {"TMPDIR": str(place)}
    process = subprocess.Popen([sys.executable, "-c", HOLDS], env=environment, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    return process, Path(process.stdout.readline().strip())


def test_the_folder_is_removed_on_leaving(place: Path) -> None:
    with scratch() as folder:
        assert folder.parent == place
        (folder / "file").write_text("x", encoding="utf-8")
    assert list(place.iterdir()) == []


def test_a_killed_process_leaves_nothing_for_long_and_a_living_one_is_spared(place: Path) -> None:
    killed, left = holder(place)
    living, used = holder(place)
    try:
        killed.send_signal(signal.SIGKILL)
        killed.communicate()
        with scratch():
            assert left.exists()  # its maker might be about to lock it
        time.sleep(1.1)
        with scratch():
            assert not left.exists()
            assert (used / "file").exists()
    finally:
        living.kill()
        living.communicate()


def test_what_is_not_ours_stays(place: Path) -> None:
    elsewhere = place / "elsewhere"
    elsewhere.mkdir()
    (place / "edgecheck-tmp-link").symlink_to(elsewhere)
    (place / "edgecheck-tmp-file").write_text("x", encoding="utf-8")
    (place / f"edgecheck-{os.getuid()}").mkdir()  # the cache of a device without a home
    time.sleep(1.1)
    with scratch():
        pass
    assert len(list(place.iterdir())) == 4


def test_the_time_for_it_is_bounded(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (place / "edgecheck-tmp-left").mkdir()
    time.sleep(1.1)
    monkeypatch.setattr(scratches, "_PATIENCE", -1.0)
    with scratch():
        pass
    assert (place / "edgecheck-tmp-left").exists()
