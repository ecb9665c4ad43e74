"""What reading a model may cost, so that a hostile file takes bounded time and memory.

Counts alone do not bound a reader: many small records may share one long name. So whatever a reader makes or walks is
charged to one budget, `Work`, in the bytes that Python takes for it; an object that is dropped at once is charged for
its time. The checks on sizes bound what a reader reports: a tensor has as many bytes as its type and shape need.
"""

from __future__ import annotations

from math import prod

from edgecheck.anatomy.dtypes import dense_size
from edgecheck.core.text import middle_cut

#: Bytes of memory for all that is made of one model's names, shapes and records.
MOST_MEMORY = 256 << 20
#: Bytes of all of a model's compressed parts together: what zlib unpacks in some seconds.
MOST_UNPACKED = 2 << 30
#: The largest published models have some tens of thousands.
MOST_TENSORS = 250_000
#: Nodes, records and members: a few for each tensor.
MOST_PARTS = 8 * MOST_TENSORS
#: Opcodes of all of a model's pickles, and values in them that are looked at: some microseconds each.
MOST_STEPS = 12_000_000
#: Twice as many as NumPy allows.
MOST_DIMENSIONS = 128
#: Sizes and places in files have 64 bits, with a sign in most formats.
MOST_ELEMENTS = (1 << 63) - 1
#: Characters of a name in a message, and digits of a number: those of any 64-bit integer.
_LONGEST_NAME, MOST_DIGITS = 80, 20

#: What Python takes for a text besides its characters, for a value in a list, for a small object, and for a dict.
TEXT, ITEM, RECORD, TABLE = 64, 8, 64, 256
#: What a step of a walk is charged that keeps nothing: it takes about a microsecond.
STEP = 32


class Damage(Exception):  # noqa: N818 - it names what was found, and never leaves this package
    """The bytes are not what their format says; `explained` turns it into a `ModelError` with the file's name."""


class Unread(Damage):
    """The bytes may be right, but edgecheck does not read this variant of the format."""


class Missing(Damage):
    """A file that belongs to the model is not there; the name is that of the file."""

    def __init__(self, name: str) -> None:
        super().__init__(f"it keeps weights in {cut(name)}, which is missing from its folder")
        self.name = name


class Work:
    """The budget for reading one model; its files and their parts share it."""

    __slots__ = ("_left", "_packed_left", "_steps_left")

    def __init__(self) -> None:
        self._left = MOST_MEMORY
        self._packed_left = MOST_UNPACKED
        self._steps_left = MOST_STEPS

    def spend(self, cost: int) -> None:
        """Charge `cost` bytes.

        Raises:
            Unread: the budget is spent.
        """
        self._left -= cost
        if self._left < 0:
            raise Unread(f"its names, shapes and records take more than {MOST_MEMORY:,} bytes of memory")

    def step(self, count: int) -> None:
        """Charge `count` steps that keep nothing, where a model may honestly take millions.

        Raises:
            Unread: the budget is spent.
        """
        self._steps_left -= count
        if self._steps_left < 0:
            raise Unread(f"its pickles take more than {MOST_STEPS:,} steps")

    def unpack(self, size: int, slowness: int) -> None:
        """Charge `size` unpacked bytes of a stream, whose kind takes `slowness` times as long as zlib's.

        Raises:
            Unread: the budget is spent.
        """
        self._packed_left -= size * slowness
        if self._packed_left < 0:
            raise Unread(f"its compressed parts unpack to more than {MOST_UNPACKED // slowness:,} bytes")


def check_tensors(count: int) -> None:
    """Refuse more tensors than a model has.

    Raises:
        Unread: there are more than `MOST_TENSORS`.
    """
    if count > MOST_TENSORS:
        raise Unread(f"it has more than {MOST_TENSORS:,} tensors")


def check_parts(count: int) -> None:
    """Refuse more parts than a model has.

    Raises:
        Unread: there are more than `MOST_PARTS`.
    """
    if count > MOST_PARTS:
        raise Unread(f"it has more than {MOST_PARTS:,} parts")


def checked_shape(shape: tuple[int, ...]) -> tuple[int, ...]:
    """`shape`, if a tensor can have it.

    Raises:
        Unread: it has more than `MOST_DIMENSIONS` dimensions.
        Damage: it stands for more than `MOST_ELEMENTS` numbers.
    """
    if len(shape) > MOST_DIMENSIONS:
        raise Unread(f"it has a tensor of more than {MOST_DIMENSIONS} dimensions")
    if prod(size or 1 for size in shape) > MOST_ELEMENTS:
        raise Damage(f"it has a tensor of more than {MOST_ELEMENTS:,} numbers")
    return shape


def cut(name: str) -> str:
    """A name from a file as it appears in a message: clean, and with its middle left out when it is long."""
    return middle_cut(name, _LONGEST_NAME)


def quoted(name: str) -> str:
    """The same in quotation marks."""
    return repr(cut(name))


def check_size(name: str, dtype: str, shape: tuple[int, ...], size: int) -> None:
    """Refuse a dense tensor that claims more numbers than it has, or fewer.

    Types without a fixed size, such as `string`, may have any number of bytes.

    Raises:
        Damage: `size` is not what `dtype` and `shape` need.
    """
    elements = prod(shape)
    needed = dense_size(dtype, elements)
    if needed != size and (needed or dense_size(dtype, 1)):
        raise Damage(f"tensor {quoted(name)} claims {elements:,} numbers of {dtype} and has {size:,} bytes")
