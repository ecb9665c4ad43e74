"""A model's plain facts: which files it consists of, their bytes, their compressed bytes, their hash."""

from __future__ import annotations

import hashlib
import zlib
from typing import TYPE_CHECKING

from edgecheck.anatomy.reading import read
from edgecheck.errors import ConversionError

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

_PIECE = 2**20


def shipped(model: Path, source: str) -> tuple[Path, ...]:
    """The files that a model consists of, the one to open first in front.

    Raises:
        ModelError: external data are missing or outside its folder.
    """
    if model.is_dir():
        return tuple(sorted(file for file in model.rglob("*") if file.is_file()))
    if source != "onnx":
        return (model,)
    return (model, *(model.parent / file.name for file in read(model).files if file.name != model.name))


def digest_of(files: Iterable[Path]) -> str:
    """One hash for all files; a single file's is its own."""
    digests = [sha256(file) for file in files]
    return digests[0] if len(digests) == 1 else hashlib.sha256("".join(digests).encode()).hexdigest()


def sha256(path: Path) -> str:
    """The hash of a file's content, in hexadecimal."""
    digest = hashlib.sha256()
    try:
        with path.open("rb") as stream:
            while piece := stream.read(_PIECE):
                digest.update(piece)
    except OSError as error:
        raise ConversionError(f"{path} cannot be read: {error.strerror}.", "Check its permissions.") from error
    return digest.hexdigest()


def gzipped(path: Path) -> int:
    """Bytes of `gzip -9`: deflate at its strongest, in gzip's frame without a name."""
    packer = zlib.compressobj(level=9, wbits=31)
    size = 0
    with path.open("rb") as stream:
        while piece := stream.read(_PIECE):
            size += len(packer.compress(piece))
    return size + len(packer.flush())
