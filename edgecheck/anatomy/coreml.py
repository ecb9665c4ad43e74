"""Reads Core ML's `.mlpackage` folders: a MIL program, and the weight files to which it points.

Weight files: https://github.com/apple/coremltools/blob/main/mlmodel/src/MILBlob/Blob/StorageFormat.hpp, "Blob Storage
File Format". The folder is that of coremltools' `ModelPackage`: a manifest, and the items that it lists in `Data`.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from math import prod
from pathlib import PurePosixPath
from typing import NamedTuple

from edgecheck.anatomy.accounting.files import Files
from edgecheck.anatomy.accounting.ledger import TENSOR, Label
from edgecheck.anatomy.accounting.limits import RECORD, check_size, check_tensors, checked_shape, cut, quoted
from edgecheck.anatomy.accounting.region import Held, Owners, Region
from edgecheck.anatomy.dtypes import dense_size, is_float, is_quantised
from edgecheck.anatomy.encodings.archive_parts import as_dict, as_text, read_json
from edgecheck.anatomy.encodings.span import Damage
from edgecheck.anatomy.encodings.wire import BYTES, Field, fields, text
from edgecheck.anatomy.scopes import layer_of
from edgecheck.anatomy.values import Inside, Kind, Role, Tensor

# The program: https://github.com/apple/coremltools/blob/main/mlmodel/format/MIL.proto, from message Program down; Model
# and ModelDescription are in Model.proto next to it.

_MODEL = Label(Kind.STRUCTURE, "model record")
_PROGRAM = Label(Kind.STRUCTURE, "operations")
_DESCRIPTION = Label(Kind.STRUCTURE, "inputs and outputs")
_METADATA = Label(Kind.METADATA, "description")
#: Model: description, mlProgram; ModelDescription: metadata.
_MODEL_DESCRIPTION, _MODEL_PROGRAM, _DESCRIPTION_METADATA = 2, 502, 100
#: Operation: type, inputs, outputs, blocks, attributes.
_TYPE, _INPUTS, _OUTPUTS, _BLOCKS, _ATTRIBUTES = 1, 2, 3, 4, 5
#: Value: type, immediateValue, blobFileValue.
_VALUE_TYPE, _IMMEDIATE, _BLOB_FILE = 2, 3, 5
#: Messages inside of messages.
_DEEPEST = 64
#: DataType, under the names that all formats share here.
_TYPES = {
    1: "bool", 2: "string", 10: "float16", 11: "float32", 12: "float64", 13: "bfloat16", 21: "int8", 22: "int16",
    23: "int32", 24: "int64", 25: "int4", 31: "uint8", 32: "uint16", 33: "uint32", 34: "uint64", 35: "uint4",
    36: "uint2", 40: "float8_e4m3fn", 41: "float8_e5m2",
}  # fmt: skip
#: By message: the field that leads to the operations, and the message in it. Entries of a map have their value in 2.
_NESTED = {
    "program": {2: "functions"},  # functions
    "functions": {2: "function"},
    "function": {3: "blocks"},  # block_specializations
    "blocks": {2: "block"},
    "block": {3: "operation"},  # operations
}


class Constant(NamedTuple):
    """A value in the program, or in a weight file."""

    name: str
    """The name of the operation's result, and that of the attribute."""
    dtype: str
    shape: tuple[int, ...]
    file: str
    """The file of its numbers, as the program writes it; "" for the program itself."""
    offset: int
    """Where its header is in that file."""
    extents: tuple[tuple[int, int], ...]
    """Starts and sizes in the program."""


class MilWalk:
    """One pass over a `model.mlmodel`."""

    def __init__(self, region: Region) -> None:
        self.operators: Counter[str] = Counter()
        self.constants: list[Constant] = []
        self.users: dict[str, str] = {}
        """By value: the operator that uses it first."""
        self.is_program = False
        self._region = region
        self._data = region.span.data

    def model(self) -> None:
        """Visit everything: a Model."""
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
            raise Damage(f"its blocks are nested more than {_DEEPEST} deep")
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
        """An Operation; coremltools writes its fields in order, so that its type is known before its attributes."""
        self._head(message, _PROGRAM)
        operator = result = ""
        for field in fields(self._data, message.start, message.stop):
            if field.number == _BLOCKS:
                self._inside(field, "block", depth + 1)
            elif field.number == _ATTRIBUTES:
                self._attribute(field, operator, result)
            else:
                self._claim(field, _PROGRAM)
                if field.number == _TYPE:
                    operator = text(self._data, field)
                elif field.number == _INPUTS:
                    self._note_uses(field, operator)
                elif field.number == _OUTPUTS:
                    result = result or self._first_text(field)
        if operator != "const":
            self.operators[operator] += 1

    def _note_uses(self, entry: Field, operator: str) -> None:
        for argument in self._at(entry, 2):  # the value of the map's entry
            for binding in self._at(argument, 1):  # arguments
                for name in self._at(binding, 1):  # name
                    self.users.setdefault(text(self._data, name), operator)

    def _at(self, message: Field, number: int) -> Iterator[Field]:
        """The fields with this number that hold texts or messages."""
        for field in fields(self._data, message.start, message.stop):
            if field.number == number and field.wire == BYTES:
                yield field

    def _first_text(self, message: Field) -> str:
        """The text in field 1: the key of a map's entry, a name, a file name."""
        return next((text(self._data, field) for field in self._at(message, 1)), "")

    def _attribute(self, entry: Field, operator: str, result: str) -> None:
        """An entry of the map of attributes: a key, and a Value, which may be a constant."""
        key = self._first_text(entry)
        self._head(entry, _PROGRAM)
        for field in fields(self._data, entry.start, entry.stop):
            is_value = field.number == 2  # noqa: PLR2004 - the value of a map's entry
            if is_value and (operator == "const") == (key == "val"):
                self._value(field, result if key == "val" else f"{result}.{key}")
            else:
                self._claim(field, _PROGRAM)

    def _value(self, message: Field, name: str) -> None:
        """A Value; its numbers are in it, or in a weight file."""
        dtype, shape, file, offset = "", tuple[int, ...](), "", 0
        extents: list[tuple[int, int]] = []
        self._head(message, _PROGRAM)
        for field in fields(self._data, message.start, message.stop):
            if field.number == _IMMEDIATE and not name.endswith(".name"):
                self._numbers(field, 3, extents)
                continue
            self._claim(field, _PROGRAM)
            if field.number == _VALUE_TYPE:
                dtype, shape = self._type(field)
            elif field.number == _BLOB_FILE:
                file = self._first_text(field)
                numbers = {part.number: part.value for part in fields(self._data, field.start, field.stop)}
                offset = numbers.get(2, 0)  # offset
        if file or extents:
            check_tensors(len(self.constants))
            self.constants.append(Constant(name, dtype, shape, file, offset, tuple(extents)))

    def _numbers(self, message: Field, depth: int, extents: list[tuple[int, int]]) -> None:
        """Claim numbers that are three messages deep: ImmediateValue, TensorValue, RepeatedFloats or the like."""
        self._head(message, _PROGRAM)
        if not depth:
            self._region.span.work.spend(2 * RECORD)
            self._region.claim(message.start, message.stop - message.start, TENSOR)
            extents.append((message.start, message.stop - message.start))
            return
        for field in fields(self._data, message.start, message.stop):
            if field.wire == BYTES:
                self._numbers(field, depth - 1, extents)
            else:
                self._claim(field, _PROGRAM)

    def _type(self, message: Field) -> tuple[str, tuple[int, ...]]:
        """Type and shape of a ValueType, if it is that of a tensor."""
        for tensor in self._at(message, 1):  # tensorType: dataType, rank, dimensions
            numbers = {field.number: field.value for field in fields(self._data, tensor.start, tensor.stop)}
            sizes = [
                next((field.value for field in fields(self._data, known.start, known.stop)), 0)
                for dimension in self._at(tensor, 3)
                for known in self._at(dimension, 1)  # constant, with its size
            ]
            return _TYPES.get(numbers.get(1, 0), f"type{numbers.get(1, 0)}"), checked_shape(tuple(sizes))
        return "", ()


_MANIFEST = Label(Kind.STRUCTURE, "manifest")
_BLOB_HEADERS = Label(Kind.STRUCTURE, "weight headers")
_OTHER = Label(Kind.METADATA, "other files")
#: A weight file's headers and weights are aligned to this many bytes; its headers have this size, too.
_ALIGNMENT = 64
#: How the header of a weight begins (`BlobMetadataSentinel`).
_SENTINEL = 0xDEADBEEF
#: How a program names the folder of its weight files.
_MODEL_PATH = "@model_path/"


def read_mlpackage(files: Files) -> Inside:
    """The constants of a MIL program; a `reading.Reader`."""
    manifest = files.open("Manifest.json")
    manifest.claim(0, manifest.span.size, _MANIFEST)
    model = PurePosixPath("Data") / _root(as_dict(read_json(manifest.span, "manifest")))
    region = files.open(str(model))
    walk = MilWalk(region)
    walk.model()
    weights = _Weights(files, model.parent, region)
    tensors = tuple(weights.tensor(constant, walk.users) for constant in walk.constants)
    files.claim_rest(_OTHER)
    note = "This Core ML model is not a MIL program: its weights are not listed one by one."
    return Inside(tensors, dict(walk.operators), () if walk.is_program else (note,))


def _root(manifest: dict[str, object]) -> str:
    """The path of the model in the folder `Data`."""
    entries = as_dict(manifest.get("itemInfoEntries"))
    path = as_dict(entries.get(as_text(manifest.get("rootModelIdentifier")))).get("path")
    if not isinstance(path, str):
        raise Damage("its manifest names no model")
    return path


class _Weights:
    """Turns constants into tensors; their numbers are in the program's file or in weight files."""

    def __init__(self, files: Files, folder: PurePosixPath, program: Region) -> None:
        self._files = files
        self._folder = folder
        self._program = program
        self._owners = Owners()
        self._headed: set[str] = set()

    def tensor(self, constant: Constant, users: dict[str, str]) -> Tensor:
        """A constant as a tensor."""
        elements = prod(constant.shape)
        if constant.file:
            held = self._in_file(constant)
            check_size(constant.name, constant.dtype, constant.shape, sum(place.size for place in held.places))
        else:
            stored = sum(size for _, size in constant.extents)
            held = Held(stored, tuple(self._program.place(*extent) for extent in constant.extents), "")
        learned = is_float(constant.dtype) or is_quantised(constant.dtype)
        memory = dense_size(constant.dtype, elements) or held.stored
        return Tensor(
            name=constant.name,
            layer=layer_of(constant.name),
            operator=users.get(constant.name, ""),
            dtype=constant.dtype,
            shape=constant.shape,
            role=Role.WEIGHT if learned and constant.shape else Role.CONSTANT,
            stored=held.stored,
            memory=memory,
            places=held.places,
            shares=held.shares,
            encoding="" if constant.file or held.stored == memory else "varint",
        )

    def _in_file(self, constant: Constant) -> Held:
        """The bytes of a constant in a weight file, which has one header for the file and one for each weight."""
        name = str(self._folder / constant.file.removeprefix(_MODEL_PATH))
        region = self._files.open(name, _ALIGNMENT)
        if name not in self._headed:
            self._headed.add(name)
            region.claim(0, min(_ALIGNMENT, region.span.size), _BLOB_HEADERS)  # storage_header
        at = constant.offset
        if region.span.u32(at) != _SENTINEL:  # blob_metadata: sentinel, mil_dtype, sizeInBytes, offset
            raise Damage(f"the weight {quoted(constant.name)} is not at byte {at:,} of {cut(name)}")
        region.span.sub(at, _ALIGNMENT)
        held = self._owners.hold(constant.name, region, (region.span.u64(at + 16), region.span.u64(at + 8)))
        if not held.shares:
            region.claim(at, _ALIGNMENT, _BLOB_HEADERS)
        return held
