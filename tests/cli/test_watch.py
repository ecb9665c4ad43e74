"""`edgecheck check --watch`: a change is checked again, and what is different is said.

Covers `cli/watch.py`.
"""

from __future__ import annotations

import os
import signal
import subprocess
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from edgecheck.cli.watch import stamps
from examples.real_models import fetch
from tests.cli.command import EDGECHECK


class Watching:
    """A running `check --watch`, and what it has said so far."""

    def __init__(self, folder: Path, *arguments: str) -> None:
        self.process = subprocess.Popen(
            [EDGECHECK, "check", *arguments, "--watch"],
            cwd=folder,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            env=os.environ | {"PYTHONUNBUFFERED": "1"},
        )
        self.said = ""
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self) -> None:
        assert self.process.stdout is not None
        with self.process.stdout as lines:
            for line in lines:
                self.said += line

    def end(self) -> None:
        """Kill it, and read what is left."""
        self.process.kill()
        self.process.wait()
        self._reader.join()

    def wait_for(self, words: str, times: int = 1) -> None:
        deadline = time.monotonic() + 60
        while self.said.count(words) < times:
            assert time.monotonic() < deadline, self.said
            assert self.process.poll() is None, self.said
            time.sleep(0.05)


@pytest.fixture
def here(tmp_path: Path) -> Path:
    (tmp_path / "budgets").mkdir()
    (tmp_path / "net.onnx").write_bytes(fetch("mtcnn_onet.onnx").read_bytes())
    write(tmp_path, "2 MB", "1 GiB")
    return tmp_path


def write(folder: Path, size: str, ram_peak: str = "off") -> None:
    """A budget; without a limit on memory nothing runs."""
    limits = f"size: {size}, download: 9 MB, ram_peak: {ram_peak}"
    text = f"model: ../net.onnx\ndevices: {{this-machine: {{{limits}}}}}\n"
    (folder / "budgets" / "net.yaml").write_text(text, encoding="utf-8")


@pytest.fixture
def watching(here: Path) -> Iterator[Watching]:
    started = Watching(here)
    yield started
    started.end()


def test_changes_of_budget_and_model(watching: Watching, here: Path) -> None:
    watching.wait_for("Ctrl-C ends it")
    write(here, "1 MB")
    watching.wait_for("edgecheck: changed: budgets/net.yaml")
    watching.wait_for("size pass → fail")
    watching.wait_for("Ctrl-C ends it", times=2)
    with (here / "net.onnx").open("ab") as model:
        model.write(b"\x32\xa0\x9c\x01" + b"a" * 20_000)
    watching.wait_for("edgecheck: changed: net.onnx")
    watching.wait_for("size 1.56 MB → 1.58 MB")
    watching.wait_for("Ctrl-C ends it", times=3)
    write(here, "1 MB, sise: 3")  # a mistake is reported, and the next change is waited for
    watching.wait_for("did you mean")
    watching.wait_for("Ctrl-C ends it", times=4)
    write(here, "2 MB")
    watching.wait_for("size fail → pass")
    watching.wait_for("Ctrl-C ends it", times=5)
    watching.process.send_signal(signal.SIGINT)
    assert watching.process.wait(timeout=30) == 0


def test_the_exit_code_is_the_last_reports(here: Path) -> None:
    write(here, "1 MB")
    started = Watching(here, "budgets/net.yaml")
    try:
        started.wait_for("Ctrl-C ends it")
        started.process.send_signal(signal.SIGINT)
        assert started.process.wait(timeout=30) == 1
    finally:
        started.end()


def test_what_is_looked_at(here: Path) -> None:
    (here / "budgets" / "report.json").write_text("{}", encoding="utf-8")
    (here / "budgets" / ".hidden").mkdir()
    (here / "budgets" / ".hidden" / "x.yaml").write_text("", encoding="utf-8")
    assert set(stamps([here / "budgets"])) == {here / "budgets" / "net.yaml"}
    model = here / "saved"
    model.mkdir()
    (model / "saved_model.pb").write_bytes(b"x")
    assert set(stamps([model, here / "gone"])) == {model / "saved_model.pb"}
