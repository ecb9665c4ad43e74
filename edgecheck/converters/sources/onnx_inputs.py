"""Random inputs that reach what an `.onnx` model decides on: rows of its tables, its categories, its thresholds.

Only what the graph says about an input is used: the input goes there directly, or through operators that keep its
values, or through a scaler.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
import onnx
from onnx import numpy_helper

from edgecheck.converters.samples import SEEDED, SEEDED_ROWS, Port, is_text

if TYPE_CHECKING:
    from numpy.typing import NDArray

#: Operators whose first output has the values of their first input.
_KEEPING = ("Cast", "Flatten", "Identity", "Reshape", "Slice", "Squeeze", "Transpose", "Unsqueeze", "Expand")

#: By operator that looks up rows: the positions of tables, each with that of the ids.
_LOOKUPS = {"Gather": ((0, 1),), "EmbedLayerNormalization": ((2, 0), (4, 1)), "GatherElements": ((0, 1),)}

#: Attributes with an encoder's categories: whole numbers, fractions or texts.
_CATEGORIES = ("cats_int64s", "cats_strings", "keys_int64s", "keys_floats", "keys_strings")

#: Share of rows with missing values, and of the values that are missing in them.
_HOLED, _MISSING = 0.25, 0.35

#: A value lies off a threshold by this share of the thresholds' spread, so that ties stay rare.
_JITTER = 0.3


@dataclass(slots=True)
class _Known:
    """What the graph says about one input."""

    rows: int = 0
    """Rows of the smallest table in which it is looked up; 0: in none."""
    categories: list[Any] = field(default_factory=list)
    marks: dict[int, list[float]] = field(default_factory=dict)
    """Thresholds by column, in the input's own unit."""
    may_miss: bool = False

    def note_rows(self, rows: int) -> None:
        """Note a table."""
        self.rows = min(rows, self.rows or rows)

    @property
    def is_empty(self) -> bool:
        """Whether it says nothing."""
        return not (self.rows or self.categories or self.marks)

    def draw(self, source: np.random.Generator, shape: tuple[int, ...]) -> NDArray[Any]:
        """Values of a shape, whose last axis are the columns."""
        if self.categories:
            return source.choice(np.array(self.categories), shape)
        if self.rows:
            return source.integers(0, self.rows, shape)
        values = source.random(shape)
        for column, found in self.marks.items():
            if column < shape[-1]:
                marks = np.array(found)
                spread = max(float(marks.std()), 1e-3 * float(np.abs(marks).max()), 1e-6)
                values[..., column] = source.choice(marks, shape[:-1]) + _JITTER * spread * source.normal(
                    size=shape[:-1]
                )
        if self.may_miss and source.random() < _HOLED:
            values[source.random(shape) < _MISSING] = np.nan
        return values


def reaching(model: onnx.ModelProto, ports: tuple[Port, ...]) -> tuple[Port, ...]:
    """The inputs of a model, with random values that reach what it decides on, where its graph says that."""
    known = {port.name: _Known() for port in ports}
    _look(model.graph, known)
    return tuple(_reaching(port, known[port.name]) for port in ports)


def _reaching(port: Port, known: _Known) -> Port:
    fitting = all(isinstance(each, str) == is_text(port.dtype) for each in known.categories)
    if known.is_empty or not fitting:
        return port
    return port._replace(draw=known.draw, seeded=SEEDED_ROWS if known.marks else SEEDED)


@dataclass(frozen=True, slots=True)
class _Value:
    """A tensor with the values of an input, moved and scaled by column: (input - offset) * scale."""

    known: _Known
    offset: tuple[float, ...] = ()
    scale: tuple[float, ...] = ()

    def back(self, column: int, value: float) -> float:
        """A value of the tensor in the input's unit."""
        scale = _of(self.scale, column, 1.0) or 1.0
        return value / scale + _of(self.offset, column, 0.0)


def _of(values: tuple[float, ...], column: int, otherwise: float) -> float:
    if not values:
        return otherwise
    return values[column] if column < len(values) else values[0]


def _look(graph: onnx.GraphProto, known: dict[str, _Known]) -> None:
    tensors = {each.name: each for each in graph.initializer}
    tensors |= {node.output[0]: each.t for node in graph.node for each in node.attribute if each.name == "value"}
    shapes = {name: tuple(each.dims) for name, each in tensors.items()}
    values = {name: _Value(each) for name, each in known.items()}
    for node in graph.node:
        for table, ids in _LOOKUPS.get(node.op_type, ()):
            if len(node.input) > max(table, ids) and node.input[ids] in values:
                _note_table(values[node.input[ids]], shapes.get(node.input[table], ()), int(_single(node, "axis")))
        first = values.get(node.input[0]) if node.input else None
        if first is not None:
            _note(node, first, tensors)
            if (after := _after(node, first)) is not None:
                values[node.output[0]] = after


def _after(node: onnx.NodeProto, value: _Value) -> _Value | None:
    """What an operator makes of its first input, if it is the same values, moved and scaled."""
    if node.op_type == "Scaler":
        return _Value(value.known, tuple(_listed(node, "offset")), tuple(_listed(node, "scale")))
    return value if node.op_type in (*_KEEPING, "Imputer") else None


def _note_table(value: _Value, shape: tuple[int, ...], axis: int) -> None:
    if -len(shape) <= axis < len(shape):
        value.known.note_rows(shape[axis])


def _note(node: onnx.NodeProto, value: _Value, tensors: dict[str, onnx.TensorProto]) -> None:
    """Note what an operator says about its first input."""
    if node.op_type == "OneHot" and node.input[1] in tensors:
        value.known.note_rows(int(numpy_helper.to_array(tensors[node.input[1]]).reshape(-1)[0]))
    elif node.op_type == "Imputer":
        value.known.may_miss = bool(np.isnan(_single(node, "replaced_value_float")))
    elif node.op_type in ("OneHotEncoder", "LabelEncoder"):
        for name in _CATEGORIES:
            value.known.categories += [
                each.decode() if isinstance(each, bytes) else each for each in _listed(node, name)
            ]
    elif node.op_type.startswith("TreeEnsemble"):
        for column, mark in _splits(node):
            value.known.marks.setdefault(column, []).append(value.back(column, mark))
        if any(_listed(node, "nodes_missing_value_tracks_true")):
            value.known.may_miss = True


def _splits(node: onnx.NodeProto) -> Iterator[tuple[int, float]]:
    """Column and threshold of every inner node of an ensemble of trees."""
    columns = _listed(node, "nodes_featureids")
    held = next((each.t for each in node.attribute if each.name == "nodes_splits"), None)
    marks = numpy_helper.to_array(held).tolist() if held is not None else _listed(node, "nodes_values")
    modes = _listed(node, "nodes_modes") if held is None else [b"BRANCH"] * len(columns)
    for column, mark, mode in zip(columns, marks, modes, strict=False):
        if mode != b"LEAF" and np.isfinite(mark):
            yield int(column), float(mark)


def _listed(node: onnx.NodeProto, name: str) -> list[Any]:
    return next(([*each.ints, *each.floats, *each.strings] for each in node.attribute if each.name == name), [])


def _single(node: onnx.NodeProto, name: str) -> float:
    """A number among the attributes; 0 by default."""
    return next((each.f if each.type == each.FLOAT else each.i for each in node.attribute if each.name == name), 0)
