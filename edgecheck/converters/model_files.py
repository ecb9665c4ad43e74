"""Plain facts about a model's files: which they are, their sizes and hashes, and what a ready file stores."""

from __future__ import annotations

import hashlib
import zlib
from collections.abc import Iterable
from functools import lru_cache
from pathlib import Path

from edgecheck.anatomy.dtypes import is_quantised
from edgecheck.anatomy.reading import read
from edgecheck.anatomy.signature import signature
from edgecheck.anatomy.values import Anatomy, Role
from edgecheck.errors import ConversionError, ModelError
from edgecheck.store import sha256_of

_PIECE = 2**20


def files_of(model: Path, source: str) -> tuple[Path, ...]:
    """The files that a model consists of, the one to open first in front.

    Raises:
        ModelError: external data are missing or outside its folder.
    """
    if model.is_dir():
        return tuple(sorted(file for file in model.rglob("*") if file.is_file()))
    if source != "onnx":
        return (model,)
    return (model, *(model.parent / file.name for file in anatomy_of(model).files if file.name != model.name))


def params_and_arithmetic(model: Path) -> tuple[int | None, str]:
    """How many weights a ready file stores, and the numbers in which most of its multiplications are done.

    None and `float` where the file does not say.
    """
    try:
        anatomy = anatomy_of(model)
        coarse = any(is_quantised(tensor.dtype) for tensor in anatomy.tensors if tensor.role is Role.WEIGHT)
        return anatomy.totals.params, signature(model).arithmetic.value if coarse else "float"
    except ModelError:
        return None, "float"


def anatomy_of(model: Path) -> Anatomy:
    """A ready file's anatomy; the last one read is kept, since several steps ask for it.

    Raises:
        ModelError: it is damaged.
    """
    status = model.stat()
    return _read_once(model, status.st_mtime_ns, status.st_size)


@lru_cache(maxsize=1)
def _read_once(model: Path, _changed: int, _size: int) -> Anatomy:
    """Reading a model of thousands of nodes takes longer than everything else that is done with a ready file."""
    return read(model)


def digest_of(files: Iterable[Path]) -> str:
    """One hash for all files; for a single file, its own."""
    return combined_digest([sha256(file) for file in files])


def combined_digest(digests: list[str]) -> str:
    """One hash for files that have these hashes."""
    return digests[0] if len(digests) == 1 else hashlib.sha256("".join(digests).encode()).hexdigest()


def sha256(path: Path) -> str:
    """The hash of a file's content, in hexadecimal."""
    try:
        return sha256_of(path)
    except OSError as error:
        raise ConversionError(f"{path} cannot be read: {error.strerror}.", "Check its permissions.") from error


def gzipped(path: Path) -> int:
    """Bytes after `gzip -9`: the strongest deflate, in a gzip frame without a file name."""
    packer = zlib.compressobj(level=9, wbits=31)
    size = 0
    with path.open("rb") as stream:
        while piece := stream.read(_PIECE):
            size += len(packer.compress(piece))
    return size + len(packer.flush())
