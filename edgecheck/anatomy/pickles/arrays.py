"""NumPy arrays as pickles describe them: their type, their shape, and where their numbers are."""

from __future__ import annotations

from math import prod
from typing import NamedTuple

from edgecheck.anatomy.encodings.span import Damage
from edgecheck.anatomy.pickles.objects import Blob, Made, Mapping, Text, Value
from edgecheck.anatomy.values import Role

_KINDS = {"f": "float", "i": "int", "u": "uint", "c": "complex"}
_RECONSTRUCT = "numpy.core.multiarray._reconstruct"
_FROM_BUFFER = "numpy.core.numeric._frombuffer"
_ENCODE = "_codecs.encode"


class DType(NamedTuple):
    """A NumPy type."""

    name: str
    """As the anatomy names types; `record` for structured ones, `object` for references."""
    size: int
    """Bytes of one item."""
    swapped: bool = False
    """Whether it is big-endian."""


class Array(NamedTuple):
    """An array whose numbers lie in the pickle."""

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


def read_dtype(value: Value) -> DType | None:
    """A pickled `numpy.dtype`, or `None` when it is none."""
    if not isinstance(value, Made) or not value.called("numpy.dtype"):
        return None
    code = value.arguments[0] if isinstance(value.arguments, tuple) and value.arguments else ""
    state = value.state if isinstance(value.state, tuple) else ()
    swapped = len(state) > 1 and state[1] == ">"
    dtype = dtype_of(str(code)[:1], str(code)[1:], swapped=swapped)
    size = state[5] if len(state) > 5 else None  # noqa: PLR2004 - place of the item's size in a dtype's state
    return dtype._replace(size=size) if isinstance(size, int) and size > 0 else dtype


def dtype_of(kind: str, width: str, *, swapped: bool) -> DType:
    """NumPy's type of a letter and of so many bytes, or of so many characters of four bytes."""
    size = int(width) if width.isascii() and width.isdigit() and len(width) < 10 else 0  # noqa: PLR2004 - 32 bits
    if kind in _KINDS:
        return DType(f"{_KINDS[kind]}{size * 8}", size, swapped)
    names = {"b": "bool", "O": "object", "U": "string", "S": "string", "V": "record"}
    return DType(names.get(kind, f"numpy {kind}{width}"), 4 * size if kind == "U" else size, swapped)


def read_array(value: Value) -> Array | None:
    """A pickled array with numbers in the pickle, or `None`: those of objects are lists like any other."""
    if not isinstance(value, Made) or not isinstance(value.arguments, tuple):
        return None
    if value.called(_RECONSTRUCT) and isinstance(value.state, tuple) and len(value.state) == 5:  # noqa: PLR2004
        _, shape, dtype, _, content = value.state
        return _array(read_dtype(dtype), shape, content)
    if value.called(_FROM_BUFFER) and len(value.arguments) >= 3:  # noqa: PLR2004 - buffer, type, shape, order
        content, dtype, shape = value.arguments[:3]
        return _array(read_dtype(dtype), shape, content)
    return None


def read_shape(value: Value) -> tuple[int, ...] | None:
    """A tuple of sizes, or `None` when it is something else."""
    if not isinstance(value, tuple):
        return None
    sizes = [size for size in value if isinstance(size, int) and not isinstance(size, bool) and size >= 0]
    return tuple(sizes) if len(sizes) == len(value) else None


def _array(dtype: DType | None, shape: Value, content: Value) -> Array | None:
    sizes = read_shape(shape)
    encoding = "big-endian" if dtype and dtype.swapped else ""
    if isinstance(content, Made):
        encoding = "text" if content.called(_ENCODE) else encoding  # protocols before 3 write bytes as text
        content = _inner(content)
    if dtype is None or sizes is None or not isinstance(content, (Blob, Text)):
        return None
    plain = encoding != "text" and dtype.name not in ("object", "string")
    if plain and not isinstance(content, Text) and content.size != dtype.size * prod(sizes):
        raise Damage(f"an array claims {prod(sizes):,} items of {dtype.size} bytes and has {content.size:,} bytes")
    return Array(dtype, sizes, content.at, content.size, encoding)


def _inner(content: Made) -> Value:
    """The bytes or the text that a constructor of bytes is called with."""
    constructors = (_ENCODE, "builtins.bytearray", "__builtin__.bytearray")
    if content.called(*constructors) and isinstance(content.arguments, tuple) and content.arguments:
        first: Value = content.arguments[0]
        return first
    return None


def vocabulary(value: Value) -> Mapping | None:
    """A dict of many words with a number each, or `None`."""
    if not isinstance(value, Mapping) or len(value.pairs) < 64:  # noqa: PLR2004 - fewer are settings
        return None
    words = all(isinstance(key, Text) and not isinstance(item, (Made, Mapping)) for key, item in value.pairs)
    return value if words else None
