"""The kernel of an unpacked system, and the modules that it needs to see its disks and ports."""

from __future__ import annotations

import lzma
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from edgecheck.errors import EmulatorError

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

MODULES = ("virtio_mmio", "virtio_blk", "virtio_console")


@dataclass(frozen=True, slots=True)
class Kernel:
    """A kernel image and its modules folder."""

    image: Path
    release: str
    modules: Path


def find(tree: Path) -> Kernel:
    """The newest kernel under `tree`/boot.

    Raises:
        EmulatorError: there is none, or its modules are missing.
    """
    images = sorted((tree / "boot").glob("vmlinuz-*"), key=_version)
    if not images:
        raise EmulatorError("The system holds no kernel (boot/vmlinuz-*).", _HINT)
    release = images[-1].name.removeprefix("vmlinuz-")
    for place in (tree / "usr/lib/modules" / release, tree / "lib/modules" / release):
        if place.is_dir():
            return Kernel(images[-1], release, place)
    raise EmulatorError(f"The system holds no modules for its kernel {release}.", _HINT)


def modules(kernel: Kernel, wanted: Sequence[str] = MODULES) -> list[tuple[str, bytes]]:
    """Name and content of modules, by default those for virtio disks and ports, each after those that it depends on.

    `insmod` knows no dependencies, and an unpacked package has no `modules.dep`: each module's own `depends=` is read.
    """
    files = {path.name.partition(".ko")[0].replace("-", "_"): path for path in kernel.modules.rglob("*.ko*")}
    found: dict[str, bytes] = {}

    def add(name: str) -> None:
        if name in found or name not in files:  # a module that is not there is built in
            return
        content = _content(files[name])
        for needed in re.findall(rb"\0depends=([^\0]*)\0", content):
            for dependency in filter(None, needed.decode().split(",")):
                add(dependency.replace("-", "_"))
        found[name] = content

    for name in wanted:
        add(name)
    return list(found.items())


def _content(path: Path) -> bytes:
    if path.suffix == ".xz":
        return lzma.decompress(path.read_bytes())
    return path.read_bytes()


def _version(path: Path) -> list[int]:
    return [int(part) for part in re.findall(r"\d+", path.name)]


_HINT = "Take the tar of Dockerfile.arm64's stage `machine`."
