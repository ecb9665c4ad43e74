"""Text from outside made harmless: the names of files, models and devices can hold anything that a system allows."""

from __future__ import annotations

from edgecheck.reports.wording import clean

#: Characters of one message in a table; a compiler's error can be longer than the report around it.
LONGEST = 400


def one_line(text: str) -> str:
    """`text` on one line, with a replacement character for each that is not shown."""
    return clean(text)


def shortened(text: str, most: int = LONGEST) -> str:
    """The first `most` characters."""
    return text if len(text) <= most else f"{text[: most - 1]}…"
