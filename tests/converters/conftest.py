"""Shared by the tests of conversions: a cache, so that each conversion runs once, and models that are built once."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from edgecheck.converters.interface import ConversionSettings
from tests.converters.bench import Bench
from tests.converters.kept import built, kept

if TYPE_CHECKING:
    from collections.abc import Callable


@pytest.fixture(scope="session")
def shared() -> ConversionSettings:
    """One cache for all: a test reads what another one converted, in this run or in one of the same code."""
    return ConversionSettings(kept() / "cache", deadline=300.0)


@pytest.fixture
def bench(shared: ConversionSettings) -> Bench:
    return Bench(shared)


@pytest.fixture
def empty_bench(tmp_path: Path) -> Bench:
    """A bench with an empty cache."""
    return Bench(ConversionSettings(tmp_path / "cache", deadline=300.0))


@pytest.fixture(scope="session")
def keras_models() -> Path:
    return built("keras_models.py")


@pytest.fixture(scope="session")
def torch_models() -> Path:
    return built("torch_models.py")


@pytest.fixture(scope="session")
def sklearn_models() -> Path:
    return built("sklearn_models.py")


@pytest.fixture(scope="session")
def sklearn_kinds() -> Path:
    return built("sklearn_kinds.py")


@pytest.fixture(scope="session")
def sklearn_decisions() -> Path:
    return built("sklearn_decisions.py")


@pytest.fixture
def run_in(tmp_path: Path) -> Callable[[str], str]:
    """Run Python in a new process; returns what it printed."""

    def run(code: str) -> str:
        done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True, cwd=tmp_path)
        return done.stdout.strip()

    return run
