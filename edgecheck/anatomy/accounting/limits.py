"""Checks on what a file claims before it is believed, so that a hostile one takes bounded time and memory.

The counts bound the work of a reader, the sizes what it reports: a tensor has as many bytes as its type and shape need.
"""

from __future__ import annotations

from math import prod

from edgecheck.anatomy.dtypes import dense_size
from edgecheck.anatomy.encodings.span import Damage, Unread

#: The largest published models have some tens of thousands.
MOST_TENSORS = 250_000
#: Nodes, records and members: a few for each tensor.
MOST_PARTS = 8 * MOST_TENSORS


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


def check_size(name: str, dtype: str, shape: tuple[int, ...], size: int) -> None:
    """Refuse a dense tensor that claims more numbers than it has, or fewer.

    Types without a fixed size, such as `string`, may have any number of bytes.

    Raises:
        Damage: `size` is not what `dtype` and `shape` need.
    """
    elements = prod(shape)
    needed = dense_size(dtype, elements)
    if needed != size and (needed or dense_size(dtype, 1)):
        raise Damage(f"tensor {name!r} claims {elements:,} numbers of {dtype} and has {size:,} bytes")
