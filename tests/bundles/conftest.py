"""One cache for all runs, so that only the first one downloads; the Pythons of this machine; no network on request."""

from __future__ import annotations

import os
import re
import shutil
import zipfile
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path

import pytest
from platformdirs import user_cache_path

from edgecheck.bundles import Bundle, DevicePlatform, bundle_for, host_platform


def _pythons() -> dict[str, Path]:
    """Every Python that the agent may meet and that this machine has, by its version."""
    found = {}
    for version in (f"3.{minor}" for minor in range(6, 15)):
        kept = [str(path) for path in sorted(Path.home().glob(f".pyenv/versions/{version}.*/bin/python3"))]
        on_path = shutil.which(f"python{version}")
        if kept or (on_path and "shims" not in on_path):
            found[version] = Path(*kept[:1] or [str(on_path)])
    return found


PYTHONS = _pythons()


@pytest.fixture(scope="session")
def cache() -> Path:
    return user_cache_path("edgecheck-test-bundles")


@pytest.fixture(params=PYTHONS)
def python(request: pytest.FixtureRequest) -> tuple[str, Path]:
    """Version and interpreter, one after the other."""
    version: str = request.param
    return version, PYTHONS[version]


@pytest.fixture(scope="session")
def here() -> Callable[..., DevicePlatform]:
    """This machine with fields changed."""
    platform = host_platform()
    return lambda **changes: replace(platform, **changes)


@pytest.fixture(scope="session")
def bundled(cache: Path) -> Callable[..., Bundle]:
    """`bundle_for` with the shared cache."""
    return lambda requirements, platform: bundle_for(requirements, platform, cache=cache)


@pytest.fixture
def _offline(monkeypatch: pytest.MonkeyPatch) -> None:
    """pip finds an index that refuses every connection, and nothing else."""
    for name in [name for name in os.environ if name.startswith("PIP_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("PIP_CONFIG_FILE", os.devnull)
    monkeypatch.setenv("PIP_INDEX_URL", "http://127.0.0.1:9/simple")
    monkeypatch.setenv("PIP_NO_CACHE_DIR", "1")


@pytest.fixture
def wheel(tmp_path: Path) -> Callable[..., Path]:
    """Writes a small wheel: its name, its files by path, and what it needs."""

    def write(name: str, files: Mapping[str, str | bytes], *needs: str, version: str = "1.0") -> Path:
        stem = re.sub(r"[-.]", "_", name)
        requires = "".join(f"Requires-Dist: {need}\n" for need in needs)
        information = f"{stem}-{version}.dist-info"
        path = tmp_path / f"{stem}-{version}-py3-none-any.whl"
        with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
            for inside, content in files.items():
                archive.writestr(inside, content)
            archive.writestr(
                f"{information}/METADATA", f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n{requires}"
            )
            archive.writestr(
                f"{information}/WHEEL", "Wheel-Version: 1.0\nGenerator: x\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
            )
            archive.writestr(f"{information}/RECORD", "")
        return path

    return write
