"""What `edgecheck doctor` says about the emulated device: what it needs, what is missing, and how to install it."""

from __future__ import annotations

import os
import platform
import re
from collections.abc import Iterator

#: The oldest QEMU whose machine and options are used, and the oldest that is noticeably faster.
_OLDEST, _FASTER = (6, 2), (10, 0)


def findings() -> Iterator[tuple[bool, str, str]]:
    """For each thing that is needed, whether it is there, what it is, and its version or how to get it."""
    from edgecheck.emulator import programs

    yield _qemu()
    for name, purpose in ((programs.MKE2FS, "disks of jobs"),):
        found = programs.find(name)
        yield found is not None, f"{name} ({purpose})", found or f"not found: {programs.remedy(name)}"
    yield _compiler()
    yield _models_of_cores()
    yield _system()
    if platform.system() != "Linux":
        yield True, platform.system(), "untested: the emulated device was tried on Linux only"


def _compiler() -> tuple[bool, str, str]:
    from edgecheck.emulator import programs
    from edgecheck.emulator.counters import building, plugin

    found = next((path for name in building.COMPILERS if (path := programs.find(name))), None)
    if found is None and programs.find(programs.QEMU) and plugin.packaged(plugin.interface()) is not None:
        found = "not needed: the package has the plugin for this QEMU"
    hint = f"not found, so that projected latencies are instructions times a constant: {programs.remedy('gcc')}"
    return found is not None, "C compiler (counting cache misses)", found or hint


def _models_of_cores() -> tuple[bool, str, str]:
    from edgecheck.emulator import programs
    from edgecheck.emulator.counters import cycles

    tools = cycles.tools()
    found = f"{tools.simulator} {tools.version}" if tools is not None else ""
    hint = f"none of version {cycles.VERSIONS[0]} or later, so that projected latencies are less certain: "
    hint += programs.remedy(f"llvm-{cycles.VERSIONS[0]}")
    return tools is not None, "llvm-mca (cycles of a core)", found or hint


def _qemu() -> tuple[bool, str, str]:
    from edgecheck.emulator import programs

    what = f"{programs.QEMU} (the machine)"
    if programs.find(programs.QEMU) is None:
        return False, what, f"not found: {programs.remedy(programs.QEMU)}"
    text = programs.run((programs.QEMU, "--version"))
    version = re.search(r"version (\d+)\.(\d+)\S*", text)
    if version is None:
        return False, what, f"its version is unknown: {text.strip()[:80]}"
    number = (int(version[1]), int(version[2]))
    words = version[0].removeprefix("version ")
    if number < _OLDEST:
        return False, what, f"{words} is too old; 6.2 or later is needed: {programs.remedy(programs.QEMU)}"
    if number < _FASTER:
        return True, what, f"{words}; QEMU 10 takes a fifth less time and counts the same instructions"
    return True, what, words


def _system() -> tuple[bool, str, str]:
    """The system is built on first use, from a mirror; a system of the cache needs none."""
    from edgecheck.emulator import build, lock, mirrors

    own = lock.own()
    images = build.info().images
    if images:
        return True, "system", f"Python {images[0].python}, Linux {images[0].versions['linux']}"
    megabytes = sum(package.bytes for package in own.packages) / 1e6
    if os.environ.get(mirrors.VARIABLE):
        way = f"the mirrors in {mirrors.VARIABLE}"
    elif mirrors.has_apt():
        way = "the mirror of Debian that this host's apt uses, or a public one"
    else:
        way = "a public mirror of Debian"
    return True, "system", f"built on first use: {len(own.packages)} packages, {megabytes:.0f} MB, from {way}"
