"""A model's plain facts: which files it consists of, their bytes, their compressed bytes, their hash."""

from __future__ import annotations

import hashlib
import zlib
from functools import lru_cache
from typing import TYPE_CHECKING

from edgecheck.anatomy.dtypes import is_quantised
from edgecheck.anatomy.reading import read
from edgecheck.anatomy.signature import signature
from edgecheck.anatomy.values import Role
from edgecheck.errors import ConversionError, ModelError
from edgecheck.store import sha256_of

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from edgecheck.anatomy.values import Anatomy

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
    return (model, *(model.parent / file.name for file in look(model).files if file.name != model.name))


def inside(model: Path) -> tuple[int | None, str]:
    """How many weights a ready file stores, and in which numbers most of its multiplications are done.

    None and `float` where the file does not tell.
    """
    try:
        anatomy = look(model)
        coarse = any(is_quantised(tensor.dtype) for tensor in anatomy.tensors if tensor.role is Role.WEIGHT)
        return anatomy.totals.params, signature(model).arithmetic.value if coarse else "float"
    except ModelError:
        return None, "float"


def look(model: Path) -> Anatomy:
    """A ready file's anatomy, read once for all who ask.

    Raises:
        ModelError: it is damaged.
    """
    status = model.stat()
    return _look_once(model, status.st_mtime_ns, status.st_size)


@lru_cache(maxsize=1)
def _look_once(model: Path, _changed: int, _size: int) -> Anatomy:
    """A model of thousands of nodes takes longer to read than all else that is asked of a ready file."""
    return read(model)


def digest_of(files: Iterable[Path]) -> str:
    """One hash for all files; a single file's is its own."""
    return joined([sha256(file) for file in files])


def joined(digests: list[str]) -> str:
    """The hash of files that have these hashes."""
    return digests[0] if len(digests) == 1 else hashlib.sha256("".join(digests).encode()).hexdigest()


def sha256(path: Path) -> str:
    """The hash of a file's content, in hexadecimal."""
    try:
        return sha256_of(path)
    except OSError as error:
        raise ConversionError(f"{path} cannot be read: {error.strerror}.", "Check its permissions.") from error


def gzipped(path: Path) -> int:
    """Bytes of `gzip -9`: deflate at its strongest, in gzip's frame without a name."""
    packer = zlib.compressobj(level=9, wbits=31)
    size = 0
    with path.open("rb") as stream:
        while piece := stream.read(_PIECE):
            size += len(packer.compress(piece))
    return size + len(packer.flush())
