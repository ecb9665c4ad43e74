"""Where the agent is on this machine: a separate package, which targets copy to devices and never import."""

from __future__ import annotations

from functools import cache
from importlib.util import find_spec
from pathlib import Path

#: The package's name, and the name of its folder on a device.
PACKAGE = "edgecheck_agent"

#: The file that starts the agent, relative to the folder that contains the package.
START = f"{PACKAGE}/supervisor.py"


@cache
def agent_folder() -> Path:
    """The folder of the agent's modules."""
    spec = find_spec(PACKAGE)
    assert spec is not None  # noqa: S101 - it is installed along with edgecheck
    assert spec.origin is not None  # noqa: S101 - it has an __init__.py
    return Path(spec.origin).parent
