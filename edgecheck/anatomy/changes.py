"""Changes from an older model by any grouping: layers as `compare` matches them, everything else by name."""

from __future__ import annotations

from edgecheck.anatomy.comparing import Change, Comparison, Status, compare
from edgecheck.anatomy.tables import By, table
from edgecheck.anatomy.values import Anatomy


def changes_by(by: By, depth: int, new: Anatomy, old: Anatomy) -> Comparison:
    """The changes; their deltas sum to the difference of the sizes.

    Args:
        by: The grouping.
        depth: For `By.PREFIX`, as `table` takes it.
        new: The model.
        old: What it is compared with.

    Raises:
        ModelError: a file has disappeared.
    """
    if by is By.LAYER:
        return compare(new, old)
    after, before = ({(row.kind, row.name): row for row in table(each, by, depth)} for each in (new, old))
    changes = []
    for kind, name in after.keys() | before.keys():
        row, was = after.get((kind, name)), before.get((kind, name))
        sizes = was.stored if was else 0, row.stored if row else 0
        status = _status(was is not None, row is not None, sizes)
        changes.append(Change(name=name, status=status, kind=kind, old=sizes[0], new=sizes[1]))
    changes.sort(key=lambda change: (-abs(change.delta), -change.new, change.name))
    return Comparison(old=old.size, new=new.size, changes=tuple(changes))


def _status(was: bool, is_there: bool, sizes: tuple[int, int]) -> Status:  # noqa: FBT001 - the two sides of one question
    if not was or not is_there:
        return Status.VANISHED if was else Status.APPEARED
    if sizes[0] == sizes[1]:
        return Status.SAME
    return Status.GREW if sizes[1] > sizes[0] else Status.SHRANK
