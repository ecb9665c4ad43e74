"""How many parts of a file are read before it is refused, so that a hostile one takes bounded time and memory."""

from __future__ import annotations

from math import prod

from edgecheck.anatomy.dtypes import dense_size
from edgecheck.anatomy.encodings.span import Damage, Unread

# RF-SECTION sizes: Whether a tensor has as many bytes as its type and its shape ask for.


def check_size(name: str, dtype: str, shape: tuple[int, ...], size: int) -> None:
    """Refuse a dense tensor that claims more numbers than it has, or fewer.

    Types without a fixed size, such as `string`, may have any number of bytes.

    Raises:
        Damage: `size` is not what `shape` asks for.
    """
    elements = prod(shape)
    asked = dense_size(dtype, elements)
    if asked != size and (asked or dense_size(dtype, 1)):
        raise Damage(f"tensor {name!r} claims {elements:,} numbers of {dtype} and has {size:,} bytes")


MOST_TENSORS = 250_000
"""The largest models that are published have some tens of thousands."""
MOST_PARTS = 8 * MOST_TENSORS
"""Nodes, records and members: a few for each tensor."""


def check_tensors(count: int) -> None:
    """Refuse more tensors than a model has.

    Raises:
        Unread: there are more than `MOST_TENSORS`.
    """
    if count > MOST_TENSORS:
        raise Unread(f"it has more than {MOST_TENSORS:,} tensors")


def check_parts(count: int) -> None:
    """Refuse more parts than a model has.

    Raises:
        Unread: there are more than `MOST_PARTS`.
    """
    if count > MOST_PARTS:
        raise Unread(f"it has more than {MOST_PARTS:,} parts")
