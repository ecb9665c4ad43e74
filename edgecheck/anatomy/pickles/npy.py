"""NumPy's `.npy` files: a header that is a Python literal, then the numbers."""

from __future__ import annotations

import re
from math import prod
from typing import TYPE_CHECKING

from edgecheck.anatomy.accounting.ledger import Label
from edgecheck.anatomy.encodings.span import Damage
from edgecheck.anatomy.pickles.arrays import Array, DType, dtype_of
from edgecheck.anatomy.values import Kind

if TYPE_CHECKING:
    from edgecheck.anatomy.accounting.region import Region

HEADERS = Label(Kind.STRUCTURE, "array headers")
_MAGIC = b"\x93NUMPY"
_LONGEST_HEADER = 1 << 20
_DESCRIPTION = re.compile(r"'descr':\s*'([<>|=]?)([a-zA-Z])(\d*)'")
_SHAPE = re.compile(r"'shape':\s*\(([\d,\s]*)\)")


def read_npy(region: Region) -> Array:
    """The array of the `.npy` file in a region; its header is entered, its numbers are not.

    Raises:
        Damage: it is no such file, or has fewer numbers than its shape asks for.
    """
    span = region.span
    if span.size < len(_MAGIC) or span.raw(0, len(_MAGIC)) != _MAGIC:
        raise Damage("an array of it is not in NumPy's format")
    width = 2 if span.u8(6) == 1 else 4
    start = 8 + width + span.uint(8, width)
    if start > _LONGEST_HEADER:
        raise Damage(f"an array's header claims {start:,} bytes")
    header = span.text(8 + width, start - 8 - width)
    sizes, description = _SHAPE.search(header), _DESCRIPTION.search(header)
    if sizes is None:
        raise Damage("an array of it has no shape")
    shape = tuple(int(size) for size in sizes[1].split(",") if size.strip())
    size = span.size - start
    dtype = dtype_of(description[2], description[3], swapped=description[1] == ">") if description else None
    if dtype is None:  # a structured type: a list of fields
        dtype = DType("record", size // max(1, prod(shape)))
    if dtype.name != "object" and dtype.size * prod(shape) != size:
        raise Damage(f"an array of shape {shape} and type {dtype.name} has {size:,} bytes")
    region.claim(0, start, HEADERS)
    return Array(dtype, shape, start, size, "big-endian" if dtype.swapped else "")
