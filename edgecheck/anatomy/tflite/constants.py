"""Reads `.tflite`: every constant of every subgraph, including sparse and shared ones; `tables` reads the file."""

from __future__ import annotations

from collections import Counter
from math import prod

from edgecheck.anatomy.accounting.files import Files
from edgecheck.anatomy.accounting.ledger import Label
from edgecheck.anatomy.accounting.limits import check_size, quoted
from edgecheck.anatomy.accounting.region import Held, Owners, Region
from edgecheck.anatomy.dtypes import dense_size, is_float, is_quantised
from edgecheck.anatomy.encodings.span import Damage
from edgecheck.anatomy.encodings.ziparchive import END_SIGNATURE, END_SIZE, read_archive
from edgecheck.anatomy.scopes import layer_of
from edgecheck.anatomy.tflite.tables import (
    GraphRecord,
    ModelRecord,
    OperatorRecord,
    TensorRecord,
    read_tables,
)
from edgecheck.anatomy.values import Inside, Kind, Role, Tensor

#: TFLite aligns its buffers to this many bytes, and flatbuffers align nothing to more.
_ALIGNMENT = 16
_UNUSED = Label(Kind.METADATA, "buffers that nothing uses")
_ASSOCIATED = Label(Kind.METADATA, "associated files")
#: Operators that only pass a weight on to the one that computes with it.
_THROUGH = ("DEQUANTIZE", "DENSIFY", "QUANTIZE", "RESHAPE", "TRANSPOSE", "CAST")


def read_tflite(files: Files) -> Inside:
    """The constants of a model; a `reading.Reader`."""
    region = files.main(_ALIGNMENT)
    model = read_tables(region)
    constants = _Constants(model, region, files)
    tensors = [tensor for graph in model.graphs for tensor in constants.of(graph)]
    constants.claim_rest()
    _claim_associated_files(region)
    operators = Counter(operator.name for graph in model.graphs for operator in graph.operators)
    return Inside(tuple(tensors), dict(operators), tuple(constants.notes))


class _Constants:
    """Turns records with data into tensors, and remembers which buffers they use."""

    def __init__(self, model: ModelRecord, region: Region, files: Files) -> None:
        self.notes: list[str] = []
        self._model = model
        self._region = region
        self._files = files
        self._owners = Owners()
        self._used: set[int] = set()

    def of(self, graph: GraphRecord) -> list[Tensor]:
        """The constants of a subgraph."""
        users = _first_users(graph)
        return [
            self._tensor(record, users.get(index), graph)
            for index, record in enumerate(graph.tensors)
            if record.external or self._buffer(record)[1]
        ]

    def claim_rest(self) -> None:
        """Claim the buffers that hold metadata, and those that nothing uses."""
        for index, (at, size) in enumerate(self._model.buffers):
            if size and index not in self._used:
                name = self._model.metadata.get(index)
                self._region.claim(at, size, Label(Kind.METADATA, f"metadata {name}") if name else _UNUSED)
                if name is None:
                    self.notes.append(f"Buffer {index} holds {size:,} bytes that no tensor uses.")

    def _buffer(self, record: TensorRecord) -> tuple[int, int]:
        if record.buffer >= len(self._model.buffers):
            raise Damage(f"tensor {quoted(record.name)} has the buffer {record.buffer}, of {len(self._model.buffers)}")
        return self._model.buffers[record.buffer]

    def _tensor(self, record: TensorRecord, user: OperatorRecord | None, graph: GraphRecord) -> Tensor:
        held = self._held(record)
        if not record.indices and held.places:
            check_size(record.name, record.dtype, record.shape, held.places[0].size)
        memory = dense_size(record.dtype, prod(record.shape))
        return Tensor(
            name=record.name,
            layer=layer_of(record.name) or _layer_of_user(user, graph),
            operator=user.name if user else "",
            dtype=record.dtype,
            shape=record.shape,
            role=_role(record),
            stored=held.stored,
            memory=memory or held.stored,
            places=held.places,
            shares=held.shares,
            encoding="sparse" if record.indices else "",
        )

    def _held(self, record: TensorRecord) -> Held:
        if record.external:
            if record.external not in self._model.externals:
                raise Damage(
                    f"tensor {quoted(record.name)} has the external buffer {record.external}, which is missing"
                )
            file, at, size = self._model.externals[record.external]
            return self._owners.hold(record.name, self._files.open(file, _ALIGNMENT), (at, size))
        self._used.add(record.buffer)
        return self._owners.hold(record.name, self._region, self._buffer(record), *record.indices)


def _first_users(graph: GraphRecord) -> dict[int, OperatorRecord]:
    """By tensor: the operator that uses it first, not counting those that only pass it on."""
    users: dict[int, OperatorRecord] = {}
    for operator in graph.operators:
        for index in operator.inputs:
            users.setdefault(index, operator)
    for index, first in users.items():
        user = first
        for _ in range(len(_THROUGH)):
            follower = users.get(user.outputs[0]) if user.outputs and user.name in _THROUGH else None
            if follower is None:
                break
            user = follower
        users[index] = user
    return users


def _layer_of_user(user: OperatorRecord | None, graph: GraphRecord) -> str:
    if user is None or not user.outputs or not 0 <= user.outputs[0] < len(graph.tensors):
        return ""
    return layer_of(graph.tensors[user.outputs[0]].name)


def _role(record: TensorRecord) -> Role:
    if record.dtype == "string":
        return Role.VOCABULARY
    learned = is_float(record.dtype) or is_quantised(record.dtype) or record.quantised
    return Role.WEIGHT if learned else Role.CONSTANT


def _claim_associated_files(region: Region) -> None:
    """Claim the labels and vocabularies that TFLite's metadata tools append to the file as a zip archive.

    https://ai.google.dev/edge/litert/models/metadata, section "Model with metadata format".
    """
    size = region.span.size
    if size < END_SIZE or END_SIGNATURE not in region.span.raw(max(0, size - 1024), min(size, 1024)):
        return
    archive = read_archive(region.span)
    begin = min((member.header for member in archive.members), default=archive.directory[0])
    region.claim(begin, archive.stop - begin, _ASSOCIATED)
