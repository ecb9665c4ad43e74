"""Text from files and devices, made safe to print and short enough for a message."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import lru_cache

#: What a terminal, XML, UTF-8 or a reader cannot take: control characters, line separators and marks that reverse the
#: direction of writing (Boucher and Anderson, Trojan Source, 2021), halves of surrogate pairs (undecodable bytes of a
#: file's name), and code points that Unicode reserves as non-characters.
_UNPRINTABLE = dict.fromkeys(
    (
        *range(32),
        *range(127, 160),
        *(0x200E, 0x200F, *range(0x2028, 0x202F), *range(0x2066, 0x206A)),
        *range(0xD800, 0xE000),
        *(0xFFFE, 0xFFFF),
    ),
    "\N{REPLACEMENT CHARACTER}",
)


def clean(text: str) -> str:
    """`text` on one line, with a replacement character for each that cannot be printed."""
    return text if text.isprintable() else text.translate(_UNPRINTABLE)


def middle_cut(text: str, longest: int) -> str:
    """`text`, clean, with its middle left out where it has more than `longest` characters."""
    if len(text) > longest:
        half = (longest - 1) // 2
        text = f"{text[:half]}…{text[-half:]}"
    return clean(text)


def shared(texts: Iterable[str]) -> tuple[str, ...]:
    """The texts, as one value for all that are equal: boards of a rack have the same hundred features."""
    return _kept(tuple(texts))


@lru_cache(maxsize=256)
def _kept(texts: tuple[str, ...]) -> tuple[str, ...]:
    return texts


def listed(names: Sequence[str], most: int) -> str:
    """The first `most` of the names, and how many more there are: `a, b and 3 more`."""
    more = f" and {len(names) - most:,} more" if len(names) > most else ""
    return f"{', '.join(names[:most])}{more}"
