"""NumPy arrays, in pickles, behind joblib's wrappers and in `.npy` files: type, shape, and where the numbers are.

`.npy`: https://numpy.org/doc/stable/reference/generated/numpy.lib.format.html, section "Format Version 1.0".
In pickles, arrays and types are what numpy's `__reduce__` methods return: a function, its arguments and a state.
joblib: https://github.com/joblib/joblib/blob/main/joblib/numpy_pickle.py, class `NumpyArrayWrapper`: the numbers of an
array follow the opcode that sets the state of its wrapper.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from math import prod
from typing import NamedTuple

from edgecheck.anatomy.accounting.ledger import Label
from edgecheck.anatomy.accounting.limits import MOST_DIGITS, MOST_DIMENSIONS, checked_shape
from edgecheck.anatomy.accounting.region import Region
from edgecheck.anatomy.encodings.span import Damage, Span, Unread
from edgecheck.anatomy.pickles.objects import Blob, Made, Mapping, Text, Value
from edgecheck.anatomy.values import Kind, Role

_HEADERS = Label(Kind.STRUCTURE, "array headers")
#: Kinds of numbers by their letter; the others are named in `_dtype_of`.
_KINDS = {"f": "float", "i": "int", "u": "uint", "c": "complex"}
_RECONSTRUCT = "numpy.core.multiarray._reconstruct"
_FROM_BUFFER = "numpy.core.numeric._frombuffer"
_ENCODE = "_codecs.encode"
_WRAPPER = "joblib.numpy_pickle.NumpyArrayWrapper"
#: Attributes of a wrapper; joblib writes six.
_MOST_ATTRIBUTES = 16
#: Dates and durations, which are 64-bit integers.
_TIMES = ("numpy M8", "numpy m8")
#: In the state of a `numpy.dtype`, the place of the flags, and the flag for references to Python objects.
_FLAGS, _REFERS = 7, 0x01
#: Versions of that state which have those flags: all since NumPy 1.3.
_VERSIONS = (3, 4)
#: Items of a dict from which it counts as a vocabulary; smaller ones are settings.
_SMALLEST_VOCABULARY = 64

#: Bytes of one item of an array: NumPy counts them in 32 bits.
_LARGEST_ITEM = 1 << 31
_MAGIC = b"\x93NUMPY"
#: Bytes of a `.npy` file's header.
_LONGEST_HEADER = 1 << 20
#: The type in a header: byte order, kind and size.
_DESCRIPTION = re.compile(r"'descr':\s*'([<>|=]?)([a-zA-Z])(\d*)'")
_SHAPE = re.compile(r"'shape':\s*\(([\d,\s]*)\)")


class DType(NamedTuple):
    """A NumPy type."""

    name: str
    """As all formats name types here; `record` for structured types, `object` for references."""
    size: int
    """Bytes of one item."""
    swapped: bool = False
    """Whether it is big-endian."""


class Array(NamedTuple):
    """An array whose numbers are in the file."""

    dtype: DType
    shape: tuple[int, ...]
    at: int
    size: int
    encoding: str

    @property
    def memory(self) -> int:
        """Bytes once loaded."""
        return self.dtype.size * prod(self.shape)

    @property
    def role(self) -> Role:
        """Floats, and the nodes of trees, are learned; integers are indices and counts."""
        if self.dtype.name == "string":
            return Role.VOCABULARY
        learned = self.dtype.name == "record" or self.dtype.name.startswith(("float", "complex"))
        return Role.WEIGHT if learned else Role.CONSTANT


@dataclass(frozen=True, slots=True, kw_only=True)
class Wrapped:
    """An array that joblib writes between the opcodes of a pickle, behind its wrapper."""

    dtype: DType
    shape: tuple[int, ...]
    nested: bool
    """Whether it holds references: then a pickle follows in place of padding and numbers."""
    padding: int
    """Bytes before the numbers, including the byte that holds their count; 0 without one."""
    size: int
    """Bytes of the numbers; 0 if a pickle follows."""


def read_wrapped(span: Span, made: Made, at: int) -> Wrapped | None:
    """What follows at `at`, where `made` was just given its state; `None` unless it is a `NumpyArrayWrapper`.

    A reader must skip exactly the bytes that joblib reads; otherwise joblib executes opcodes that nobody examined. So
    what joblib does not write is refused.

    Raises:
        Damage: its wrapper or its type is not one that joblib writes, or the file ends before the array does.
        Unread: it has too many dimensions, or a type whose size is not known.
    """
    if not made.called(_WRAPPER):
        return None
    state = made.state
    if made.arguments != () or made.found is not None or not isinstance(state, Mapping) or not _is_plain(state):
        raise Damage(f"the array before byte {at:,} has a wrapper that joblib does not write")
    dtype, shape = read_dtype(state.get("dtype")), read_shape(state.get("shape"))
    if dtype is None or shape is None:
        raise Damage(f"the array before byte {at:,} has no type or no shape")
    nested = _refers(state.get("dtype"), dtype)
    padded = not nested and state.get("numpy_array_alignment_bytes") is not None
    padding = 1 + span.u8(at) if padded else 0
    size = prod(checked_shape(shape)) * (0 if nested else dtype.size)
    span.sub(at + padding, size)
    made.found = Wrapped(dtype=dtype, shape=shape, nested=nested, padding=padding, size=size)
    return made.found


def _is_plain(state: Mapping) -> bool:
    """Whether a wrapper's attributes are what they seem: each has one value, and its name is a text in the file."""
    names = [name for name, _ in state.pairs[: _MOST_ATTRIBUTES + 1]]
    if len(names) > _MOST_ATTRIBUTES or not all(isinstance(name, str) for name in names):
        return False
    return len(set(names)) == len(names) and isinstance(state.get("numpy_array_alignment_bytes"), int | None)


def _refers(value: Value, dtype: DType) -> bool:
    """Whether a pickled type, read as `dtype`, holds references once NumPy has it: its flags decide.

    Raises:
        Damage: NumPy would see another size, or the state contradicts the type.
        Unread: it is a type of which only its maker knows the size.
    """
    code, *_ = value.arguments if isinstance(value, Made) and isinstance(value.arguments, tuple) else ("",)
    known = _dtype_of(code[:1], code[1:], swapped=False) if isinstance(code, str) else DType("", 0)
    if not known.size or (known.name.startswith("numpy") and known.name not in _TIMES):
        raise Unread(f"one of its arrays has the type {dtype.name}, whose size is not known")
    state = value.state if isinstance(value, Made) else None
    flags = (_REFERS if known.name == "object" else 0) if state is None else _flags(state)
    refers = bool(flags & _REFERS)
    # NumPy takes the size from the state for some types only; flags of numbers would turn them into references
    if dtype.size != known.size or (known.name != "record" and refers != (known.name == "object")):
        raise Damage(f"one of its arrays has the type {dtype.name}, which its state contradicts")
    return refers


def _flags(state: Value) -> int:
    """The flags in the state of a `numpy.dtype`."""
    flags = state[_FLAGS] if isinstance(state, tuple) and len(state) > _FLAGS and state[0] in _VERSIONS else None
    if not isinstance(flags, int):
        raise Damage("one of its arrays has a type whose state is not NumPy's")
    return flags


def read_dtype(value: Value) -> DType | None:
    """The type that a pickled `numpy.dtype` is, or `None` for anything else.

    Its state is a tuple: version, byte order, subtype, names, fields, item size, alignment, flags.
    """
    if not isinstance(value, Made) or not value.called("numpy.dtype"):
        return None
    code = value.arguments[0] if isinstance(value.arguments, tuple) and value.arguments else ""
    state = value.state if isinstance(value.state, tuple) else ()
    swapped = len(state) > 1 and state[1] == ">"
    dtype = (
        _dtype_of(code[:1], code[1:], swapped=swapped) if isinstance(code, str) else _dtype_of("", "", swapped=swapped)
    )
    size = state[5] if len(state) > 5 else None  # noqa: PLR2004 - item size
    return dtype._replace(size=size) if isinstance(size, int) and 0 < size < _LARGEST_ITEM else dtype


def _dtype_of(kind: str, width: str, *, swapped: bool) -> DType:
    """NumPy's type by its letter and its size: in bytes, for `U` in characters of four bytes."""
    size = int(width) if width.isascii() and width.isdigit() and len(width) < 10 else 0  # noqa: PLR2004 - 32 bits
    if kind in _KINDS:
        return DType(f"{_KINDS[kind]}{size * 8}", size, swapped)
    names = {"b": "bool", "O": "object", "U": "string", "S": "string", "V": "record"}
    return DType(names.get(kind, f"numpy {kind}{width}"), 4 * size if kind == "U" else size, swapped)


def read_array(value: Value) -> Array | None:
    """A pickled array with numbers in the pickle, or `None`: arrays of objects are like lists.

    Older numpy reconstructs an array and sets its state: version, shape, type, order, content. Newer protocols pass
    buffer, type, shape and order.
    """
    if not isinstance(value, Made) or not isinstance(value.arguments, tuple):
        return None
    if value.called(_RECONSTRUCT) and isinstance(value.state, tuple) and len(value.state) == 5:  # noqa: PLR2004 - see above
        _, shape, dtype, _, content = value.state
        return _array(read_dtype(dtype), shape, content)
    if value.called(_FROM_BUFFER) and len(value.arguments) >= 3:  # noqa: PLR2004 - see above
        content, dtype, shape = value.arguments[:3]
        return _array(read_dtype(dtype), shape, content)
    return None


def read_shape(value: Value) -> tuple[int, ...] | None:
    """The shape or the strides that a tuple of sizes is, or `None` for anything else."""
    if not isinstance(value, tuple) or len(value) > 2 * MOST_DIMENSIONS:
        return None
    sizes = [size for size in value if isinstance(size, int) and not isinstance(size, bool) and size >= 0]
    return tuple(sizes) if len(sizes) == len(value) else None


def read_npy(region: Region) -> Array:
    """The array of the `.npy` file in a region; its header is claimed, its numbers are not.

    Raises:
        Damage: it is not a `.npy` file, or its size does not fit its shape.
    """
    span = region.span
    if span.size < len(_MAGIC) or span.raw(0, len(_MAGIC)) != _MAGIC:
        raise Damage("one of its arrays is not in NumPy's format")
    width = 2 if span.u8(6) == 1 else 4  # major version; the length of the header has two bytes in version 1
    start = 8 + width + span.uint(8, width)  # after magic string, version and HEADER_LEN
    if start > _LONGEST_HEADER:
        raise Damage(f"an array's header claims {start:,} bytes")
    header = span.text(8 + width, start - 8 - width)
    sizes, description = _SHAPE.search(header), _DESCRIPTION.search(header)
    if sizes is None:
        raise Damage("one of its arrays has no shape")
    numbers = [size.strip() for size in sizes[1].split(",") if size.strip()]
    if any(len(number) > MOST_DIGITS or not number.isdigit() for number in numbers):
        raise Damage("the shape of one of its arrays is not made of sizes")
    shape = checked_shape(tuple(map(int, numbers)))
    size = span.size - start
    dtype = _dtype_of(description[2], description[3], swapped=description[1] == ">") if description else None
    if dtype is None:  # a structured type: a list of fields
        dtype = DType("record", size // max(1, prod(shape)))
    if dtype.name != "object" and dtype.size * prod(shape) != size:
        raise Damage(f"an array of shape {shape} and type {dtype.name} has {size:,} bytes")
    region.claim(0, start, _HEADERS)
    return Array(dtype, shape, start, size, "big-endian" if dtype.swapped else "")


def vocabulary(value: Value) -> Mapping | None:
    """A dict of many words with a number each, or `None` for anything else."""
    if not isinstance(value, Mapping) or len(value.pairs) < _SMALLEST_VOCABULARY:
        return None
    words = all(isinstance(key, Text) and not isinstance(item, (Made, Mapping)) for key, item in value.pairs)
    return value if words else None


def _array(dtype: DType | None, shape: Value, content: Value) -> Array | None:
    sizes = read_shape(shape)
    encoding = "big-endian" if dtype and dtype.swapped else ""
    if isinstance(content, Made):
        encoding = "text" if content.called(_ENCODE) else encoding  # protocols before 3 write bytes as text
        content = _inner(content)
    if dtype is None or sizes is None or not isinstance(content, (Blob, Text)):
        return None
    checked_shape(sizes)
    plain = encoding != "text" and dtype.name not in ("object", "string")
    if plain and not isinstance(content, Text) and content.size != dtype.size * prod(sizes):
        raise Damage(f"an array claims {prod(sizes):,} items of {dtype.size} bytes and has {content.size:,} bytes")
    return Array(dtype, sizes, content.at, content.size, encoding)


def _inner(content: Made) -> Value:
    """The bytes or the text with which a constructor of bytes is called."""
    constructors = (_ENCODE, "builtins.bytearray", "__builtin__.bytearray")
    if content.called(*constructors) and isinstance(content.arguments, tuple) and content.arguments:
        first: Value = content.arguments[0]
        return first
    return None
