"""Everything that an artifact depends on, as one name: contents, variant, routes and the converters' versions."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from edgecheck import anatomy
from edgecheck.converters import model_files
from edgecheck.converters.interface import AS_IS, Request
from edgecheck.converters.safety import factories

#: Variants that depend on the samples' values; the others depend at most on their shapes.
_CALIBRATED = ("int8", AS_IS)


def cache_key(request: Request, makers: Iterable[str], packages: Iterable[str]) -> str:
    """The name under which the result for `request` is kept.

    Args:
        request: Its variant, shapes, and the contents of its model, samples and factory count; its paths do not.
        makers: The functions that make the result, in their order.
        packages: The distributions whose versions count.
    """
    digest = hashlib.sha256()
    inputs = sorted((name, tuple(shape)) for name, shape in request.inputs.items())
    parts = [_own_code(), request.source, request.format, request.variant, request.prune, inputs, request.factory]
    digest.update(repr([*parts, *makers, *map(_version, dict.fromkeys(packages))]).encode())
    for file in model_files.files_of(request.model, request.source):
        digest.update(model_files.sha256(file).encode())
    digest.update(b"ordered" if request.ordered else b"")
    if request.samples is not None:
        calibrated = request.variant in _CALIBRATED
        seen = model_files.sha256(request.samples) if calibrated else _shapes(request.samples)
        digest.update(seen.encode())
    if request.factory:
        digest.update(factories.sha256(request.factory, request.home).encode())
    return digest.hexdigest()[:32]


@cache
def _own_code() -> str:
    """The code that makes and reads artifacts: when it changes, the same input may give another result."""
    digest = hashlib.sha256()
    for folder in (Path(__file__).parent, Path(anatomy.__file__).parent):
        for file in sorted(folder.rglob("*.py")):
            digest.update(file.read_bytes())
    return digest.hexdigest()


def _version(package: str) -> str:
    try:
        return f"{package}=={version(package)}"
    except PackageNotFoundError:
        return f"{package} is absent"


def _shapes(samples: Path) -> str:
    from edgecheck.converters.samples import described  # imports numpy, which a check without samples does not need

    return repr(described(samples))
