"""Text from outside made harmless: the names of files, models and devices can hold anything that a system allows."""

from __future__ import annotations

import re

from edgecheck.reports.wording import clean

#: What `clean` leaves and XML, UTF-8 or a reader's eye does not stand: halves of surrogate pairs (undecodable bytes of
#: a file name), what Unicode says is no character, line separators, and marks that turn the direction of writing
#: (Boucher and Anderson, Trojan Source, 2021).
_FOREIGN = re.compile("[\ud800-\udfff\ufffe\uffff\u2028\u2029\u200e\u200f\u202a-\u202e\u2066-\u2069]")

#: Characters of one message in a table; a compiler's error can be longer than the report around it.
LONGEST = 400


def one_line(text: str) -> str:
    """`text` on one line, with a replacement character for each that is not shown."""
    return _FOREIGN.sub("\N{REPLACEMENT CHARACTER}", clean(text))


def shortened(text: str, most: int = LONGEST) -> str:
    """The first `most` characters."""
    return text if len(text) <= most else f"{text[: most - 1]}…"
