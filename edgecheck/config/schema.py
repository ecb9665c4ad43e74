"""Declares what a user's YAML may hold. A declaration reads a file, and writes the JSON Schema that says the same.

A mapping with known keys is a `Section`: a class whose attributes are its keys, each made by `key`. Every other kind
of value is an object with the same two methods, `read` and `schema`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Protocol, TypeVar

from edgecheck.config.problems import Problem, did_you_mean, path_text
from edgecheck.config.tree import MappingNode, Scalar, found
from edgecheck.core.units import Unit, show

if TYPE_CHECKING:
    from edgecheck.config.tree import Entry, Node

    #: The schemas that others refer to, by name.
    Definitions = dict[str, dict[str, Any]]

#: What `read` returns instead of a value, after it has added the problem.
INVALID: Any = object()

#: The default of a key that has none.
REQUIRED: Any = object()

_DRAFT = "https://json-schema.org/draft/2020-12/schema"


class Kind(Protocol):
    """One kind of value."""

    def read(self, spot: Spot, /) -> Any:
        """The value, or INVALID after its problems were added to those of `spot`."""

    def schema(self, definitions: Definitions, /) -> dict[str, Any]:
        """The JSON Schema; the schemas that it refers to are added to `definitions`."""


@dataclass(eq=False, repr=False, slots=True, kw_only=True)
class Spot:
    """A value in a file, and the list that takes its problems."""

    node: Node
    problems: list[Problem]
    #: Whether other files complete this one: a missing key is not a problem then.
    is_partial: bool
    #: The keys and list positions that lead here.
    parts: tuple[str | int, ...] = ()
    #: The declared key whose own value this is.
    key: Key | None = None

    def inside(self, part: str | int, node: Node, key: Key | None = None) -> Spot:
        """One level further down."""
        return Spot(node=node, problems=self.problems, is_partial=self.is_partial, parts=(*self.parts, part), key=key)

    @property
    def such_as(self) -> str:
        """` such as` and a valid value, where an example is declared for exactly this value."""
        return f" such as {self.key.example_text}" if self.key and self.key.example is not None else ""

    def add(self, message: str) -> Any:
        """Add a problem; returns INVALID."""
        self.problems.append(Problem(self.node.mark.place, path_text(self.parts), message))
        return INVALID

    def found(self, *, takes_text: bool = False) -> str:
        """What was found, and how YAML reads it where text was meant."""
        node = self.node
        if isinstance(node, Scalar) and node.value is None:
            return "is empty"
        if takes_text and isinstance(node, Scalar) and isinstance(node.value, (int, float)):
            kind = "true or false" if isinstance(node.value, bool) else "a number"
            return f'found {found(node)}, which YAML reads as {kind} (it is text in quotes: "{found(node)}")'
        return f"found {found(node)}"


@dataclass(eq=False, repr=False, kw_only=True)
class Key:
    """One key of a section."""

    kind: Kind
    description: str
    example: object
    default: Any
    #: What the file calls it; empty: as the attribute is called.
    name: str
    #: Another key of the section, in seconds, that this one must not be shorter than.
    at_least: str
    #: Where the default depends on the keys before it, in seconds: what it is, for keys that must not be shorter.
    follows: Callable[[Mapping[str, float | None]], float] | None = None
    attribute: str = ""

    def __set_name__(self, _section: type[Section], attribute: str) -> None:
        self.attribute = attribute
        self.name = self.name or attribute

    @property
    def is_required(self) -> bool:
        """Whether it has no default."""
        return self.default is REQUIRED

    @property
    def example_text(self) -> str:
        """The example as YAML on one line."""
        return _as_yaml(self.example)

    def schema(self, definitions: Definitions) -> dict[str, Any]:
        """The kind's JSON Schema with the description, the example, and a default that a person can read."""
        shown = {} if self.example is None else {"examples": [self.example]}
        says_something = isinstance(self.default, (bool, int)) or (isinstance(self.default, str) and self.default)
        default = {"default": self.default} if says_something else {}
        described = self.kind.schema(definitions)
        if "$ref" in described:  # editors show the description of what is referred to, not the one next to it
            described = {"allOf": [described]}
        return {**described, "description": self.description, **shown, **default}


def key(  # noqa: PLR0913 - a key is declared in one call
    kind: Kind,
    description: str,
    example: object = None,
    *,
    default: Any = REQUIRED,
    name: str = "",
    at_least: str = "",
    follows: Callable[[Mapping[str, float | None]], float] | None = None,
) -> Any:
    """Declare a key; see `Key`. The result is typed `Any` so that an attribute can have the type of its value."""
    return Key(
        kind=kind,
        description=description,
        example=example,
        default=default,
        name=name,
        at_least=at_least,
        follows=follows,
    )


class Section:
    """A mapping with known keys: an instance has their values as attributes.

    The docstring of a subclass is the section's description in the JSON Schema.
    """

    #: By the names in the file, those of the base class first.
    keys: ClassVar[dict[str, Key]] = {}
    #: The title of a section that is an entire file; empty for all others.
    title: ClassVar[str] = ""
    #: What the JSON Schema has in addition.
    also: ClassVar[dict[str, Any]] = {}

    def __init_subclass__(cls) -> None:
        """Collect the keys."""
        cls.keys = cls.keys | {each.name: each for each in vars(cls).values() if isinstance(each, Key)}

    def __init__(self, **values: Any) -> None:
        """By attribute; a key that is not given has its default."""
        defaults = {each.attribute: each.default for each in self.keys.values()}
        self.__dict__.update(defaults | values)
        self.given = frozenset(values)

    def problem(self) -> str:
        """What is wrong with the section although each of its keys is valid; empty: nothing."""
        return ""

    @classmethod
    def read(cls, spot: Spot) -> Any:
        """See `Kind.read`."""
        if not isinstance(spot.node, MappingNode):
            keys = f" with the keys {', '.join(list(cls.keys)[:3])} and so on"
            return spot.add(f"{spot.found()}; expected a mapping{spot.such_as or keys}")
        before, entries = len(spot.problems), cls._entries(spot.node)
        values = cls._values(spot, entries)
        for name, entry in entries.items():
            if name not in cls.keys:
                before_colon = name.partition(":")[0]
                is_glued = before_colon != name and before_colon in cls.keys
                space = f"; write a space after the colon: {before_colon}: …" if is_glued else ""
                advice = space or did_you_mean(name, cls.keys) or f"; expected {', '.join(cls.keys)}"
                path = path_text((*spot.parts, name))
                spot.problems.append(Problem(entry.key.place, path, f"unknown key{advice}"))
        is_complete = all(each.attribute in values for each in cls.keys.values() if each.is_required)
        if len(spot.problems) > before or not is_complete:
            return INVALID
        section = cls(**values)
        message = section.problem()
        return spot.add(message) if message else section

    @classmethod
    def _entries(cls, node: MappingNode) -> dict[str, Entry]:
        """The keys that count: in an entire file, one without a value is absent where it may be absent."""
        return {
            name: entry
            for name, entry in node.entries.items()
            if not (cls.title and name in cls.keys and not cls.keys[name].is_required and _is_empty(entry.node))
        }

    @classmethod
    def _values(cls, spot: Spot, entries: dict[str, Entry]) -> dict[str, Any]:
        """The valid values by attribute; problems are added for all others and for required keys that are missing."""
        values: dict[str, Any] = {}
        seconds: dict[str, float] = {}
        for name, each in cls.keys.items():
            entry = entries.get(name)
            if entry is None:
                if not each.is_required:
                    seconds[name] = each.follows(seconds) if each.follows else each.default
                elif not spot.is_partial:
                    path = path_text((*spot.parts, name))
                    spot.problems.append(Problem(spot.node.mark.place, path, _missing(each)))
                continue
            inner = spot.inside(name, entry.node, each)
            value = each.kind.read(inner)
            if value is not INVALID and (least := seconds.get(each.at_least) or 0) > 0 and value < least:
                value = inner.add(f"is shorter than {each.at_least}, {show(least, Unit.SECONDS)}")
            if value is not INVALID:
                values[each.attribute] = seconds[name] = value
        return values

    @classmethod
    def schema(cls, definitions: Definitions) -> dict[str, Any]:
        """A reference to `described`, which is added to `definitions`."""
        if cls.__name__ not in definitions:
            definitions[cls.__name__] = {}
            definitions[cls.__name__] = cls.described(definitions)
        return {"$ref": f"#/$defs/{cls.__name__}"}

    @classmethod
    def described(cls, definitions: Definitions) -> dict[str, Any]:
        """The JSON Schema itself."""
        required = [name for name, each in cls.keys.items() if each.is_required]
        return {
            "type": "object",
            "description": cls.__doc__,
            "properties": {name: each.schema(definitions) for name, each in cls.keys.items()},
            "additionalProperties": False,
            **({"required": required} if required else {}),
            **cls.also,
        }


_S = TypeVar("_S", bound=Section)


def validate(section: type[_S], root: Node, problems: list[Problem]) -> _S | None:
    """The values in a file; None after every problem was added to `problems`."""
    values = section.read(Spot(node=root, problems=problems, is_partial=False))
    return None if values is INVALID else values


def problems_of_part(section: type[Section], root: Node) -> list[Problem]:
    """What is wrong in a file that other files complete: everything but missing keys."""
    problems: list[Problem] = []
    section.read(Spot(node=root, problems=problems, is_partial=True))
    return problems


def json_schema(section: type[Section]) -> dict[str, Any]:
    """The JSON Schema of a file, for editors."""
    definitions: Definitions = {}
    described = section.described(definitions)
    named = {name: _in_order(definitions[name]) for name in sorted(definitions)}
    return {"$schema": _DRAFT, "title": section.title, "$defs": named, **_in_order(described)}


def _in_order(node: Any, *, by_name: bool = True) -> Any:
    """`node` with its words by name, and keys under `properties` as they are declared."""
    if isinstance(node, dict):
        names = sorted(node) if by_name else node
        return {name: _in_order(node[name], by_name=name != "properties") for name in names}
    return [_in_order(item) for item in node] if isinstance(node, list) else node


def _as_yaml(value: object) -> str:
    """A plain value as YAML on one line."""
    if isinstance(value, dict):
        return "{" + ", ".join(f"{name}: {_as_yaml(item)}" for name, item in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(map(_as_yaml, value)) + "]"
    return str(value)


def _missing(each: Key) -> str:
    meaning = each.description.split(";")[0].rstrip(".")
    return f"is missing: {meaning[0].lower()}{meaning[1:]}, such as {each.example_text}"


def _is_empty(node: Node) -> bool:
    return isinstance(node, Scalar) and node.value is None
