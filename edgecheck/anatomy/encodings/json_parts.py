"""JSON inside model files, read without trusting it (RFC 8259, https://www.rfc-editor.org/rfc/rfc8259)."""

from __future__ import annotations

import json

from edgecheck.anatomy.encodings.span import Damage, Span, Unread

#: Python needs up to twenty times as much memory as JSON text is long.
_LARGEST = 64 << 20


def read_json(span: Span, what: str) -> object:
    """The value of the JSON text in `span`; `what` names the text in the error.

    Raises:
        Damage: it is not JSON, or too deep.
        Unread: it is larger than 64 MiB.
    """
    if span.size > _LARGEST:
        raise Unread(f"its {what} claims {span.size:,} bytes")
    try:
        return json.loads(span.raw(0, span.size))
    except (ValueError, RecursionError) as error:
        raise Damage(f"its {what} is not JSON ({error})") from error


def as_dict(value: object) -> dict[str, object]:
    """`value` when it is an object, else an empty one: the caller notices what it misses."""
    return value if isinstance(value, dict) else {}


def as_list(value: object) -> list[object]:
    """`value` when it is an array, else an empty one."""
    return value if isinstance(value, list) else []


def as_size(value: object) -> int:
    """`value` when it is an integer of at least 0, else 0."""
    return value if isinstance(value, int) and value >= 0 else 0
