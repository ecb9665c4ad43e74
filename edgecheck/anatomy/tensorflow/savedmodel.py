"""Reads SavedModel folders: variables, and the constants of the graph and of its functions.

https://github.com/tensorflow/tensorflow/blob/master/tensorflow/core/protobuf/saved_model.proto, from message SavedModel
down: MetaGraphDef, GraphDef, FunctionDefLibrary, FunctionDef, NodeDef, AttrValue and TensorProto.
"""

from __future__ import annotations

import zlib
from collections import Counter
from math import prod
from typing import NamedTuple

from edgecheck.anatomy.accounting.files import Files
from edgecheck.anatomy.accounting.ledger import TENSOR, Label
from edgecheck.anatomy.accounting.limits import RECORD, check_parts, check_tensors
from edgecheck.anatomy.accounting.region import Region
from edgecheck.anatomy.dtypes import dense_size, is_float
from edgecheck.anatomy.encodings.wire import BYTES, Field, fields, text
from edgecheck.anatomy.scopes import layer_of
from edgecheck.anatomy.tensorflow.checkpoint import read_checkpoint, shape_of, type_name
from edgecheck.anatomy.values import Inside, Kind, Role, Tensor
from edgecheck.anatomy.wrappers import of_training

_MODEL = Label(Kind.STRUCTURE, "model record")
_GRAPH = Label(Kind.STRUCTURE, "graph")
_FUNCTIONS = Label(Kind.STRUCTURE, "functions")
_OBJECTS = Label(Kind.STRUCTURE, "object graph")
_SIGNATURES = Label(Kind.STRUCTURE, "signatures")
_ORIGIN = Label(Kind.METADATA, "producer and version")
_DEBUG = Label(Kind.METADATA, "debugging information")
_OTHER = Label(Kind.METADATA, "other files")
#: MetaGraphDef: meta_info_def, saver_def, signature_def, asset_file_def, object_graph_def.
_META_GRAPH_LABELS = {1: _ORIGIN, 3: _MODEL, 5: _SIGNATURES, 6: _MODEL, 7: _OBJECTS}
#: TensorProto: tensor_content, float_val, double_val, int_val, string_val, scomplex_val, int64_val, bool_val,
#: dcomplex_val, half_val, uint32_val, uint64_val.
_NUMBERS = (4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 16, 17)
#: Those of them that are little-endian numbers: tensor_content, float_val, double_val.
_RAW = (4, 5, 6)
#: Bytes from which constants are compared: functions repeat the constants of functions that they were made from.
_COMPARED = 64
#: Bytes of a constant that are read at a time.
_PIECE = 1 << 20


def read_savedmodel(files: Files) -> Inside:
    """The variables and constants of a SavedModel; a `reading.Reader`."""
    region = files.open("saved_model.pb")
    walk = _GraphWalk(region)
    walk.model()
    tensors: list[Tensor] = []
    if (files.folder / "variables" / "variables.index").is_file():
        tensors += read_checkpoint(files, "variables/variables")
    seen: dict[tuple[object, ...], str] = {}
    tensors += [_tensor(constant, region, seen) for constant in walk.constants if constant.extents]
    files.claim_rest(_OTHER)
    return Inside(tuple(of_training(tensors)), dict(walk.operators))


class _Constant(NamedTuple):
    """The value of a `Const` node."""

    node: str
    dtype: str
    shape: tuple[int, ...]
    extents: tuple[tuple[int, int], ...]
    """Starts and sizes of its numbers."""
    raw: bool
    """Whether they are an array of little-endian numbers."""


class _GraphWalk:
    """One pass over `saved_model.pb`."""

    def __init__(self, region: Region) -> None:
        self.operators: Counter[str] = Counter()
        self.constants: list[_Constant] = []
        self._nodes = 0
        self._region = region
        self._data = region.span.data

    def model(self) -> None:
        """Visit everything: a SavedModel."""
        for field in fields(self._data, 0, self._region.span.size):
            if field.number != 2 or field.wire != BYTES:  # noqa: PLR2004 - meta_graphs
                self._claim(field, _MODEL)
                continue
            self._head(field, _MODEL)
            for part in fields(self._data, field.start, field.stop):
                if part.number == 2:  # noqa: PLR2004 - graph_def
                    self._graph(part)
                else:
                    self._claim(part, _META_GRAPH_LABELS.get(part.number, _MODEL))

    def _claim(self, field: Field, label: Label) -> None:
        self._region.claim(field.begin, field.stop - field.begin, label)

    def _head(self, field: Field, label: Label) -> None:
        self._region.claim(field.begin, field.start - field.begin, label)

    def _graph(self, message: Field) -> None:
        """A GraphDef."""
        self._head(message, _GRAPH)
        for field in fields(self._data, message.start, message.stop):
            if field.number == 1:  # node
                self._node(field, _GRAPH)
            elif field.number == 2:  # noqa: PLR2004 - library
                self._library(field)
            else:
                self._claim(field, _GRAPH)

    def _library(self, message: Field) -> None:
        """A FunctionDefLibrary."""
        self._head(message, _FUNCTIONS)
        for function in fields(self._data, message.start, message.stop):
            if function.number != 1:  # function
                self._claim(function, _FUNCTIONS)
                continue
            self._head(function, _FUNCTIONS)
            for field in fields(self._data, function.start, function.stop):
                if field.number == 3:  # noqa: PLR2004 - node_def
                    self._node(field, _FUNCTIONS)
                else:
                    self._claim(field, _FUNCTIONS)

    def _node(self, message: Field, label: Label) -> None:
        """A NodeDef; the value of a constant is a tensor."""
        self._head(message, label)
        name = operator = ""
        for field in fields(self._data, message.start, message.stop):
            if field.number == 5 and operator == "Const":  # noqa: PLR2004 - attr
                self._attribute(field, name, label)
                continue
            self._claim(field, _DEBUG if field.number == 6 else label)  # noqa: PLR2004 - experimental_debug_info
            if field.number == 1:  # name
                name = text(self._data, field)
            elif field.number == 2:  # noqa: PLR2004 - op
                operator = text(self._data, field)
        self.operators[operator] += 1
        self._nodes += 1
        check_parts(self._nodes)

    def _attribute(self, entry: Field, node: str, label: Label) -> None:
        """An entry of the map of attributes: a key, and an AttrValue, which may be a tensor."""
        self._head(entry, label)
        for field in fields(self._data, entry.start, entry.stop):
            if field.number != 2:  # noqa: PLR2004 - value
                self._claim(field, label)
                continue
            self._head(field, label)
            for value in fields(self._data, field.start, field.stop):
                if value.number == 8:  # noqa: PLR2004 - tensor
                    self._head(value, label)
                    self._region.span.work.spend(8 * RECORD)
                    check_tensors(len(self.constants))
                    self.constants.append(self._constant(node, value, label))
                else:
                    self._claim(value, label)

    def _constant(self, node: str, message: Field, label: Label) -> _Constant:
        """A TensorProto."""
        dtype, shape = "", tuple[int, ...]()
        extents: list[tuple[int, int]] = []
        raw = True
        for field in fields(self._data, message.start, message.stop):
            if field.number in _NUMBERS:
                start = field.start if field.wire == BYTES else field.begin
                self._region.claim(field.begin, start - field.begin, label)
                self._region.claim(start, field.stop - start, TENSOR)
                self._region.span.work.spend(2 * RECORD)
                extents.append((start, field.stop - start))
                raw = field.number in _RAW
                continue
            self._claim(field, label)
            if field.number == 1:  # dtype
                dtype = type_name(field.value)
            elif field.number == 2:  # noqa: PLR2004 - tensor_shape
                shape = shape_of(self._data, field)
        return _Constant(node, dtype, shape, tuple(extents), raw)


def _tensor(constant: _Constant, region: Region, seen: dict[tuple[object, ...], str]) -> Tensor:
    stored = sum(size for _, size in constant.extents)
    elements = prod(constant.shape)
    memory = dense_size(constant.dtype, elements) or stored
    name = repeats = constant.node
    if stored >= _COMPARED:
        checksum = 0
        for start, size in constant.extents:
            for at in range(start, start + size, _PIECE):
                checksum = zlib.crc32(region.span.raw(at, min(_PIECE, start + size - at)), checksum)
        repeats = seen.setdefault((constant.dtype, constant.shape, stored, checksum), name)
    learned = is_float(constant.dtype) and constant.shape != ()  # scalars are steps of the computation
    return Tensor(
        name=name,
        layer=layer_of(name),
        operator="Const",
        dtype=constant.dtype,
        shape=constant.shape,
        role=Role.WEIGHT if learned else Role.CONSTANT,
        stored=stored,
        memory=memory,
        places=tuple(region.place(start, size) for start, size in constant.extents),
        repeats="" if repeats is name else repeats,
        encoding="" if constant.raw and stored == memory else ("filled" if constant.raw else "varint"),
    )
