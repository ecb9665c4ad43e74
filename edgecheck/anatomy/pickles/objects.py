"""What a pickle would build, as inert values, and the search for arrays in it. Nothing is imported or called."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Generic, NamedTuple, TypeAlias, TypeVar

from edgecheck.anatomy.accounting.limits import MOST_DIGITS, RECORD, STEP, Work, check_tensors, quoted
from edgecheck.anatomy.encodings.span import Damage

#: Digits of a memo index in a text opcode: such indices have 32 bits.
_LONGEST_INDEX = 10

#: A Python scalar, a tuple, a list, or one of the classes below.
Value: TypeAlias = object


class Blob(NamedTuple):
    """A byte string, or a text too long to be a name, left where it is."""

    at: int
    size: int
    is_text: bool = False


class Text(str):
    """A text, and where its UTF-8 is."""

    __slots__ = ("at", "size")
    at: int
    size: int


class Name(NamedTuple):
    """A class or a function that the pickle would import."""

    module: str
    name: str

    def __str__(self) -> str:
        return f"{self.module}.{self.name}"


class Persistent(NamedTuple):
    """The id of an object that the pickle keeps elsewhere: torch's storages."""

    key: Value


class Mapping:
    """A dict, as pairs in the order of the file; keys may be anything."""

    __slots__ = ("pairs", "spans")

    def __init__(self) -> None:
        self.pairs: list[tuple[Value, Value]] = []
        self.spans: list[tuple[int, int]] = []
        """Where its items are written: starts and stops."""

    def get(self, key: str) -> Value:
        """The value of a text key, or `None`."""
        return next((value for name, value in self.pairs if name == key), None)


class Made:
    """The result of calling `maker` with `arguments`, with what was then set on it."""

    __slots__ = ("arguments", "found", "items", "maker", "state")

    def __init__(self, maker: Value, arguments: Value) -> None:
        self.maker = maker
        self.arguments = arguments
        self.state: Value = None
        self.found: Value = None
        """What a reader found after it in the file: the array that joblib writes there."""
        self.items: list[Value] = []
        """Its items; those of a mapping are one `Mapping`."""

    def mapping(self) -> Mapping:
        """Its items as those of a dict, created when it has none yet."""
        for item in self.items:
            if isinstance(item, Mapping):
                return item
        self.items.append(made := Mapping())
        return made

    def called(self, *names: str) -> bool:
        """Whether the maker has one of these dotted names; `numpy._core` counts as `numpy.core`."""
        return isinstance(self.maker, Name) and str(self.maker).replace("numpy._core.", "numpy.core.") in names


LeafT = TypeVar("LeafT")

#: Dictionaries in which torch's modules keep their attributes.
_TRANSPARENT = ("_parameters", "_buffers", "_modules")
_CONTAINERS = (Mapping, Made, list, tuple)


@dataclass(frozen=True, slots=True)
class Leaf(Generic[LeafT]):
    """A value that was recognised, under the path by which a person would reach it."""

    path: tuple[str, ...]
    found: LeafT


def leaves(root: Value, recognise: Callable[[Value], LeafT | None], work: Work) -> Iterator[Leaf[LeafT]]:
    """Everything below `root` for which `recognise` returns something, in the order of the file.

    Objects in several places are recognised in each of them, but searched only once. A path is made when something is
    found at its end; until then, each place knows the one above it.
    """
    count = 0
    known: dict[int, LeafT | None] = {}
    waiting: list[tuple[_Step | None, Value]] = [(None, root)]
    while waiting:
        step, value = waiting.pop()
        if not isinstance(value, _CONTAINERS) or value == ():
            continue
        work.spend(STEP)
        is_new = id(value) not in known
        if is_new:
            work.spend(RECORD)
            known[id(value)] = recognise(value)
        found = known[id(value)]
        if found is not None:
            count += 1
            check_tensors(count)
            yield Leaf(_path(step, work), found)
        elif is_new and not isinstance(value, Blob):
            below = [each for each in _children(step, value, work) if isinstance(each[1], _CONTAINERS)]
            work.spend(2 * RECORD * len(below))
            waiting += reversed(below)


class _Step(NamedTuple):
    """A place in the objects, which knows the one above it."""

    above: _Step | None
    name: str


def _path(step: _Step | None, work: Work) -> tuple[str, ...]:
    """The names on the way to a place."""
    names: list[str] = []
    while step is not None:
        work.spend(RECORD + len(step.name))
        names.append(step.name)
        step = step.above
    return tuple(reversed(names))


def _children(step: _Step | None, value: Value, work: Work) -> Iterator[tuple[_Step | None, Value]]:
    if isinstance(value, Mapping):
        work.step(len(value.pairs))
        for key, child in value.pairs:
            yield (step if key in _TRANSPARENT else _Step(step, _component(key))), child
    elif isinstance(value, Made):
        work.step(len(value.items))
        yield from ((step, child) for child in _parts(value))
        plain = (item for item in value.items if not isinstance(item, Mapping))
        yield from ((_Step(step, str(index)), child) for index, child in enumerate(plain))
        yield from ((step, item) for item in value.items if isinstance(item, Mapping))
    elif isinstance(value, (list, tuple)):
        work.step(len(value))
        for index, child in enumerate(value):
            yield _Step(step, _item_name(index, child)), child


def _parts(made: Made) -> Iterator[Value]:
    """What an object was made of: of a tuple with one container, only that; of an array of objects, only these."""
    if made.called("numpy.core.multiarray._reconstruct") and isinstance(made.state, tuple):
        yield made.state[-1] if made.state else None
        return
    for part in (made.arguments, made.state):
        inside = [each for each in part if isinstance(each, _CONTAINERS)] if isinstance(part, tuple) else []
        yield inside[0] if len(inside) == 1 else part


def _item_name(index: int, child: Value) -> str:
    """The name of a named item, such as a pipeline's step `("scaler", scaler)`, else its number."""
    if isinstance(child, tuple) and len(child) > 1 and isinstance(child[0], Text):
        return child[0]
    return str(index)


def _component(key: Value) -> str:
    return str(key) if isinstance(key, (str, int, float)) else "?"


def number_in(line: str) -> Value:
    """The argument of INT, LONG or FLOAT; INT also writes truth values, as 00 and 01."""
    if line in ("00", "01"):
        return line == "01"
    try:
        if set(line) & set(".eEnN"):
            return float(line)
        return int(line.rstrip("L") or "0") if len(line) <= 2 * MOST_DIGITS else Blob(0, 0)
    except ValueError:
        raise Damage(f"its pickle has the number {quoted(line)}") from None


def index_in(line: str) -> int:
    """The argument of PUT or GET."""
    if not line.isascii() or not line.isdigit() or len(line) > _LONGEST_INDEX:
        raise Damage(f"its pickle has the memo index {quoted(line)}")
    return int(line)
