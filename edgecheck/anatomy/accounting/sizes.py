"""Whether a tensor has as many bytes as its type and its shape ask for."""

from __future__ import annotations

from math import prod

from edgecheck.anatomy.dtypes import dense_size
from edgecheck.anatomy.encodings.span import Damage


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
