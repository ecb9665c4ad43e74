"""The wheel has QEMU's plugin, compiled for the system and processor on which the wheel is made: 3 x 17 kB.

hatchling loads this file when it builds a wheel; see `[tool.hatch.build.targets.wheel.hooks.custom]` in
`pyproject.toml`. The plugin needs a C library alone, and it is data for QEMU: where it does not load, or where no
compiler was found here, the host compiles it on first use, so that the wheel fits every platform.
"""

from __future__ import annotations

import importlib.util
import subprocess
import tempfile
from pathlib import Path
from types import ModuleType
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

_PLACE = "edgecheck/emulator/counters"


class CustomBuildHook(BuildHookInterface):  # type: ignore[misc] # hatchling is there only while a package is built
    """Adds the compiled plugins."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Compile, unless the package is installed in place."""
        if version == "editable":
            return
        building = _building(Path(self.root))
        folder = Path(tempfile.mkdtemp())
        self._folder = folder
        for target, argv in building.commands(Path(self.root) / _PLACE / building.SOURCE, folder):
            if subprocess.run(argv, check=False).returncode == 0:
                build_data["force_include"][str(target)] = f"{_PLACE}/{building.FOLDER}/{target.name}"

    def finalize(self, _version: str, _build_data: dict[str, Any], _artifact_path: str) -> None:
        """Remove what was compiled."""
        if folder := getattr(self, "_folder", None):
            for file in folder.iterdir():
                file.unlink()
            folder.rmdir()


def _building(root: Path) -> ModuleType:
    """The module that says how, without the packages that edgecheck needs."""
    spec = importlib.util.spec_from_file_location("building", root / _PLACE / "building.py")
    assert spec is not None and spec.loader is not None  # noqa: PT018, S101
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module
