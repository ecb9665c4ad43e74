"""JSON inside model files, read without trusting it."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from edgecheck.anatomy.encodings.span import Damage, Unread

if TYPE_CHECKING:
    from edgecheck.anatomy.encodings.span import Span

_LARGEST = 64 << 20
"""Python needs up to twenty times as much memory as JSON text is long."""


def read_json(span: Span, what: str) -> object:
    """The JSON text in `span`; `what` names it in the error.

    Raises:
        Damage: it is no JSON, too deep, or larger than 64 MiB.
    """
    if span.size > _LARGEST:
        raise Unread(f"its {what} claims {span.size:,} bytes")
    try:
        return json.loads(span.raw(0, span.size))
    except (ValueError, RecursionError) as error:
        raise Damage(f"its {what} is not JSON ({error})") from error


def as_dict(value: object) -> dict[str, object]:
    """`value` where it is an object, else an empty one: what is missing is found out by who needs it."""
    return value if isinstance(value, dict) else {}


def as_list(value: object) -> list[object]:
    """`value` where it is an array, else an empty one."""
    return value if isinstance(value, list) else []


def as_size(value: object) -> int:
    """`value` where it is a whole number of at least 0, else 0."""
    return value if isinstance(value, int) and value >= 0 else 0
