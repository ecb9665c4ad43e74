"""Sizes, durations, frequencies, counts and ratios: text in, base units inside, text out.

Base units are bytes, seconds, hertz and bare numbers. No other module of edgecheck reads or prints a unit.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from decimal import Decimal
from enum import Enum
from types import MappingProxyType


class Unit(Enum):
    """What a number counts; the values are the base units' names in JSON."""

    BYTES = "bytes"
    SECONDS = "seconds"
    HERTZ = "hertz"
    COUNT = "count"
    RATIO = "ratio"


_DECIMAL = {"B": 1, "kB": 10**3, "MB": 10**6, "GB": 10**9}
_BINARY = {"B": 1, "KiB": 2**10, "MiB": 2**20, "GiB": 2**30}

#: Factors to the base unit, by the suffix that a user writes.
SUFFIXES: Mapping[Unit, Mapping[str, float]] = MappingProxyType(
    {
        Unit.BYTES: _DECIMAL | _BINARY,
        Unit.SECONDS: {"ns": 1e-9, "us": 1e-6, "\N{MICRO SIGN}s": 1e-6, "ms": 1e-3, "s": 1, "min": 60},
        Unit.HERTZ: {"Hz": 1, "kHz": 1e3, "MHz": 1e6, "GHz": 1e9},
        Unit.COUNT: {"": 1, "k": 1e3, "M": 1e6, "G": 1e9},
        Unit.RATIO: {"": 1, "%": 0.01},
    }
)

#: What a value of the unit looks like, for messages and for the JSON Schema.
TAKES: Mapping[Unit, str] = MappingProxyType(
    {
        Unit.BYTES: "a size with its unit, such as 80 MiB or 1.5 MB",
        Unit.SECONDS: "a duration with its unit, such as 50 ms or 1.5 s",
        Unit.HERTZ: "a frequency with its unit, such as 1.8 GHz",
        Unit.COUNT: "a number, such as 200_000_000 or 200e6",
        Unit.RATIO: "a number or a share, such as 0.99 or 99%",
    }
)

#: A number as a user writes it, for the reader here and for the JSON Schema.
NUMBER = r"(?:[0-9]+(?:_[0-9]+)*(?:\.[0-9]*)?|\.[0-9]+)(?:[eE][+-]?[0-9]+)?"
_QUANTITY = re.compile(rf"\s*([+-]?{NUMBER})\s*([^\W\d_]*|%)\s*")
_LONGEST = 64  # no figure that a person writes is longer


def parse(raw: object, unit: Unit) -> float:
    """The value in base units of what a user wrote (text, or a bare number where the unit has none).

    Raises:
        ValueError: it is not such a value; the message says what was found and what is accepted.
    """
    if isinstance(raw, (int, float)) and not isinstance(raw, bool):
        value = _bare_number(raw, unit)
    elif isinstance(raw, str):
        value = _parse_text(raw, unit)
    else:
        raise ValueError(f"found {shown(raw)}; expected {TAKES[unit]}")
    if not math.isfinite(value):
        raise ValueError(f"{shown(raw)} is not a finite number; expected {TAKES[unit]}")
    if value < 0:
        raise ValueError(f"{shown(raw)} is negative; expected {TAKES[unit]}")
    return abs(value)  # no negative zero


def _bare_number(raw: float, unit: Unit) -> float:
    try:
        value = float(raw)
    except OverflowError:
        return math.inf
    if "" in SUFFIXES[unit] or value == 0 or not math.isfinite(value):
        return value
    raise ValueError(f"{shown(raw)} has no unit; expected {TAKES[unit]}")


def _parse_text(raw: str, unit: Unit) -> float:
    match = _QUANTITY.fullmatch(raw) if len(raw) <= _LONGEST else None
    if match is None:
        raise ValueError(f"found {shown(raw)}; expected {TAKES[unit]}")
    number, suffix = match[1].replace("_", ""), match[2].replace("\N{GREEK SMALL LETTER MU}", "\N{MICRO SIGN}")
    if not suffix and "" not in SUFFIXES[unit] and not float(number):
        return 0.0
    factor = SUFFIXES[unit].get(suffix)
    if factor is None:
        raise ValueError(_unknown_suffix(raw, suffix, unit))
    return _product(number, factor)


def _product(number: str, factor: float) -> float:
    """The float nearest to the decimal product: 1.1 MB is 1100000.0 and 7% is 0.07, as written."""
    if not math.isfinite(float(number)):
        return float(number)
    return float(Decimal(number) * Decimal(str(factor)))


def _unknown_suffix(raw: str, suffix: str, unit: Unit) -> str:
    near = [name for name in SUFFIXES[unit] if name and name.lower() == suffix.lower()]
    if near:
        return f"unit {suffix!r} is not known; did you mean {' or '.join(near)}?"
    if suffix:
        return f"unit {suffix!r} is not known; expected {TAKES[unit]}"
    return f"{shown(raw)} has no unit; expected {TAKES[unit]}"


def shown(raw: object) -> str:
    """A user's value in a message: on one line, printable and not too long."""
    text = raw if isinstance(raw, str) else str(raw)
    short = f"{text[:_LONGEST]}…" if len(text) > _LONGEST else text
    return repr(short) if isinstance(raw, str) else short


def show(value: float, unit: Unit, *, binary: bool = False, exact: bool = False) -> str:
    """A person's text for `value`.

    Args:
        value: In base units.
        unit: What it counts.
        binary: Sizes in KiB, MiB, GiB (as memory is counted) instead of kB, MB, GB (as files are).
        exact: Every digit, in the base unit: for two values that would otherwise read the same.
    """
    if not math.isfinite(value):
        return "not a number" if math.isnan(value) else "infinite"
    if exact:
        return _exact(value, unit)
    if unit is Unit.RATIO:
        return _ratio(value)
    return _scaled(value, _SCALES[unit, binary and unit is Unit.BYTES])


def _ratio(value: float) -> str:
    """Four digits, or up to seven where what is not 1 would read as 1: more is the rounding of float32."""
    return next((text for digits in (4, 5, 6, 7) if (text := f"{value:.{digits}g}") != "1"), "1")


_SCALES: Mapping[tuple[Unit, bool], tuple[tuple[str, float], ...]] = MappingProxyType(
    {
        (Unit.BYTES, False): tuple((f" {name}", factor) for name, factor in _DECIMAL.items()),
        (Unit.BYTES, True): tuple((f" {name}", factor) for name, factor in _BINARY.items()),
        (Unit.SECONDS, False): ((" ns", 1e-9), (" us", 1e-6), (" ms", 1e-3), (" s", 1)),
        (Unit.HERTZ, False): ((" Hz", 1), (" kHz", 1e3), (" MHz", 1e6), (" GHz", 1e9)),
        (Unit.COUNT, False): (("", 1), ("k", 1e3), ("M", 1e6), ("G", 1e9)),
    }
)


def _exact(value: float, unit: Unit) -> str:
    whole = f"{value:,.0f}" if float(value).is_integer() else f"{value:,.9g}"
    return whole + {Unit.BYTES: " B", Unit.SECONDS: " s", Unit.HERTZ: " Hz"}.get(unit, "")


def _scaled(value: float, scale: tuple[tuple[str, float], ...]) -> str:
    """`value` to three significant digits in the largest unit that keeps it at 1 or more."""
    if value == 0:
        return "0" + next(name for name, factor in scale if factor == 1)
    name, factor = scale[0]
    for next_name, next_factor in scale[1:]:
        if abs(value) < next_factor * 0.9995:  # 999.6 kB reads as 1.00 MB, not as 1000 kB
            break
        name, factor = next_name, next_factor
    number = value / factor
    if factor == 1 and float(value).is_integer() and name in (" B", ""):
        return f"{number:.0f}{name}"
    exponent = int(f"{number:.2e}".partition("e")[2])  # of the rounded number: 9.996 is 10.0
    return f"{number:.{min(max(0, 2 - exponent), 2)}f}{name}"
