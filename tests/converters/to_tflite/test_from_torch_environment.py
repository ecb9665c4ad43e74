"""litert-torch conflicts with the pins of this project's environment: its tests run in a separate one.

That takes 4 GB and minutes, so it is done only on request:

    EDGECHECK_ENVIRONMENTS=/tmp/environments python -m pytest -m environment
"""

from __future__ import annotations

import os
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path

import pytest

HERE = Path(__file__).parent
ROOT = HERE.parents[2]
PLACE = os.environ.get("EDGECHECK_ENVIRONMENTS", "")

pytestmark = [
    pytest.mark.environment,
    pytest.mark.convert,
    pytest.mark.skipif(not PLACE, reason="creates an environment of 4 GB; set EDGECHECK_ENVIRONMENTS=FOLDER to run it"),
    pytest.mark.timeout(3600),
]


@pytest.fixture
def python() -> Path:
    """An environment with the extra litert-torch, created if it does not exist yet."""
    place = Path(PLACE, "litert-torch")
    python = place / "bin" / "python"
    if not python.exists():
        subprocess.run([sys.executable, "-m", "venv", place], check=True)
    # The same torch as here: otherwise pip takes the one for CUDA, which is 3 GB larger.
    wanted = [f"{ROOT}[litert-torch,tflite,torch]", f"torch=={version('torch')}", "pytest", "pytest-timeout"]
    subprocess.run([python, "-m", "pip", "install", "--quiet", *wanted], check=True)
    return python


def test_the_route_from_torch_to_tflite(python: Path) -> None:
    done = subprocess.run(
        [python, "-m", "pytest", "-q", "-rs", "-p", "pytest_timeout", HERE / "test_from_torch.py"],
        check=False,
        capture_output=True,
        text=True,
        cwd=ROOT,
        # Dependencies bring plugins whose warnings are errors here.
        env={**os.environ, "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"},
    )
    assert done.returncode == 0, done.stdout[-5000:]
    assert "7 passed" in done.stdout
    assert "skipped" not in done.stdout
