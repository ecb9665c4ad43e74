"""Reads what XGBoost's `save_model` writes: one document, as JSON or as UBJSON.

https://xgboost.readthedocs.io/en/stable/tutorials/saving_model.html, section "JSON Schema". In UBJSON
(https://ubjson.org/type-reference/), arrays have a type and a count, and numbers are big-endian.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from edgecheck.anatomy.accounting.files import Files
from edgecheck.anatomy.accounting.ledger import Label
from edgecheck.anatomy.accounting.limits import MOST_ELEMENTS
from edgecheck.anatomy.boosters.numbers import Found, Schema, rest, tensors
from edgecheck.anatomy.encodings.span import Damage, Span
from edgecheck.anatomy.values import Inside, Kind

_DOCUMENT = Label(Kind.STRUCTURE, "document")
#: A leaf keeps its value where other nodes keep their threshold.
_LEARNED = {"split_conditions": "float32", "leaf_weights": "float32"}
_INDICES = {
    "split_indices": "int32",
    "left_children": "int32",
    "right_children": "int32",
    "parents": "int32",
    "default_left": "bool",
    "split_type": "uint8",
    "categories": "int32",
    "categories_nodes": "int32",
    "categories_segments": "int64",
    "categories_sizes": "int64",
}
_NOTED = frozenset({"base_weights", "loss_changes", "sum_hessian"})
_NAMES = "|".join([*_LEARNED, *_INDICES, *sorted(_NOTED)]).encode()
#: In JSON: a key and an array without arrays in it. A quotation mark inside a text is preceded by a backslash.
_JSON_ARRAY = re.compile(rb'(?<!\\)"(' + _NAMES + rb')"\s*:\s*\[([^\[\]"]*)\]')
#: In UBJSON: the length of the key as an int64, the key, and an array `[$type#count`.
_UBJSON_ARRAY = re.compile(rb"L\0{7}.(" + _NAMES + rb")\[\$([iUIlLdD])#(?:L(.{8})|l(.{4})|I(..)|[iU](.))", re.DOTALL)
#: Bytes of UBJSON's types: int8, uint8, int16, int32, int64, float32, float64.
_WIDTHS = {b"i": 1, b"U": 1, b"I": 2, b"l": 4, b"L": 8, b"d": 4, b"D": 8}


def read_xgboost(files: Files) -> Inside:
    """The arrays of all trees; a `reading.Reader`."""
    region = files.main()
    is_text = region.span.raw(0, min(2, region.span.size))[:2] != b"{L"
    arrays = _in_json(region.span) if is_text else _in_ubjson(region.span)
    schema = Schema(_LEARNED, _INDICES, _NOTED, "text" if is_text else "big-endian")
    found = list(arrays)
    made = tuple(tensors(region, found, schema))
    rest(region, made, _DOCUMENT, *((each.at, each.size) for each in found if each.name in _NOTED))
    return Inside(made)


def _in_json(span: Span) -> Iterator[Found]:
    for match in _JSON_ARRAY.finditer(span.data, span.start, span.start + span.size):
        numbers = match[2]
        count = numbers.count(b",") + 1 if numbers.strip() else 0
        yield Found(match[1].decode(), match.start(2) - span.start, len(numbers), count)


def _in_ubjson(span: Span) -> Iterator[Found]:
    at = span.start
    while (match := _UBJSON_ARRAY.search(span.data, at, span.start + span.size)) is not None:
        count = int.from_bytes(next(each for each in match.groups()[2:] if each is not None), "big")
        size = count * _WIDTHS[match[2]]
        if size > MOST_ELEMENTS:
            raise Damage(f"an array of {match[1].decode()} claims {count:,} numbers")
        span.sub(match.end() - span.start, size)
        yield Found(match[1].decode(), match.end() - span.start, size, count)
        at = match.end() + size
