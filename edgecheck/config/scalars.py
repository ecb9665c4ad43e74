"""Plain YAML values as this tool reads them: what every YAML version agrees on, and text as written."""

from __future__ import annotations

import math
import re

_TRUTH = {"true": True, "True": True, "TRUE": True, "false": False, "False": False, "FALSE": False}
_NOTHING = frozenset({"", "~", "null", "Null", "NULL"})
_WHOLE = re.compile(r"[-+]?(?:0|[1-9][0-9_]*)")
_FRACTION = re.compile(r"[-+]?(?:[0-9][0-9_]*\.[0-9_]*|\.[0-9][0-9_]*|[0-9][0-9_]*(?=[eE]))(?:[eE][-+]?[0-9]+)?")
_SPECIAL = re.compile(r"[-+]?\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN)")
_LEADING_ZERO = re.compile(r"[-+]?0[0-9_]+")
_LONGEST = 64  # a longer row of digits is shown as text, and refused as such


class AmbiguousError(ValueError):
    """A number that means one thing to one YAML reader and something else to another."""


def scalar_value(text: str, *, plain: bool, tag: str) -> str | int | float | bool | None:
    """The value of a scalar.

    `yes`, `no`, `on`, `off`, dates and base-60 numbers (`1:30`) stay text, as in YAML 1.2.

    Args:
        text: As written, without quotes.
        plain: Whether it was written without quotes.
        tag: The standard tag that the user gave, such as `str`; empty for none.

    Raises:
        AmbiguousError: a leading zero, which YAML 1.1 reads as octal and YAML 1.2 does not.
    """
    if tag == "str" or (not plain and not tag) or len(text) > _LONGEST:
        return text
    if text in _NOTHING:
        return None
    if text in _TRUTH:
        return _TRUTH[text]
    return _number(text)


def _number(text: str) -> str | int | float:
    if _LEADING_ZERO.fullmatch(text):
        bare = text.lstrip("+-0_") or "0"
        raise AmbiguousError(
            f"{text} starts with a zero, which some YAML readers take for octal; write {bare}, "
            f'or "{text}" where text is meant'
        )
    if _WHOLE.fullmatch(text):
        return int(text.replace("_", ""))
    if _FRACTION.fullmatch(text):
        value = float(text.replace("_", ""))
        return value if math.isfinite(value) else text
    if _SPECIAL.fullmatch(text):
        return float(text.replace(".", ""))
    return text
