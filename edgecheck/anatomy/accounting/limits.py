"""How many parts of a file are read before it is refused, so that a hostile one takes bounded time and memory."""

from __future__ import annotations

from edgecheck.anatomy.encodings.span import Unread

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
