"""Walks a CoreML model that is a MIL program: operations, and constants in it or in a weight file."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import NamedTuple

from edgecheck.anatomy.accounting.ledger import TENSOR, Label
from edgecheck.anatomy.accounting.limits import check_tensors
from edgecheck.anatomy.accounting.region import Region
from edgecheck.anatomy.encodings.span import Damage
from edgecheck.anatomy.encodings.wire import BYTES, Field, fields, text
from edgecheck.anatomy.values import Kind

_MODEL = Label(Kind.STRUCTURE, "model record")
_PROGRAM = Label(Kind.STRUCTURE, "operations")
_DESCRIPTION = Label(Kind.STRUCTURE, "inputs and outputs")
_METADATA = Label(Kind.METADATA, "description")
_MODEL_DESCRIPTION, _MODEL_PROGRAM, _DESCRIPTION_METADATA = 2, 502, 100
_DEEPEST = 64
#: CoreML.Specification.MILSpec.DataType.
_TYPES = {
    1: "bool", 2: "string", 10: "float16", 11: "float32", 12: "float64", 13: "bfloat16", 21: "int8", 22: "int16",
    23: "int32", 24: "int64", 25: "int4", 31: "uint8", 32: "uint16", 33: "uint32", 34: "uint64", 35: "uint4",
    36: "uint2", 40: "float8_e4m3fn", 41: "float8_e5m2",
}  # fmt: skip
#: By message: the fields that hold other messages on the way to the operations.
_NESTED = {
    "program": {2: "functions"},
    "functions": {2: "function"},
    "function": {3: "blocks"},
    "blocks": {2: "block"},
    "block": {3: "operation"},
}


class Constant(NamedTuple):
    """A value in the program, or in a weight file."""

    name: str
    """The operation's result and the attribute."""
    dtype: str
    shape: tuple[int, ...]
    file: str
    """Where its numbers are, as the program writes it; "" for the program itself."""
    offset: int
    extents: tuple[tuple[int, int], ...]
    """Starts and sizes in the program."""


class MilWalk:
    """One pass over a `model.mlmodel`."""

    def __init__(self, region: Region) -> None:
        self.operators: Counter[str] = Counter()
        self.constants: list[Constant] = []
        self.users: dict[str, str] = {}
        """By value: the operator that takes it first."""
        self.is_program = False
        self._region = region
        self._data = region.span.data

    def model(self) -> None:
        """CoreML.Specification.Model."""
        for field in fields(self._data, 0, self._region.span.size):
            if field.number == _MODEL_PROGRAM:
                self.is_program = True
                self._inside(field, "program", 0)
            elif field.number == _MODEL_DESCRIPTION:
                self._head(field, _DESCRIPTION)
                for part in fields(self._data, field.start, field.stop):
                    self._claim(part, _METADATA if part.number == _DESCRIPTION_METADATA else _DESCRIPTION)
            else:
                self._claim(field, _MODEL)

    def _claim(self, field: Field, label: Label) -> None:
        self._region.claim(field.begin, field.stop - field.begin, label)

    def _head(self, field: Field, label: Label) -> None:
        self._region.claim(field.begin, field.start - field.begin, label)

    def _inside(self, message: Field, kind: str, depth: int) -> None:
        if depth > _DEEPEST:
            raise Damage(f"its blocks lie more than {_DEEPEST} deep in each other")
        self._head(message, _PROGRAM)
        for field in fields(self._data, message.start, message.stop):
            child = _NESTED[kind].get(field.number)
            if child == "operation":
                self._operation(field, depth)
            elif child is not None:
                self._inside(field, child, depth + 1)
            else:
                self._claim(field, _PROGRAM)

    def _operation(self, message: Field, depth: int) -> None:
        """Its type comes first, then what it takes and gives, then its attributes: so coremltools writes them."""
        self._head(message, _PROGRAM)
        operator = result = ""
        for field in fields(self._data, message.start, message.stop):
            if field.number == 4:  # noqa: PLR2004 - blocks
                self._inside(field, "block", depth + 1)
            elif field.number == 5:  # noqa: PLR2004 - attributes
                self._attribute(field, operator, result)
            else:
                self._claim(field, _PROGRAM)
                if field.number == 1:
                    operator = text(self._data, field)
                elif field.number == 2:  # noqa: PLR2004 - inputs
                    self._note_uses(field, operator)
                elif field.number == 3:  # noqa: PLR2004 - outputs
                    result = result or self._first_text(field)
        if operator != "const":
            self.operators[operator] += 1

    def _note_uses(self, entry: Field, operator: str) -> None:
        for argument in self._at(entry, 2):
            for binding in self._at(argument, 1):
                for name in self._at(binding, 1):
                    self.users.setdefault(text(self._data, name), operator)

    def _at(self, message: Field, number: int) -> Iterator[Field]:
        """The fields of this number that hold texts or messages."""
        for field in fields(self._data, message.start, message.stop):
            if field.number == number and field.wire == BYTES:
                yield field

    def _first_text(self, message: Field) -> str:
        return next((text(self._data, field) for field in self._at(message, 1)), "")

    def _attribute(self, entry: Field, operator: str, result: str) -> None:
        """An entry of the attributes' map: a key, and a Value, which may be a constant."""
        key = self._first_text(entry)
        self._head(entry, _PROGRAM)
        for field in fields(self._data, entry.start, entry.stop):
            if field.number == 2 and (operator == "const") == (key == "val"):  # noqa: PLR2004 - value
                self._value(field, result if key == "val" else f"{result}.{key}")
            else:
                self._claim(field, _PROGRAM)

    def _value(self, message: Field, name: str) -> None:
        dtype, shape, file, offset = "", tuple[int, ...](), "", 0
        extents: list[tuple[int, int]] = []
        self._head(message, _PROGRAM)
        for field in fields(self._data, message.start, message.stop):
            if field.number == 3 and name[-5:] != ".name":  # noqa: PLR2004 - immediateValue
                self._numbers(field, 3, extents)
                continue
            self._claim(field, _PROGRAM)
            if field.number == 2:  # noqa: PLR2004 - type
                dtype, shape = self._type(field)
            elif field.number == 5:  # noqa: PLR2004 - blobFileValue
                file = self._first_text(field)
                numbers = {part.number: part.value for part in fields(self._data, field.start, field.stop)}
                offset = numbers.get(2, 0)
        if file or extents:
            check_tensors(len(self.constants))
            self.constants.append(Constant(name, dtype, shape, file, offset, tuple(extents)))

    def _numbers(self, message: Field, depth: int, extents: list[tuple[int, int]]) -> None:
        """ImmediateValue, TensorValue, RepeatedFloats and the like: numbers, three messages deep."""
        self._head(message, _PROGRAM)
        if not depth:
            self._region.claim(message.start, message.stop - message.start, TENSOR)
            extents.append((message.start, message.stop - message.start))
            return
        for field in fields(self._data, message.start, message.stop):
            if field.wire == BYTES:
                self._numbers(field, depth - 1, extents)
            else:
                self._claim(field, _PROGRAM)

    def _type(self, message: Field) -> tuple[str, tuple[int, ...]]:
        """A ValueType: that of a tensor, with its sizes."""
        for tensor in self._at(message, 1):
            numbers = {field.number: field.value for field in fields(self._data, tensor.start, tensor.stop)}
            sizes = [
                next((field.value for field in fields(self._data, known.start, known.stop)), 0)
                for dimension in self._at(tensor, 3)
                for known in self._at(dimension, 1)
            ]
            return _TYPES.get(numbers.get(1, 0), f"type{numbers.get(1, 0)}"), tuple(sizes)
        return "", ()
