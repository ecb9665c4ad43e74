"""Cells of CSV files (RFC 4180): figures in base units, and texts that no spreadsheet takes for a formula."""

from __future__ import annotations

#: A spreadsheet takes a cell that begins with one of these for a formula.
_FORMULAS = ("=", "+", "-", "@", "\t", "\r")


def figure(value: float | None) -> str:
    """As few digits as give the same number again; empty if it is not known."""
    if value is None:
        return ""
    return str(int(value)) if value == int(value) else repr(value)


def plain(word: str) -> str:
    """The text, with an apostrophe in front of what would be a formula."""
    return f"'{word}" if word.startswith(_FORMULAS) else word
