"""Tables and trees sum to the file, however they are grouped."""

from __future__ import annotations

import pytest

from edgecheck.anatomy.tables import By, Node, table, top, tree
from tests.anatomy.real_anatomies import NAMES, anatomy


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("by", By)
def test_tables_sum_to_the_file_size(name: str, by: By) -> None:
    found = anatomy(name)
    rows = table(found, by)
    assert sum(row.stored for row in rows) == found.size
    assert sum(row.stored for row in top(rows, 3)) == found.size
    assert sum(row.params for row in rows) == found.totals.params


def check_sums(node: Node) -> None:
    """A node's own sums are its children's."""
    if node.children:
        assert sum(child.stored for child in node.children) == node.stored
        assert sum(child.params for child in node.children) == node.params
        assert [child.stored for child in node.children] == sorted(
            (child.stored for child in node.children), reverse=True
        )
    for child in node.children:
        check_sums(child)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("depth", [1, 2, None])
def test_trees_sum_at_every_depth(name: str, depth: int | None) -> None:
    found = anatomy(name)
    root = tree(found, depth)
    assert root.stored == found.size
    assert root.params == found.totals.params
    assert root.children
    check_sums(root)
