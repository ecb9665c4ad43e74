"""The only place where a command becomes a line for a shell."""

from __future__ import annotations

import shlex
from collections.abc import Sequence


def quoted(argv: Sequence[str]) -> str:
    """The line that a POSIX shell splits into exactly `argv`.

    Raises:
        ValueError: a word contains a NUL, which no argument can.
    """
    if any("\0" in word for word in argv):
        raise ValueError("an argument cannot contain a NUL")
    return shlex.join(argv)
