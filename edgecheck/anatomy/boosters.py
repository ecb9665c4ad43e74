"""Reads what XGBoost, LightGBM and CatBoost write: each tree has its arrays, and those of one name are one tensor."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import NamedTuple

from edgecheck.anatomy.accounting.files import Files
from edgecheck.anatomy.accounting.ledger import Label
from edgecheck.anatomy.accounting.limits import MOST_ELEMENTS, RECORD, check_parts
from edgecheck.anatomy.accounting.region import Owners, Region
from edgecheck.anatomy.dtypes import dense_size
from edgecheck.anatomy.encodings.flatbuffer import Flat, Table
from edgecheck.anatomy.encodings.span import Damage, Span
from edgecheck.anatomy.values import Inside, Kind, Role, Tensor

#: What the training noted about each node, which a prediction does not use.
STATISTICS = Label(Kind.METADATA, "statistics of the training")


class Found(NamedTuple):
    """One array of one tree."""

    name: str
    at: int
    size: int
    numbers: int
    """How many numbers are in it."""


@dataclass(slots=True)
class Schema:
    """The arrays of a format by their names; others are structure."""

    learned: dict[str, str]
    """Thresholds and the values of leaves, with their types in memory."""
    indices: dict[str, str]
    """Which feature, which child: constants, with their types in memory."""
    noted: frozenset[str]
    """Statistics of the training."""
    encoding: str = ""
    """`Tensor.encoding` of all of them: how the file writes numbers."""


@dataclass(slots=True)
class _Joined:
    """The arrays of one name."""

    count: int = 0
    extents: list[tuple[int, int]] = field(default_factory=list)


def tensors(region: Region, arrays: Iterable[Found], schema: Schema) -> Iterator[Tensor]:
    """One tensor for each name; the bytes of all arrays are claimed."""
    joined: dict[str, _Joined] = {}
    for at, array in enumerate(arrays):
        check_parts(at)
        region.span.work.spend(RECORD)
        if array.name in schema.noted:
            region.claim(array.at, array.size, STATISTICS)
        elif array.name in schema.learned or array.name in schema.indices:
            one = joined.setdefault(array.name, _Joined())
            one.count += array.numbers
            one.extents.append((array.at, array.size))
    owners = Owners()
    for name, one in joined.items():
        if not one.count:
            continue
        learned = name in schema.learned
        dtype = schema.learned[name] if learned else schema.indices[name]
        held = owners.hold(name, region, *one.extents)
        yield Tensor(
            name=name,
            layer="",
            operator="",
            dtype=dtype,
            shape=(one.count,),
            role=Role.WEIGHT if learned else Role.CONSTANT,
            stored=held.stored,
            memory=dense_size(dtype, one.count),
            places=held.places,
            shares=held.shares,
            encoding=schema.encoding,
        )


def rest(region: Region, made: Iterable[Tensor], label: Label, *others: tuple[int, int]) -> None:
    """Claim what no tensor has; `others` are starts and sizes that already have another label."""
    holes = [(place.start - region.base, place.size) for tensor in made for place in tensor.places]
    region.claim_around(0, region.span.size, [*holes, *others], label)


# What XGBoost's `save_model` writes: one document, as JSON or as UBJSON.
# https://xgboost.readthedocs.io/en/stable/tutorials/saving_model.html, section "JSON Schema". In UBJSON
# (https://ubjson.org/type-reference/), arrays have a type and a count, and numbers are big-endian.

_XGBOOST_DOCUMENT = Label(Kind.STRUCTURE, "document")
#: A leaf keeps its value where other nodes keep their threshold.
_XGBOOST_LEARNED = {"split_conditions": "float32", "leaf_weights": "float32"}
_XGBOOST_INDICES = {
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
_XGBOOST_NOTED = frozenset({"base_weights", "loss_changes", "sum_hessian"})
_XGBOOST_NAMES = "|".join([*_XGBOOST_LEARNED, *_XGBOOST_INDICES, *sorted(_XGBOOST_NOTED)]).encode()
#: In JSON: a key and an array without arrays in it. A quotation mark inside a text is preceded by a backslash.
_JSON_ARRAY = re.compile(rb'(?<!\\)"(' + _XGBOOST_NAMES + rb')"\s*:\s*\[([^\[\]"]*)\]')
#: In UBJSON: the length of the key as an int64, the key, and an array `[$type#count`.
_UBJSON_ARRAY = re.compile(
    rb"L\0{7}.(" + _XGBOOST_NAMES + rb")\[\$([iUIlLdD])#(?:L(.{8})|l(.{4})|I(..)|[iU](.))", re.DOTALL
)
#: Bytes of UBJSON's types: int8, uint8, int16, int32, int64, float32, float64.
_WIDTHS = {b"i": 1, b"U": 1, b"I": 2, b"l": 4, b"L": 8, b"d": 4, b"D": 8}


def read_xgboost(files: Files) -> Inside:
    """The arrays of all trees; a `reading.Reader`."""
    region = files.main()
    is_text = region.span.raw(0, min(2, region.span.size))[:2] != b"{L"
    arrays = _in_json(region.span) if is_text else _in_ubjson(region.span)
    schema = Schema(_XGBOOST_LEARNED, _XGBOOST_INDICES, _XGBOOST_NOTED, "text" if is_text else "big-endian")
    found = list(arrays)
    made = tuple(tensors(region, found, schema))
    rest(region, made, _XGBOOST_DOCUMENT, *((each.at, each.size) for each in found if each.name in _XGBOOST_NOTED))
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


# What LightGBM's `save_model` writes: a text of lines `key=numbers`, a block for each tree.
# https://github.com/microsoft/LightGBM/blob/master/src/io/tree.cpp, `Tree::ToString`; the lines around the blocks are
# from `GBDT::SaveModelToString` in src/boosting/gbdt_model_text.cpp.

_LIGHTGBM_LINES = Label(Kind.STRUCTURE, "lines")
_LIGHTGBM_PARAMETERS = Label(Kind.METADATA, "training parameters")
_LIGHTGBM = Schema(
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
_LIGHTGBM_NAMES = "|".join([*_LIGHTGBM.learned, *_LIGHTGBM.indices, *sorted(_LIGHTGBM.noted)]).encode()
_LIGHTGBM_LINE = re.compile(rb"^(" + _LIGHTGBM_NAMES + rb")=([^\r\n]*)", re.MULTILINE)
_LIGHTGBM_END = re.compile(rb"^end of trees\r?\n", re.MULTILINE)


def read_lightgbm(files: Files) -> Inside:
    """The arrays of all trees; a `reading.Reader`."""
    region = files.main()
    span = region.span
    end = _LIGHTGBM_END.search(span.data, span.start, span.start + span.size)
    stop = end.end() - span.start if end is not None else span.size
    found = list(_in_lines(span, stop))
    made = tuple(tensors(region, found, _LIGHTGBM))
    region.claim(stop, span.size - stop, _LIGHTGBM_PARAMETERS)
    noted = [(each.at, each.size) for each in found if each.name in _LIGHTGBM.noted]
    rest(region, made, _LIGHTGBM_LINES, *noted, (stop, span.size - stop))
    cut = "" if end is not None else "It has no line `end of trees`: it may have been cut off."
    return Inside(made, notes=(cut,) if cut else ())


def _in_lines(span: Span, stop: int) -> Iterator[Found]:
    for match in _LIGHTGBM_LINE.finditer(span.data, span.start, span.start + stop):
        yield Found(match[1].decode(), match.start(2) - span.start, len(match[2]), len(match[2].split()))


# What CatBoost's `save_model` writes, `.cbm`: a mark, a size (u32), a flatbuffer, and tables of categories.
# https://github.com/catboost/catboost/blob/master/catboost/libs/model/flatbuffers/model.fbs, from table TModelCore
# down, and features.fbs next to it. Numbers in calls are slots, as in `flatbuffer`; the comments name the fields.

_CATBOOST_CORE = Label(Kind.STRUCTURE, "trees")
_CATBOOST_FEATURES = Label(Kind.STRUCTURE, "features")
_CATBOOST_PARAMETERS = Label(Kind.METADATA, "training parameters")
_CATBOOST_CATEGORIES = Label(Kind.TENSORS, "tables of categories")
#: The mark, and the size of the flatbuffer behind it.
_CATBOOST_HEAD = 8
_CATBOOST = Schema(
    learned={"borders": "float32", "leaf_values": "float64", "biases": "float64"},
    indices={
        "splits": "int32",
        "sizes": "int32",
        "starts": "int32",
        "steps": "uint32",
        "leaf_ids": "uint32",
        "bins": "uint32",
    },
    noted=frozenset({"leaf_weights"}),
)


def read_catboost(files: Files) -> Inside:
    """The arrays of the trees; a `reading.Reader`."""
    region = files.main()
    size = region.span.u32(4)
    region.claim(0, _CATBOOST_HEAD, _CATBOOST_CORE)
    core = region.sub(_CATBOOST_HEAD, size)
    flat = Flat(core)
    core.claim(0, 4, _CATBOOST_CORE)  # where the root is
    root = flat.table(flat.follow(0), _CATBOOST_CORE)
    root.text(4, _CATBOOST_CORE)  # FormatVersion
    for entry in root.tables(8, _CATBOOST_PARAMETERS):  # InfoMap: Key, Value
        entry.claim({4: 0, 6: 0}, _CATBOOST_PARAMETERS)
    root.vector(10, 4, _CATBOOST_CORE)  # ModelPartIds
    trees = root.table(6, _CATBOOST_CORE)  # ModelTrees
    made = tuple(tensors(core, _arrays(trees), _CATBOOST)) if trees is not None else ()
    left = region.span.size - _CATBOOST_HEAD - size
    region.claim(_CATBOOST_HEAD + size, left, _CATBOOST_CATEGORIES)
    notes = (f"{left:,} bytes are tables of categories; their numbers are not counted.",) if left else ()
    return Inside(made, notes=notes)


def _arrays(trees: Table) -> Iterator[Found]:
    # FloatFeatures, which are tables, before LeafValues, which follow them in the file
    for feature in trees.tables(14, _CATBOOST_FEATURES):
        feature.text(12, _CATBOOST_FEATURES)  # FeatureId
        yield from _array("borders", feature, 10, 4)  # Borders
    # TreeSplits, TreeSizes, TreeStartOffsets, LeafValues, LeafWeights, NonSymmetricStepNodes,
    # NonSymmetricNodeIdToLeafId, RepackedBins, MultiBias
    for name, slot, width in (
        ("splits", 6, 4), ("sizes", 8, 4), ("starts", 10, 4), ("leaf_values", 20, 8), ("leaf_weights", 22, 8),
        ("steps", 24, 4), ("leaf_ids", 26, 4), ("biases", 36, 8), ("bins", 38, 4),
    ):  # fmt: skip
        yield from _array(name, trees, slot, width)


def _array(name: str, table: Table, slot: int, width: int) -> Iterator[Found]:
    at, count = table.numbers(slot, width, _CATBOOST_CORE)
    if count:
        yield Found(name, at, count * width, count)
