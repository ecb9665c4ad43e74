"""The content of a budget file, laid over the file that it extends."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from edgecheck.config.files import shown_path
from edgecheck.config.problems import Problem, RefusedError
from edgecheck.config.tree import MappingNode, Node, Scalar, child, overlay, text_of
from edgecheck.config.yaml_reader import read_file

#: About one file alone.
_NOT_INHERITED = ("extends", "shared")


@dataclass(frozen=True, slots=True)
class BudgetTree:
    """What holds in a budget; each value has its place in the file that it comes from."""

    node: Node
    #: The folder that the paths in a file are relative to, by the file as its places name it.
    folders: Mapping[str, Path]

    @property
    def is_shared(self) -> bool:
        """Whether the file is only for others to extend."""
        shared = child(self.node, "shared")
        return isinstance(shared, Scalar) and shared.value is True

    def folder_of(self, node: Node) -> Path:
        """The folder that a path written in `node` is relative to."""
        return self.folders[node.mark.place.file]


def budget_tree(path: Path, node: Node | None = None) -> BudgetTree:
    """The budget in `path` with everything that it inherits.

    Args:
        path: The file.
        node: Its own content, if it has been read.

    Raises:
        RefusedError: one of the files cannot be read, or a file extends itself.
    """
    return _laid_over(path, node or read_file(path), ())


def _laid_over(path: Path, node: Node, below: tuple[Path, ...]) -> BudgetTree:
    own = BudgetTree(node, {shown_path(path): path.parent})
    parent = child(node, "extends")
    written = text_of(parent)
    if parent is None or not written:
        return own
    chain = (*below, path)
    above = Path(os.path.normpath(path.parent / written))
    if any(os.path.realpath(above) == os.path.realpath(one) for one in chain):
        circle = " extends ".join(map(shown_path, (*chain, above)))
        raise RefusedError(Problem(parent.mark.place, "extends", f"extends itself: {circle}"))
    if not above.is_file():
        message = f"{shown_path(above)} does not exist (paths are relative to the budget's folder)"
        raise RefusedError(Problem(parent.mark.place, "extends", message))
    inherited = _laid_over(above, read_file(above), chain)
    return BudgetTree(overlay(_heritable(inherited.node), node), {**inherited.folders, **own.folders})


def _heritable(node: Node) -> Node:
    if not isinstance(node, MappingNode):
        return node
    return replace(node, entries={key: entry for key, entry in node.entries.items() if key not in _NOT_INHERITED})
