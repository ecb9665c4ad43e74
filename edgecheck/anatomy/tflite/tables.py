"""The tables of a `.tflite` file as records: graphs, tensors, operators, and where the buffers lie."""

from __future__ import annotations

from typing import NamedTuple

from edgecheck.anatomy.accounting.ledger import Label
from edgecheck.anatomy.accounting.region import Region
from edgecheck.anatomy.encodings.flatbuffer import Flat, Table
from edgecheck.anatomy.encodings.span import Damage
from edgecheck.anatomy.tflite.schema import (
    CUSTOM,
    OPERATORS,
    OPTIONS,
    OPTIONS_2,
    QUANTIZATION_DETAILS,
    SPARSE_INDICES,
    TYPES,
)
from edgecheck.anatomy.values import Kind

_HEADER = Label(Kind.STRUCTURE, "header")
_MODEL = Label(Kind.STRUCTURE, "model record")
_OPCODES = Label(Kind.STRUCTURE, "operator codes")
_OPERATORS = Label(Kind.STRUCTURE, "operators")
_TENSORS = Label(Kind.STRUCTURE, "tensor records")
_BUFFERS = Label(Kind.STRUCTURE, "buffer records")
_QUANTISATION = Label(Kind.STRUCTURE, "quantisation")
_SPARSITY = Label(Kind.STRUCTURE, "sparsity records")
_SIGNATURES = Label(Kind.STRUCTURE, "signatures")
_NAMES = Label(Kind.METADATA, "names")
_DESCRIPTION = Label(Kind.METADATA, "description")
_METADATA = Label(Kind.METADATA, "metadata records")


class TensorRecord(NamedTuple):
    """A tensor of a graph, with or without data."""

    name: str
    dtype: str
    shape: tuple[int, ...]
    signature: tuple[int, ...]
    """The shape with -1 where the dimension is open; () when none is."""
    buffer: int
    external: int
    """The id of its external buffer, or 0."""
    quantised: bool
    indices: tuple[tuple[int, int], ...]
    """Start and size of the index vectors of a sparse tensor."""


class OperatorRecord(NamedTuple):
    """An operator of a graph."""

    name: str
    inputs: tuple[int, ...]
    outputs: tuple[int, ...]


class GraphRecord(NamedTuple):
    """A subgraph."""

    tensors: tuple[TensorRecord, ...]
    operators: tuple[OperatorRecord, ...]
    inputs: tuple[int, ...]
    outputs: tuple[int, ...]


class External(NamedTuple):
    """A buffer in another file."""

    file: str
    start: int
    size: int


class ModelRecord(NamedTuple):
    """A `.tflite` file."""

    graphs: tuple[GraphRecord, ...]
    buffers: tuple[tuple[int, int], ...]
    """Start and size of the data of each; (0, 0) for none."""
    metadata: dict[int, str]
    """The name of the metadata that a buffer holds."""
    externals: dict[int, External]


def read_tables(region: Region) -> ModelRecord:
    """Walk the whole file and enter everything but the data of its buffers.

    Raises:
        Damage: an offset leads outside the file.
    """
    flat = Flat(region)
    region.claim(0, 8, _HEADER)
    model = flat.table(flat.follow(0), _MODEL)
    codes = [_code(table) for table in model.tables(6, _OPCODES)]
    model.text(10, _DESCRIPTION)
    metadata = dict.fromkeys(model.ints(14, _METADATA), "of an older kind")
    for signature in model.tables(18, _SIGNATURES):
        signature.text(8, _SIGNATURES)
        for slot in (4, 6):
            for entry in signature.tables(slot, _SIGNATURES):
                entry.text(4, _SIGNATURES)
    metadata |= {table.u32(6): table.text(4, _METADATA) for table in model.tables(16, _METADATA)}
    graphs = tuple(_graph(table, codes, region) for table in model.tables(8, _MODEL))
    buffers = tuple(_buffer(table) for table in model.tables(12, _BUFFERS))
    return ModelRecord(graphs, buffers, metadata, _externals(model))


def _code(table: Table) -> str:
    number = max(table.u8(4), table.i32(10))
    custom = table.text(6, _OPCODES)
    if number == CUSTOM:
        return custom or "CUSTOM"
    return OPERATORS[number] if 0 <= number < len(OPERATORS) else f"OPERATOR_{number}"


def _buffer(table: Table) -> tuple[int, int]:
    """In the table's own vector, or, in files beyond 2 GB, behind the flatbuffer."""
    far, size = table.u64(6), table.u64(8)
    return (far, size) if far > 1 else table.content(4, _BUFFERS)


def _externals(model: Table) -> dict[int, External]:
    groups = [table.text(4, _MODEL) for table in model.tables(20, _MODEL)]
    externals = {}
    for table in model.tables(22, _MODEL):
        table.text(12, _MODEL)
        if table.u32(6) >= len(groups):
            raise Damage("an external buffer belongs to a group that is not there")
        externals[table.u32(4)] = External(groups[table.u32(6)], table.u64(8), table.u64(10))
    return externals


def _graph(table: Table, codes: list[str], region: Region) -> GraphRecord:
    table.text(12, _NAMES)
    tensors = tuple(_tensor(entry) for entry in table.tables(4, _TENSORS))
    operators = tuple(_operator(entry, codes, region) for entry in table.tables(10, _OPERATORS))
    return GraphRecord(tensors, operators, table.ints(6, _MODEL), table.ints(8, _MODEL))


def _tensor(table: Table) -> TensorRecord:
    number = table.u8(6)
    for variant in table.tables(22, _TENSORS):
        variant.ints(4, _TENSORS)
    return TensorRecord(
        name=table.text(10, _NAMES),
        dtype=TYPES[number] if number < len(TYPES) else f"type{number}",
        shape=tuple(max(size, 0) for size in table.ints(4, _TENSORS)),
        signature=table.ints(18, _TENSORS),
        buffer=table.u32(8),
        external=table.u32(24),
        quantised=_quantisation(table),
        indices=_indices(table),
    )


def _quantisation(tensor: Table) -> bool:
    table = tensor.table(12, _QUANTISATION)
    if table is None:
        return False
    scales = table.vector(8, 4, _QUANTISATION)[1]
    table.claim({4: 4, 6: 4, 10: 8}, _QUANTISATION)
    details = table.table(14, _QUANTISATION)
    if details is not None:
        details.claim(QUANTIZATION_DETAILS.get(table.u8(12), {}), _QUANTISATION)
    return scales > 0 or details is not None


def _indices(tensor: Table) -> tuple[tuple[int, int], ...]:
    table = tensor.table(16, _SPARSITY)
    if table is None:
        return ()
    table.claim({4: 4, 6: 4}, _SPARSITY)
    found = []
    for dimension in table.tables(8, _SPARSITY):
        for slot in (8, 12):
            widths = SPARSE_INDICES.get(dimension.u8(slot), {})
            holder = dimension.table(slot + 2, _SPARSITY)
            if holder is None or not widths:
                continue
            at, count = holder.vector(4, 0, _SPARSITY)
            found.append((at, count * widths[4]))
    return tuple(found)


def _operator(table: Table, codes: list[str], region: Region) -> OperatorRecord:
    index = table.u32(4)
    if index >= len(codes):
        raise Damage(f"an operator has the code {index}, of {len(codes)}")
    for slot, schema in ((12, OPTIONS), (28, OPTIONS_2)):
        options = table.table(slot, _OPERATORS)
        if options is not None:
            options.claim(schema.get(table.u8(slot - 2), {}), _OPERATORS)
    table.claim({14: 1, 18: 1, 20: 4}, _OPERATORS)
    if table.u64(22) > 1:
        region.claim(table.u64(22), table.u64(24), _OPERATORS)
    return OperatorRecord(codes[index], table.ints(6, _OPERATORS), table.ints(8, _OPERATORS))
