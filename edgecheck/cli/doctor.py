"""`edgecheck doctor`: what works here, found by trying it, and what to install for the rest."""

from __future__ import annotations

import platform
import shutil
import subprocess
import sys
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from typing import TYPE_CHECKING

import click
from platformdirs import user_cache_path

from edgecheck import __version__
from edgecheck.converters.routes import ROUTES, remedy
from edgecheck.core.units import Unit, show

if TYPE_CHECKING:
    from collections.abc import Iterator

#: Runtime -> (expression that loads it whole and runs a tiny model, extra that installs it).
_RUNTIMES = {
    "ai-edge-litert": (
        "from edgecheck_agent import tflite_engine; print(tflite_engine.Engine('ai-edge-litert', 1).version)",
        "tflite",
    ),
    "tflite-runtime": (
        "from edgecheck_agent import tflite_engine; print(tflite_engine.Engine('tflite-runtime', 1).version)",
        "tflite-runtime",
    ),
    "onnxruntime": (
        "from edgecheck_agent import onnx_engine; onnx_engine.Engine(1); print(onnx_engine.VERSION)",
        "onnx",
    ),
}

#: Program -> (what it is for, the Debian package).
_PROGRAMS = {
    "qemu-system-aarch64": ("emulated devices", "qemu-system-arm"),
    "mke2fs": ("emulated devices", "e2fsprogs"),
    "ssh": ("devices over SSH", "openssh-client"),
}

#: Seconds for one trial.
_PATIENCE = 60


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """One thing that was tried."""

    works: bool
    what: str
    found: str
    """Its version, or what is in the way and how to mend it."""


@click.command("doctor", epilog="\b\nExample:\n  edgecheck doctor")
def command() -> None:
    """Say what works here and what to install for the rest.

    Everything is tried, not looked up: a runtime counts as working when it
    has run a model.
    """
    click.echo(f"edgecheck {__version__}, Python {platform.python_version()}, {platform.platform()}")
    for title, lines in (
        ("Runtimes on this machine", _runtimes()),
        ("Converters", _converters()),
        ("Programs", _programs()),
        ("Cache", _cache()),
    ):
        tried = list(lines)
        width = max(len(line.what) for line in tried)
        click.echo(f"\n{title}")
        for line in tried:
            click.echo(f"  {'✔' if line.works else '✘'} {line.what:<{width}}  {line.found}")


def _runtimes() -> Iterator[Line]:
    for name, (trial, extra) in _RUNTIMES.items():
        try:
            installed = version(name)
        except PackageNotFoundError:
            yield Line(works=False, what=name, found=f"not installed: pip install 'edgecheck[{extra}]'")
            continue
        done = subprocess.run(
            [sys.executable, "-c", trial], check=False, capture_output=True, text=True, timeout=_PATIENCE
        )
        if done.returncode == 0:
            yield Line(works=True, what=name, found=f"{installed}, ran a model")
        else:
            last = (done.stderr.strip().splitlines() or [f"exit code {done.returncode}"])[-1]
            yield Line(works=False, what=name, found=f"{installed} is installed and does not run: {last}")


def _converters() -> Iterator[Line]:
    """A line for each extra that brings converters."""
    for extra in dict.fromkeys(route.extra for route in ROUTES):
        routes = [route for route in ROUTES if route.extra == extra]
        sources = dict.fromkeys(_SOURCES[source] for route in routes for source in route.sources)
        formats = dict.fromkeys(f".{route.format}" for route in routes)
        needed = dict.fromkeys(package for route in routes for package in route.packages)
        missing = [package for package in needed if not any(map(_installed, _SAME.get(package, (package,))))]
        have = ", ".join(f"{package} {version(package)}" for package in needed if _installed(package))
        yield Line(
            works=not missing,
            what=f"{', '.join(sources)} to {' and '.join(formats)}",
            found=have if not missing else f"{', '.join(missing)} missing: {remedy(extra)}",
        )


#: Sources as people call them, by the formats' names.
_SOURCES = {
    "onnx": ".onnx",
    "tflite": ".tflite",
    "keras": "Keras .keras",
    "hdf5": ".h5",
    "savedmodel": "SavedModel",
    "torch-zip": "PyTorch .pth",
    "torch-legacy": "PyTorch .pth",
    "safetensors": ".safetensors",
    "pt2": ".pt2",
    "torchscript": "TorchScript",
    "joblib": "scikit-learn .joblib",
    "pickle": ".pkl",
    "skops": ".skops",
}

#: Distributions of which either will do.
_SAME = dict.fromkeys(("tensorflow", "tensorflow-cpu"), ("tensorflow", "tensorflow-cpu"))


def _installed(package: str) -> bool:
    try:
        version(package)
    except PackageNotFoundError:
        return False
    return True


def _programs() -> Iterator[Line]:
    for name, (purpose, package) in _PROGRAMS.items():
        found = shutil.which(name)
        yield Line(
            works=found is not None,
            what=f"{name} ({purpose})",
            found=found or f"not found: sudo apt-get install {package}",
        )


def _cache() -> Iterator[Line]:
    place = user_cache_path("edgecheck")
    parent = next(folder for folder in (place, *place.parents) if folder.exists())
    free = shutil.disk_usage(parent).free
    yield Line(works=free > 2**30, what=str(place), found=f"{show(free, Unit.BYTES)} free")
