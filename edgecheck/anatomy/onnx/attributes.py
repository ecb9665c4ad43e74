"""ONNX's attributes: the tensors and lists in them are weights as much as initialisers are."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from edgecheck.anatomy.accounting.ledger import TENSOR, Label
from edgecheck.anatomy.encodings.wire import BYTES, FIXED32, VARINT, Field, field_at, run_at, signed, text
from edgecheck.anatomy.onnx.tensors import Raw, read_sparse, read_tensor
from edgecheck.anatomy.values import Kind

if TYPE_CHECKING:
    from collections.abc import Callable

    from edgecheck.anatomy.accounting.region import Region

ATTRIBUTES = Label(Kind.STRUCTURE, "attributes")
_NAME, _INTEGER = 1, 3
_TENSORS, _GRAPHS, _SPARSE = (5, 10), (6, 11), (22, 23)
_LISTS = {7: ("float32", FIXED32), 8: ("int64", VARINT), 9: ("string", BYTES)}
"""Fields that hold a list: its type, and the wire type of one value where they are packed."""
_DATA_OPERATORS = ("Constant", "TfIdfVectorizer")
"""Operators of ONNX's own domain whose lists are data, as all lists of `ai.onnx.ml` are."""


class Attribute(NamedTuple):
    """An attribute, as far as the anatomy needs it."""

    name: str
    tensors: tuple[Raw, ...]
    """Under the attribute's name."""
    integer: int | None


class Attributes:
    """Reads attributes in `region`; what they hold is entered, and branches are handed to `branch`."""

    def __init__(self, region: Region, branch: Callable[[Field, int], None]) -> None:
        self._region = region
        self._branch = branch

    def read(self, message: Field, operator: str, depth: int) -> Attribute:
        """An AttributeProto of a node of this operator, `depth` branches deep."""
        data = self._region.span.data
        self._region.claim(message.begin, message.start - message.begin, ATTRIBUTES)
        is_data = operator in _DATA_OPERATORS or operator.startswith("ai.onnx.ml.")
        name, integer, found = "", None, list[Raw]()
        at = message.start
        while at < message.stop:
            field = field_at(data, at, message.stop)
            at = field.stop
            if field.number in _LISTS:
                at = self._list(field, message.stop, found if is_data else None)
            elif not self._holder(field, found, depth):
                self._region.claim(field.begin, field.stop - field.begin, ATTRIBUTES)
                if field.number == _NAME:
                    name = text(data, field)
                elif field.number == _INTEGER:
                    integer = signed(field.value)
        return Attribute(name, tuple(raw._replace(name=name) for raw in found), integer)

    def _holder(self, field: Field, found: list[Raw], depth: int) -> bool:
        """Whether the field is a tensor or a graph; then it is read."""
        if field.number in _TENSORS:
            found.append(read_tensor(self._region, field))
        elif field.number in _SPARSE:
            found.append(read_sparse(self._region, field))
        elif field.number in _GRAPHS:
            self._branch(field, depth)
        else:
            return False
        return True

    def _list(self, field: Field, stop: int, found: list[Raw] | None) -> int:
        """Enter a list, as data when there is a place for it in `found`; the answer is where it ends."""
        dtype, wire = _LISTS[field.number]
        run = run_at(self._region.span.data, field, stop, wire)
        self._region.claim(field.begin, run.start - field.begin, ATTRIBUTES)
        self._region.claim(run.start, run.stop - run.start, ATTRIBUTES if found is None else TENSOR)
        if found is not None:
            encoding = "" if run.start > field.begin and wire != VARINT else "unpacked"
            found.append(Raw("", dtype, (run.values,), ((run.start, run.stop - run.start),), encoding, {}))
        return run.stop
