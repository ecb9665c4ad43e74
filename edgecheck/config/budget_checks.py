"""Checks a budget against the world: the files and devices that it names. They do not wait for its schema to hold."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

from edgecheck.config.problems import Place, Problem, path_text
from edgecheck.config.text_file import shown_path
from edgecheck.config.tree import ListNode, MappingNode, child, text_of, to_python
from edgecheck.core.device import THIS_MACHINE

if TYPE_CHECKING:
    from collections.abc import Iterator

    from edgecheck.config.profiles import Profiles
    from edgecheck.config.tree import Node
    from edgecheck.core.device import DeviceProfile

_FILES = (("model",), ("model", "weights"), ("samples",))


class BudgetChecks:
    """What a budget names, as far as it is there, and the problems where it is not."""

    def __init__(self, tree: Node, folder: Path, profiles: Profiles) -> None:
        self.tree = tree
        self.files: dict[str, Path] = {}
        """Paths from the working directory, by the key that names them."""
        self.absent: list[Problem] = []
        self.problems = [*_repeats(tree, "variants"), *_repeats(tree, "devices"), *_trusted_twice(tree)]
        for parts in _FILES:
            self._find(parts, folder)
        self.devices = tuple(self._devices(profiles))

    def _find(self, parts: tuple[str, ...], folder: Path) -> None:
        node = _exactly(self.tree, *parts)
        if node is None or not (text := text_of(node)):
            return
        path = _from_here(folder / text)
        self.files[path_text(parts)] = path
        if not path.exists():
            message = f"there is no file {shown_path(path)} (paths start at the budget's folder)"
            self.absent.append(Problem(node.mark.place, path_text(parts), message))

    def _devices(self, profiles: Profiles) -> Iterator[DeviceProfile]:
        for name, (place, path) in _named_devices(self.tree).items():
            if trouble := profiles.trouble(name):
                self.problems.append(Problem(place, path, trouble))
            elif name == THIS_MACHINE:
                yield profiles.get(name)
            else:
                found = profiles.find(name)
                self.problems += found.problems
                if found.profile is not None:
                    yield found.profile


def _exactly(tree: Node, *parts: str) -> Node | None:
    node: Node | None = tree
    for part in parts:
        node = None if node is None else child(node, part)
    return node


def _from_here(written: Path) -> Path:
    """The shortest spelling, but not where `..` comes after a symbolic link and means another folder."""
    short = Path(os.path.normpath(written))
    return short if os.path.realpath(short) == os.path.realpath(written) else written


def _named_devices(tree: Node) -> dict[str, tuple[Place, str]]:
    """Each device's name with its place and path; a name that is no text is left to the schema."""
    devices = _exactly(tree, "devices")
    if isinstance(devices, MappingNode):
        return {name: (entry.key.place, path_text(["devices", name])) for name, entry in devices.entries.items()}
    named: dict[str, tuple[Place, str]] = {}
    for position, item in enumerate(devices.items if isinstance(devices, ListNode) else ()):
        if name := text_of(item):
            named.setdefault(name, (item.mark.place, path_text(["devices", position])))
    return named


def _repeats(tree: Node, key: str) -> Iterator[Problem]:
    """Problems of a list or mapping that is empty or has an item twice."""
    node = _exactly(tree, key)
    if isinstance(node, (ListNode, MappingNode)) and not to_python(node):
        yield Problem(node.mark.place, key, "is empty; takes one or more")
    seen: list[object] = []
    for position, item in enumerate(node.items if isinstance(node, ListNode) else ()):
        value = to_python(item)
        if value in seen:
            yield Problem(item.mark.place, path_text([key, position]), "is in the list twice")
        seen.append(value)


def _trusted_twice(tree: Node) -> Iterator[Problem]:
    inner, outer = _exactly(tree, "model", "trusted"), _exactly(tree, "trusted")
    if inner is not None and outer is not None:
        yield Problem(outer.mark.place, "trusted", "is given twice; takes it here or under model")
