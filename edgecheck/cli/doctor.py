"""`edgecheck doctor`: tries what is installed here, and names what to install for the rest."""

from __future__ import annotations

import os
import platform
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import TYPE_CHECKING

import click
from platformdirs import user_cache_path

from edgecheck import __version__
from edgecheck.cli import accelerators_here
from edgecheck.cli.accelerators_here import Line
from edgecheck.cli.files import ensure_folder
from edgecheck.config.project import find_project
from edgecheck.converters.routes import ROUTES, remedy
from edgecheck.core.units import Unit, show
from edgecheck.errors import EdgecheckError

if TYPE_CHECKING:
    from edgecheck.targets.adb.phones import Phone

#: Runtime -> (statements that load it and run a tiny model, extra that installs it).
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
_PROGRAMS = {"ssh": ("devices over SSH", "openssh-client")}

#: Seconds that one trial may take.
_TIMEOUT = 60


@click.command("doctor", epilog="\b\nExample:\n  edgecheck doctor")
def command() -> None:
    """Check this machine: what works, and what to install for the rest.

    A runtime counts as working only after it has run a model.
    """
    click.echo(f"edgecheck {__version__}, Python {platform.python_version()}, {platform.platform()}")
    for title, lines in (
        ("Runtimes on this machine", _runtimes()),
        ("Accelerators", accelerators_here.findings()),
        ("Converters", _converters()),
        ("Emulated devices", _emulated_devices()),
        ("Programs", _programs()),
        ("Phones", _phones()),
        ("Labs", _labs()),
        ("Cache", _cache()),
    ):
        if not (tried := list(lines)):
            continue
        width = max(len(line.what) for line in tried)
        click.echo(f"\n{title}")
        for line in tried:
            click.echo(f"  {'✔' if line.works else '✘'} {line.what:<{width}}  {line.found}")


def _runtimes() -> Iterator[Line]:
    for name, (code, extra) in _RUNTIMES.items():
        try:
            installed = version(name)
        except PackageNotFoundError:
            yield Line(works=False, what=name, found=f"not installed: {remedy(extra)}")
            continue
        yield _tried(name, installed, code)


def _tried(name: str, installed: str, code: str) -> Line:
    """Whether the runtime of this version runs a tiny model in a separate process."""
    argv = [sys.executable, "-c", code]
    try:
        done = subprocess.run(argv, check=False, capture_output=True, text=True, timeout=_TIMEOUT)
    except subprocess.TimeoutExpired:
        why = f"{installed} is installed, but did not finish within {_TIMEOUT} s"
        return Line(works=False, what=name, found=why)
    except OSError as error:
        return Line(works=False, what=name, found=f"{installed} was not tried: {error.strerror}")
    if done.returncode == 0:
        return Line(works=True, what=name, found=f"{installed}, ran a model")
    last = (done.stderr.strip().splitlines() or [f"exit code {done.returncode}"])[-1]
    return Line(works=False, what=name, found=f"{installed} is installed but does not run: {last}")


def _converters() -> Iterator[Line]:
    """A line for each extra with converters."""
    for extra in dict.fromkeys(route.extra for route in ROUTES):
        routes = [route for route in ROUTES if route.extra == extra]
        sources = dict.fromkeys(_SOURCES[source] for route in routes for source in route.sources)
        formats = dict.fromkeys(f".{route.format}" for route in routes)
        packages = dict.fromkeys(package for route in routes for package in route.packages)
        needed = [package for package in packages if extra in _ONLY_FOR.get(package, (extra,))]
        missing = [package for package in needed if not any(map(_installed, _EITHER.get(package, (package,))))]
        have = ", ".join(f"{package} {version(package)}" for package in needed if _installed(package))
        yield Line(
            works=not missing,
            what=f"{', '.join(sources)} to {' and '.join(formats)}",
            found=have if not missing else f"{', '.join(missing)} missing: {remedy(extra)}",
        )


#: Packages that only some extras need, though what others convert depends on them, too: pipelines may end in one.
_ONLY_FOR = {
    "onnxmltools": ("xgboost", "lightgbm"),
    **{library: (library,) for library in ("xgboost", "lightgbm", "catboost")},
}

#: What people call a source format.
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
    "xgboost": "XGBoost .json and .ubj",
    "lightgbm": "LightGBM .txt",
    "catboost": "CatBoost .cbm",
}

#: Distributions of which one is enough.
_EITHER = dict.fromkeys(("tensorflow", "tensorflow-cpu"), ("tensorflow", "tensorflow-cpu"))


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


def _phones() -> Iterator[Line]:
    """adb, its server, which is neither started nor ended for this, and what is connected."""
    from edgecheck.targets.adb import phones, server

    found = shutil.which(server.program()[0])
    if found is None:
        yield Line(works=False, what="adb", found=f"not found: {server.PACKAGE}")
        return
    try:
        mine, theirs = server.version(), server.running()
        text = server.ask("host:devices-l") if theirs == mine else None
    except EdgecheckError as error:
        yield Line(works=False, what="adb", found=f"{error.message} {error.hint}")
        return
    yield Line(works=True, what="adb", found=f"{found}, version {mine}")
    if theirs is None:
        yield Line(works=False, what="server", found="none runs: to look for phones, adb devices -l")
    elif theirs != mine:
        yield Line(
            works=False, what="server", found=f"version {theirs}, which the adb above would end: {server.VARIABLE}"
        )
    elif not (connected := phones.listed(text or "")):
        yield Line(works=False, what="phone", found="none is connected")
    else:
        yield from (_phone(phone) for phone in connected)


def _phone(phone: Phone) -> Line:
    from edgecheck.targets.adb.phones import not_ready

    if phone.is_ready:
        return Line(works=True, what=phone.serial, found=f"{phone.model or 'ready'}: --target adb://{phone.serial}")
    error = not_ready(phone)
    return Line(works=False, what=phone.serial, found=f"{error.message} {error.hint}")


def _labs() -> Iterator[Line]:
    """The coordinators that labgrid's variable and the project's file name; without any, labs are not mentioned."""
    from edgecheck.targets.labgrid.lease import look

    project = find_project(Path.cwd())[0]
    addresses = [*project.targets.values(), *(address for board in project.racks.values() for address in board)]
    named = [address.place.coordinator for address in addresses if address.place is not None]
    if "LG_COORDINATOR" in os.environ:
        named.append("")
    for coordinator in dict.fromkeys(named):
        try:
            yield Line(works=True, what="labgrid", found=look(coordinator))
        except EdgecheckError as error:
            yield Line(works=False, what="labgrid", found=f"{error.message} {error.hint}")


def _cache() -> Iterator[Line]:
    place = user_cache_path("edgecheck")
    try:
        ensure_folder(place, "Make it writable, or set XDG_CACHE_HOME to a folder that is.")
    except EdgecheckError as error:
        yield Line(works=False, what=str(place), found=f"{error.message} {error.hint}")
        return
    parent = next(folder for folder in (place, *place.parents) if folder.exists())
    free = shutil.disk_usage(parent).free
    yield Line(works=free > 2**30, what=str(place), found=f"{show(free, Unit.BYTES)} free")


#: The oldest QEMU whose machine and options are used, and the oldest that is noticeably faster.
_OLDEST, _FASTER = (6, 2), (10, 0)


def _emulated_devices() -> Iterator[Line]:
    """For each thing that is needed, whether it is there, what it is, and its version or how to get it."""
    from edgecheck.emulator import programs

    yield _qemu()
    for name, purpose in ((programs.MKE2FS, "disks of jobs"),):
        found = programs.find(name)
        yield Line(
            works=found is not None,
            what=f"{name} ({purpose})",
            found=found or f"not found: {programs.remedy(name)}",
        )
    yield _compiler()
    yield _models_of_cores()
    yield _system()
    if platform.system() != "Linux":
        yield Line(works=True, what=platform.system(), found="untested: the emulated device was tried on Linux only")


def _compiler() -> Line:
    from edgecheck.emulator import programs
    from edgecheck.emulator.counters import building, plugin

    found = next((path for name in building.COMPILERS if (path := programs.find(name))), None)
    if found is None and programs.find(programs.QEMU) and plugin.packaged(plugin.interface()) is not None:
        found = "not needed: the package has the plugin for this QEMU"
    hint = f"not found, so that projected latencies are instructions times a constant: {programs.remedy('gcc')}"
    return Line(works=found is not None, what="C compiler (counting cache misses)", found=found or hint)


def _models_of_cores() -> Line:
    from edgecheck.emulator import programs
    from edgecheck.emulator.counters import cycles

    tools = cycles.tools()
    found = f"{tools.simulator} {tools.version}" if tools is not None else ""
    hint = f"none of version {cycles.VERSIONS[0]} or later, so that projected latencies are less certain: "
    hint += programs.remedy(f"llvm-{cycles.VERSIONS[0]}")
    return Line(works=tools is not None, what="llvm-mca (cycles of a core)", found=found or hint)


def _qemu() -> Line:
    from edgecheck.emulator import programs

    what = f"{programs.QEMU} (the machine)"
    if programs.find(programs.QEMU) is None:
        return Line(works=False, what=what, found=f"not found: {programs.remedy(programs.QEMU)}")
    try:
        text = programs.run((programs.QEMU, "--version"))
    except EdgecheckError as error:
        return Line(works=False, what=what, found=f"{error.message} {error.hint}".strip())
    version = re.search(r"version (\d+)\.(\d+)\S*", text)
    if version is None:
        return Line(works=False, what=what, found=f"its version is unknown: {text.strip()[:80]}")
    number = (int(version[1]), int(version[2]))
    words = version[0].removeprefix("version ")
    if number < _OLDEST:
        need = f"6.2 or later is needed: {programs.remedy(programs.QEMU)}"
        return Line(works=False, what=what, found=f"{words} is too old; {need}")
    if number < _FASTER:
        words += "; QEMU 10 takes a fifth less time and counts the same instructions"
    return Line(works=True, what=what, found=words)


def _system() -> Line:
    """The system is built on first use, from a mirror; a system of the cache needs none."""
    from edgecheck.emulator import build, lock, mirrors

    own = lock.own()
    images = build.info().images
    if images:
        return Line(works=True, what="system", found=f"Python {images[0].python}, Linux {images[0].versions['linux']}")
    megabytes = sum(package.bytes for package in own.packages) / 1e6
    if os.environ.get(mirrors.VARIABLE):
        way = f"the mirrors in {mirrors.VARIABLE}"
    elif mirrors.has_apt():
        way = "the mirror of Debian that this host's apt uses, or a public one"
    else:
        way = "a public mirror of Debian"
    built = f"built on first use: {len(own.packages)} packages, {megabytes:.0f} MB, from {way}"
    return Line(works=True, what="system", found=built)
