"""What a pickle would build, as inert values: nothing is imported, nothing is called."""

from __future__ import annotations

from typing import NamedTuple, TypeAlias

Value: TypeAlias = object
"""A Python scalar, a tuple, a list, or one of the classes below."""


class Blob(NamedTuple):
    """A byte string, or a text too long to be a name, left where it is."""

    at: int
    size: int
    is_text: bool = False


class Text(str):
    """A text, and where its UTF-8 lies."""

    __slots__ = ("at", "size")
    at: int
    size: int


class Name(NamedTuple):
    """A class or function that the pickle would import."""

    module: str
    name: str

    def __str__(self) -> str:
        return f"{self.module}.{self.name}"


class Persistent(NamedTuple):
    """What the pickle keeps elsewhere: torch's storages."""

    key: Value


class Mapping:
    """A dict; keys may be anything."""

    __slots__ = ("pairs", "spans")

    def __init__(self) -> None:
        self.pairs: list[tuple[Value, Value]] = []
        self.spans: list[tuple[int, int]] = []
        """Where its items are written: starts and stops."""

    def get(self, key: str) -> Value:
        """The value of a text key, or `None`."""
        return next((value for name, value in self.pairs if name == key), None)


class Made:
    """The result of calling `maker` with `arguments`, with what was set on it afterwards."""

    __slots__ = ("arguments", "found", "items", "maker", "state")

    def __init__(self, maker: Value, arguments: Value) -> None:
        self.maker = maker
        self.arguments = arguments
        self.state: Value = None
        self.found: Value = None
        """What a reader saw behind it: the array that joblib writes there."""
        self.items: list[Value] = []
        """What was appended; for a mapping, its `Mapping`."""

    def mapping(self) -> Mapping:
        """Its items as a dict's, made when it has none yet."""
        for item in self.items:
            if isinstance(item, Mapping):
                return item
        self.items.append(made := Mapping())
        return made

    def called(self, *names: str) -> bool:
        """Whether the maker is one of these, by its dotted name without numpy's private `_core`."""
        return isinstance(self.maker, Name) and str(self.maker).replace("numpy._core.", "numpy.core.") in names
