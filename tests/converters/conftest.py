"""Shared by the tests of conversions: one cache, so that each conversion runs once, and models that are built once."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from edgecheck.converters.interface import ConversionSettings
from tests.converters.bench import Bench

if TYPE_CHECKING:
    from collections.abc import Callable

HERE = Path(__file__).parent


@pytest.fixture(scope="session")
def shared(tmp_path_factory: pytest.TempPathFactory) -> ConversionSettings:
    """One cache for the session: a test reads what another one converted."""
    return ConversionSettings(tmp_path_factory.mktemp("cache"), deadline=300.0)


@pytest.fixture
def bench(shared: ConversionSettings) -> Bench:
    return Bench(shared)


@pytest.fixture
def empty_bench(tmp_path: Path) -> Bench:
    """A bench with an empty cache."""
    return Bench(ConversionSettings(tmp_path / "cache", deadline=300.0))


def build(script: str, folder: Path) -> Path:
    """Run a script that builds models, in a separate process: pytest's must not import TensorFlow."""
    done = subprocess.run(
        [sys.executable, HERE / "building" / script, folder],
        check=False,
        capture_output=True,
        text=True,
        env={**os.environ, "PYTHONPATH": str(HERE.parents[1])},
    )
    assert done.returncode == 0, done.stderr
    return folder


@pytest.fixture(scope="session")
def keras_models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build("keras_models.py", tmp_path_factory.mktemp("keras"))


@pytest.fixture(scope="session")
def torch_models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build("torch_models.py", tmp_path_factory.mktemp("torch"))


@pytest.fixture(scope="session")
def sklearn_models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build("sklearn_models.py", tmp_path_factory.mktemp("sklearn"))


@pytest.fixture(scope="session")
def sklearn_kinds(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build("sklearn_kinds.py", tmp_path_factory.mktemp("kinds"))


@pytest.fixture(scope="session")
def sklearn_decisions(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build("sklearn_decisions.py", tmp_path_factory.mktemp("decisions"))


@pytest.fixture
def run_in(tmp_path: Path) -> Callable[[str], str]:
    """Run Python in a new process; returns what it printed."""

    def run(code: str) -> str:
        done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True, cwd=tmp_path)
        return done.stdout.strip()

    return run
