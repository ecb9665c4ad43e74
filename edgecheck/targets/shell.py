"""The one place where a command becomes a line for a shell."""

from __future__ import annotations

import shlex
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence


def quoted(argv: Sequence[str]) -> str:
    """The line that a POSIX shell takes apart into exactly `argv`.

    Raises:
        ValueError: a word holds a NUL, which no argument can.
    """
    if any("\0" in word for word in argv):
        raise ValueError("an argument cannot hold a NUL")
    return shlex.join(argv)
