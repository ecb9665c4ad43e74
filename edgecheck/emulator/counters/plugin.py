"""The plugin that counts blocks and cache misses: the package's, or compiled on this host when it is first needed."""

from __future__ import annotations

import hashlib
import json
import re
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from edgecheck.emulator import programs
from edgecheck.emulator.cache import Cache
from edgecheck.emulator.counters import building
from edgecheck.emulator.hardware import qemu_identity
from edgecheck.errors import EmulatorError
from edgecheck.store import Progress

if TYPE_CHECKING:  # only Python 3.10 to 3.13 have it there
    from importlib.abc import Traversable

#: Sizes of the second level that are simulated side by side, in bytes; 16 ways each.
SECOND_LEVELS = tuple(kib << 10 for kib in (256, 512, 1024, 2048, 4096, 8192))
_L2_WAYS = 16

#: The first level of data cache by QEMU's name of the core, in KiB and ways: the cores' technical reference manuals,
#: and for A53 and A76, which can have several sizes, the one in most chips.
_FIRST_LEVELS: Mapping[str, tuple[int, int]] = MappingProxyType(
    {
        "cortex-a35": (32, 4),
        "cortex-a53": (32, 4),
        "cortex-a55": (32, 4),
        "cortex-a57": (32, 2),
        "cortex-a72": (32, 2),
    }
)

#: That of A76 and everything later.
_LARGE_FIRST_LEVEL = (64, 4)

_NAME = "plugin.so"

#: Seconds for a QEMU without a machine to load the plugin and to end.
_TRYING = 30.0


@dataclass(frozen=True, slots=True)
class Plugin:
    """The compiled plugin."""

    path: Path
    content: str
    """A digest of its source and of QEMU's interface: counts of another one are not mixed with these."""

    def arguments(self, cpu: str, out: Path) -> tuple[str, ...]:
        """QEMU's words for a machine with the core `cpu`; the records are appended to `out`."""
        kib, ways = first_level(cpu)
        seconds = [f"l2={size >> 10}:{_L2_WAYS}" for size in SECOND_LEVELS]
        words = [str(self.path), f"out={out}", f"l1={kib}:{ways}", *seconds]
        return ("-plugin", ",".join(word.replace(",", ",,") for word in words))


def first_level(cpu: str) -> tuple[int, int]:
    """KiB and ways of a core's first level of data cache; `cpu` is as QEMU takes it."""
    return _FIRST_LEVELS.get(cpu.partition(",")[0], _LARGE_FIRST_LEVEL)


def ensure(cache: Cache, progress: Progress) -> Plugin:
    """The plugin for this host's QEMU: from the package where that has it, else compiled; kept by content.

    Raises:
        EmulatorError: it has to be compiled and there is no compiler, or this QEMU takes no plugins; the hint says what
            to install.
    """
    source = _package().joinpath(building.SOURCE).read_bytes()
    key = hashlib.sha256(source + json.dumps(qemu_identity()).encode()).hexdigest()[:16]

    def build(folder: Path) -> Mapping[str, Any]:
        number = interface()
        if not _taken(packaged(number), folder / _NAME):
            progress("compiling the plugin that counts cache misses")
            _compile(source, number, folder)
            _try(folder / _NAME)
        return {"content": hashlib.sha256(source + f" API={number}".encode()).hexdigest()[:16]}

    entry = cache.plugins.ensure(key, build, progress)
    return Plugin(entry.folder / _NAME, str(entry.facts["content"]))


def packaged(interface: int) -> bytes | None:
    """The plugin that the package has for this host and one of QEMU's interfaces."""
    file = _package().joinpath(building.FOLDER).joinpath(building.name(interface))
    return file.read_bytes() if file.is_file() else None


def _package() -> Traversable:
    return resources.files("edgecheck.emulator.counters")


def _taken(compiled: bytes | None, place: Path) -> bool:
    """Write the package's own to `place`, if there is one and this QEMU takes it."""
    if compiled is None:
        return False
    place.write_bytes(compiled)
    try:
        _try(place)
    except EmulatorError:  # made on a system with another C library, perhaps
        return False
    return True


def _compile(source: bytes, number: int, folder: Path) -> None:
    compiler = next((each for each in building.COMPILERS if programs.find(each)), None)
    if compiler is None:
        raise EmulatorError("no C compiler was found on this host", programs.remedy("gcc"))
    text = folder.parent / building.SOURCE
    text.write_bytes(source)
    programs.run(building.command(compiler, number, text, folder / _NAME))


def _try(path: Path) -> None:
    """Load it into a QEMU without a machine: some are built without plugins.

    Raises:
        EmulatorError: QEMU does not take it.
    """
    plugin = Plugin(path, "").arguments("", Path("/dev/null"))
    argv = (programs.path(programs.QEMU), "-machine", "none", "-display", "none", "-monitor", "stdio", *plugin)
    try:
        done = subprocess.run(argv, input=b"quit\n", capture_output=True, timeout=_TRYING, check=False)
    except subprocess.TimeoutExpired as error:
        raise EmulatorError("QEMU did not load the plugin in time") from error
    if done.returncode:
        said = done.stderr.decode(errors="replace").strip().splitlines()[-1:] or [f"status {done.returncode}"]
        raise EmulatorError(
            f"this QEMU does not take plugins ({said[0]})",
            "Install QEMU of a distribution: " + programs.remedy(programs.QEMU),
        )


def interface() -> int:
    """That of this host's QEMU.

    Raises:
        EmulatorError: it has none.
    """
    said = programs.run((programs.QEMU, "--version"))
    found = re.search(r"version (\d+)\.(\d+)", said)
    version = (int(found[1]), int(found[2])) if found else (0, 0)
    for since, number in building.INTERFACES:
        if version >= since:
            return number
    raise EmulatorError(
        "this QEMU is older than version 6, which takes no such plugins", programs.remedy(programs.QEMU)
    )
