"""Reads what LightGBM's `save_model` writes: a text of lines `key=numbers`, a block for each tree.

https://github.com/microsoft/LightGBM/blob/master/src/io/tree.cpp, `Tree::ToString`; the lines around the blocks are
from `GBDT::SaveModelToString` in src/boosting/gbdt_model_text.cpp.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from edgecheck.anatomy.accounting.files import Files
from edgecheck.anatomy.accounting.ledger import Label
from edgecheck.anatomy.boosters.numbers import Found, Schema, rest, tensors
from edgecheck.anatomy.encodings.span import Span
from edgecheck.anatomy.values import Inside, Kind

_LINES = Label(Kind.STRUCTURE, "lines")
_PARAMETERS = Label(Kind.METADATA, "training parameters")
_SCHEMA = Schema(
    learned={"threshold": "float64", "leaf_value": "float64", "leaf_const": "float64", "leaf_coeff": "float64"},
    indices={
        "split_feature": "int32",
        "left_child": "int32",
        "right_child": "int32",
        "decision_type": "int8",
        "cat_boundaries": "int32",
        "cat_threshold": "uint32",
        "leaf_features": "int32",
        "num_features": "int32",
    },
    noted=frozenset({"split_gain", "leaf_weight", "leaf_count", "internal_value", "internal_weight", "internal_count"}),
    encoding="text",
)
_NAMES = "|".join([*_SCHEMA.learned, *_SCHEMA.indices, *sorted(_SCHEMA.noted)]).encode()
_LINE = re.compile(rb"^(" + _NAMES + rb")=([^\r\n]*)", re.MULTILINE)
_END = re.compile(rb"^end of trees\r?\n", re.MULTILINE)


def read_lightgbm(files: Files) -> Inside:
    """The arrays of all trees; a `reading.Reader`."""
    region = files.main()
    span = region.span
    end = _END.search(span.data, span.start, span.start + span.size)
    stop = end.end() - span.start if end is not None else span.size
    found = list(_in_lines(span, stop))
    made = tuple(tensors(region, found, _SCHEMA))
    region.claim(stop, span.size - stop, _PARAMETERS)
    noted = [(each.at, each.size) for each in found if each.name in _SCHEMA.noted]
    rest(region, made, _LINES, *noted, (stop, span.size - stop))
    cut = "" if end is not None else "It has no line `end of trees`: it may have been cut off."
    return Inside(made, notes=(cut,) if cut else ())


def _in_lines(span: Span, stop: int) -> Iterator[Found]:
    for match in _LINE.finditer(span.data, span.start, span.start + stop):
        yield Found(match[1].decode(), match.start(2) - span.start, len(match[2]), len(match[2].split()))
