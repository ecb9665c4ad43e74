"""A limit's new value written as its user wrote the old one: in the same unit, rounded away from what was found."""

from __future__ import annotations

import re
from decimal import ROUND_CEILING, ROUND_FLOOR, Decimal
from typing import TYPE_CHECKING

from edgecheck.core.metrics import Direction
from edgecheck.core.units import NUMBER, SUFFIXES

if TYPE_CHECKING:
    from edgecheck.core.metrics import Metric

#: An anchor or a tag, a quote, the number, the unit.
_PARTS = re.compile(rf"((?:[&!]\S*\s+)*)(['\"]?)\s*\+?({NUMBER})(\s*)([^\W\d_]*|%)\s*\2")
_DIGITS = 3


def rewritten(old: str, value: float, metric: Metric) -> str:
    """`value` (in base units) in the place of `old`: its quotes, spacing and unit, to three digits.

    Raises:
        ValueError: `old` is no number with a unit.
    """
    match = _PARTS.fullmatch(old)
    if match is None:
        raise ValueError(f"{old!r} is no number with a unit")
    before, quote, number, space, unit = match.groups()
    factor = SUFFIXES[metric.unit][unit.replace("\N{GREEK SMALL LETTER MU}", "\N{MICRO SIGN}")]
    digits = _rounded(Decimal(repr(value)) / Decimal(str(factor)), metric)
    return f"{before}{quote}{_grouped(digits) if '_' in number else digits}{space}{unit}{quote}"


def _rounded(number: Decimal, metric: Metric) -> str:
    """Three digits, up for what must not exceed and down for what must reach, so that what was found still passes."""
    away = ROUND_CEILING if metric.direction is Direction.AT_MOST else ROUND_FLOOR
    if number:
        number = number.quantize(Decimal(1).scaleb(number.adjusted() - _DIGITS + 1), rounding=away)
    text = f"{number:f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


def _grouped(digits: str) -> str:
    whole, dot, rest = digits.partition(".")
    return f"{int(whole):_}{dot}{rest}"
