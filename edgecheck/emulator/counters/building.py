"""How the plugin is compiled, on a host or into a wheel; nothing but the standard library is needed to load this."""

from __future__ import annotations

import platform
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path

#: Programs that compile C, in the order of looking for one.
COMPILERS = ("cc", "gcc", "clang")

#: By the first version of QEMU that has it: the interface that the plugin is compiled for, the newest first.
INTERFACES = (((9, 1), 3), ((9, 0), 2), ((6, 0), 1))

SOURCE = "plugin.c"

#: Of the package: where a wheel has what was compiled when it was made.
FOLDER = "compiled"


def command(compiler: str, interface: int, source: Path, target: Path) -> tuple[str, ...]:
    """The argv that compiles the plugin for one of QEMU's interfaces."""
    undefined = ("-undefined", "dynamic_lookup") if sys.platform == "darwin" else ()
    flags = ("-O2", "-shared", "-fPIC", "-fvisibility=hidden", f"-DAPI={interface}", *undefined)
    return (compiler, *flags, "-o", str(target), str(source))


def name(interface: int) -> str:
    """The file in `FOLDER` for this host's system and processor."""
    return f"{sys.platform}-{platform.machine().lower()}-{interface}.so"


def commands(source: Path, folder: Path) -> Iterator[tuple[Path, tuple[str, ...]]]:
    """Every plugin that this host can compile into `folder`, with its argv; none without a compiler."""
    compiler = next(filter(shutil.which, COMPILERS), None)
    if compiler is not None:
        for _, interface in INTERFACES:
            target = folder / name(interface)
            yield target, command(compiler, interface, source, target)
