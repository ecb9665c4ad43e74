"""Reads `.cbm`, what CatBoost's `save_model` writes: a mark, a size (u32), a flatbuffer, and tables of categories.

https://github.com/catboost/catboost/blob/master/catboost/libs/model/flatbuffers/model.fbs, from table TModelCore down,
and features.fbs next to it. Numbers in calls are slots, as in `flatbuffer`; the comments name the fields.
"""

from __future__ import annotations

from collections.abc import Iterator

from edgecheck.anatomy.accounting.files import Files
from edgecheck.anatomy.accounting.ledger import Label
from edgecheck.anatomy.boosters.numbers import Found, Schema, tensors
from edgecheck.anatomy.encodings.flatbuffer import Flat, Table
from edgecheck.anatomy.values import Inside, Kind

_CORE = Label(Kind.STRUCTURE, "trees")
_FEATURES = Label(Kind.STRUCTURE, "features")
_PARAMETERS = Label(Kind.METADATA, "training parameters")
_CATEGORIES = Label(Kind.TENSORS, "tables of categories")
#: The mark, and the size of the flatbuffer behind it.
_HEAD = 8
_SCHEMA = Schema(
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
    region.claim(0, _HEAD, _CORE)
    core = region.sub(_HEAD, size)
    flat = Flat(core)
    core.claim(0, 4, _CORE)  # where the root is
    root = flat.table(flat.follow(0), _CORE)
    root.text(4, _CORE)  # FormatVersion
    for entry in root.tables(8, _PARAMETERS):  # InfoMap: Key, Value
        entry.claim({4: 0, 6: 0}, _PARAMETERS)
    root.vector(10, 4, _CORE)  # ModelPartIds
    trees = root.table(6, _CORE)  # ModelTrees
    made = tuple(tensors(core, _arrays(trees), _SCHEMA)) if trees is not None else ()
    left = region.span.size - _HEAD - size
    region.claim(_HEAD + size, left, _CATEGORIES)
    notes = (f"{left:,} bytes are tables of categories; their numbers are not counted.",) if left else ()
    return Inside(made, notes=notes)


def _arrays(trees: Table) -> Iterator[Found]:
    # FloatFeatures, which are tables, before LeafValues, which follow them in the file
    for feature in trees.tables(14, _FEATURES):
        feature.text(12, _FEATURES)  # FeatureId
        yield from _array("borders", feature, 10, 4)  # Borders
    # TreeSplits, TreeSizes, TreeStartOffsets, LeafValues, LeafWeights, NonSymmetricStepNodes,
    # NonSymmetricNodeIdToLeafId, RepackedBins, MultiBias
    for name, slot, width in (
        ("splits", 6, 4), ("sizes", 8, 4), ("starts", 10, 4), ("leaf_values", 20, 8), ("leaf_weights", 22, 8),
        ("steps", 24, 4), ("leaf_ids", 26, 4), ("biases", 36, 8), ("bins", 38, 4),
    ):  # fmt: skip
        yield from _array(name, trees, slot, width)


def _array(name: str, table: Table, slot: int, width: int) -> Iterator[Found]:
    at, count = table.numbers(slot, width, _CORE)
    if count:
        yield Found(name, at, count * width, count)
