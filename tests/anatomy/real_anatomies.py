"""The anatomies of the real models in `examples/real_models.yaml`, each read once."""

from __future__ import annotations

from pathlib import Path

from edgecheck.anatomy.reading import read
from edgecheck.anatomy.values import Anatomy
from examples.real_models import catalogue, fetch

NAMES = tuple(catalogue()["models"])
FILES = tuple(name for name, model in catalogue()["models"].items() if not model["path"].endswith("/"))
_READ: dict[str, Anatomy] = {}


def names(*suffixes: str) -> list[str]:
    """The models whose names end in one of these."""
    return [name for name in NAMES if name.endswith(suffixes)]


def anatomy(name: str) -> Anatomy:
    """A real model, read once."""
    if name not in _READ:
        _READ[name] = read(fetch(name))
    return _READ[name]


def bytes_on_disk(path: Path) -> int:
    """Bytes of all files of a model."""
    files = [path] if path.is_file() else [each for each in path.rglob("*") if each.is_file()]
    return sum(each.stat().st_size for each in files)
