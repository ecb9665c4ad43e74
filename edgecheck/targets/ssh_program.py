"""The courier as text for the Python at ssh's other end: nothing needs to be there before it."""

from __future__ import annotations

import zlib
from functools import cache
from pathlib import Path

from edgecheck.bundles import probe
from edgecheck.bundles import unpacker as _unpacker
from edgecheck.targets import courier

#: The courier's modules, each after those that it imports.
_MODULES = ("link", "place", "store", "receiving", "job_folder", "relay", "courier")

#: Without a single quote, a backslash or a `!`: any login shell takes it in single quotes. It is good Python 2 too, to
#: say that this is not enough, and imports nothing from the user's home, where a file may be called `zlib.py`.
_BOOT = (
    "import sys;sys.path[:1]=[];"
    'sys.version_info<(3,6) and sys.exit("edgecheck needs Python 3.6 or newer; this is "+sys.version.split()[0]);'
    "import zlib;exec(zlib.decompress(sys.stdin.buffer.read({size})))"
)

_LOADER = """
import sys, types
for name, text in {modules!r}:
    module = sys.modules[name] = types.ModuleType(name)
    exec(compile(text, "edgecheck-courier/" + name + ".py", "exec"), module.__dict__)
sys.modules["courier"].main({silence!r})
"""


def program(silence: float) -> bytes:
    """What the Python that `boot` starts reads from stdin; `silence` as in `Patience`."""
    return zlib.compress(_LOADER.format(modules=_texts(), silence=silence).encode(), 9)


def boot(python: str, program: bytes) -> tuple[str, ...]:
    """The command that runs `program` there."""
    return python, "-c", _BOOT.format(size=len(program))


@cache
def unpacker() -> str:
    """What unpacks an archive there; sent only with one."""
    return Path(_unpacker.__file__).read_text(encoding="utf-8")


@cache
def _texts() -> tuple[tuple[str, str], ...]:
    """The modules by name; a function of the installed package alone."""
    folder = Path(courier.__file__).parent
    texts = [(name, (folder / f"{name}.py").read_text(encoding="utf-8")) for name in _MODULES]
    return (("probe", Path(probe.__file__).read_text(encoding="utf-8")), *texts)
