"""The keys of `edgecheck.yaml`, and of `[tool.edgecheck]` in `pyproject.toml`."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from edgecheck.config.files import matching_paths
from edgecheck.config.kinds import TEXT, ListOf, MappingOf, OrNothing, TakesTextError, Value, list_or
from edgecheck.config.problems import Problem, RefusedError, did_you_mean, path_text
from edgecheck.config.schema import INVALID, Section, Spot, key, validate
from edgecheck.config.tree import ListNode, Node, child, text_of
from edgecheck.config.yaml_reader import read_file
from edgecheck.core.address import TARGETS, Address, Sharing, is_same_board, kind_of, parse
from edgecheck.core.units import shown
from edgecheck.errors import UsageError

if TYPE_CHECKING:
    from edgecheck.config.schema import Definitions


def _read_address(raw: object) -> Address:
    if not isinstance(raw, str):
        raise TakesTextError("an address, such as ssh://pi@raspberrypi.local")
    if kind_of(raw) is None:
        advice = did_you_mean(raw, TARGETS) or f"; expected an address of {', '.join(TARGETS)}"
        raise ValueError(f"unknown target {shown(raw)}{advice}")
    try:
        return parse(raw)
    except UsageError as error:
        raise ValueError(f"{error.message} {error.hint}") from error


_PATHS = list_or(TEXT, ListOf(TEXT))
_ADDRESS = Value(_read_address, {"type": "string"})


@dataclass(eq=False, repr=False)
class _OneAddress:
    """The address of a device's only board, as the list of one that it is."""

    def read(self, spot: Spot) -> Any:
        """See `Kind.read`."""
        address = _ADDRESS.read(spot)
        return address if address is INVALID else (address,)

    def schema(self, definitions: Definitions) -> dict[str, Any]:
        """See `Kind.schema`."""
        return _ADDRESS.schema(definitions)


@dataclass(eq=False, repr=False)
class _Boards:
    """The addresses of a device's boards, each of another one."""

    def read(self, spot: Spot) -> Any:
        """See `Kind.read`."""
        found = ListOf(_ADDRESS).read(spot)
        if found is INVALID or not isinstance(spot.node, ListNode):
            return INVALID
        if not found:
            return spot.add("is an empty list; expected an address for each board, or one without a list")
        before = len(spot.problems)
        for at, (address, node) in enumerate(zip(found, spot.node.items, strict=True)):
            inner = spot.inside(at, node)
            if any(is_same_board(address, other) for other in found[:at]):
                inner.add(f"{address} is the same board as one before; name each board once")
            if len(found) > 1 and address.kind.sharing is not Sharing.ONE:
                inner.add(f"{address} is {address.kind.title}, which is not a board: give it alone")
        return INVALID if len(spot.problems) > before else tuple(found)

    def schema(self, definitions: Definitions) -> dict[str, Any]:
        """See `Kind.schema`."""
        return {**ListOf(_ADDRESS).schema(definitions), "minItems": 1, "uniqueItems": True}


class ProjectKeys(Section):
    """Where a project keeps its budgets and profiles, and where its devices are."""

    title: ClassVar[str] = "edgecheck project"

    budgets: str | list[str] | None = key(
        OrNothing(_PATHS),
        "Files, folders or patterns (apps/*/budgets), relative to this file; by default budgets.",
        "budgets",
        default=None,
    )
    profiles: str | list[str] = key(
        _PATHS, "Folders of device profiles, relative to this file.", ["device_profiles"], default=[]
    )
    targets: dict[str, tuple[Address, ...]] = key(
        MappingOf(TEXT, list_or(_OneAddress(), _Boards())),
        "The address of each device; a list where it has several boards.",
        {"raspberry-pi-4-2gb": "ssh://pi@raspberrypi.local"},
        default={},
    )


@dataclass(frozen=True, slots=True)
class ProjectFound:
    """The keys of a project's file, or its problems."""

    keys: ProjectKeys | None
    problems: tuple[Problem, ...]
    #: Its content; None where it cannot be read.
    tree: Node | None = None


def read_project(path: Path) -> ProjectFound:
    """What is in `edgecheck.yaml`, or in `[tool.edgecheck]` of `pyproject.toml`."""
    try:
        if path.suffix == ".toml":
            from edgecheck.config.toml_reader import read_table  # few projects have it

            tree = read_table(path)
        else:
            tree = read_file(path)
    except RefusedError as error:
        return ProjectFound(None, (error.problem,))
    problems: list[Problem] = []
    keys = validate(ProjectKeys, tree, problems)
    problems += _not_there(tree, path.parent)
    return ProjectFound(None if problems else keys, tuple(problems), tree)


def _not_there(tree: Node, root: Path) -> Iterator[Problem]:
    """Problems of folders of profiles that do not exist, and of patterns that nothing matches."""
    for name, is_folder in (("profiles", True), ("budgets", False)):
        node = child(tree, name)
        items = node.items if isinstance(node, ListNode) else (node,)
        for position, item in enumerate(items):
            if item is None or not (text := text_of(item)):
                continue
            parts: list[str | int] = [name, position] if isinstance(node, ListNode) else [name]
            found = matching_paths(text, root)
            if not found:
                yield Problem(item.mark.place, path_text(parts), f"{text} matches nothing in this folder")
            elif is_folder and not found[0].is_dir():
                yield Problem(item.mark.place, path_text(parts), f"there is no folder {text}")
