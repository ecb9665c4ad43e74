"""What grew between two models: layers matched by name, then by content, then by shape; the sums are exact.

Other groupings (by operator, type, tensor) are matched by name alone.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from difflib import SequenceMatcher
from enum import Enum

from edgecheck.anatomy.contents import Contents
from edgecheck.anatomy.tables import By, Row, table
from edgecheck.anatomy.values import Anatomy, Kind, Tensor

#: Up to this many unmatched layers, their order is compared, which takes quadratic time.
_MOST_ALIGNED = 1000


class Status(str, Enum):
    """How a layer differs between the models."""

    SAME = "same"
    CHANGED = "changed"
    """Same size, but another type or shape."""
    GREW = "grew"
    SHRANK = "shrank"
    APPEARED = "appeared"
    VANISHED = "vanished"


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """A layer, or a group of bytes outside the layers, in both models."""

    name: str
    was: str = ""
    """Its name in the old model if it was renamed."""
    status: Status
    kind: Kind
    old: int
    """Bytes in the old model's files."""
    new: int
    """Bytes in the new model's files."""
    detail: str = ""
    """What changed about the type and the shape of its largest tensor: `float32 → int8`."""

    @property
    def delta(self) -> int:
        """Growth in bytes."""
        return self.new - self.old


@dataclass(frozen=True, slots=True)
class Comparison:
    """The changes, the largest first; their deltas sum to the difference of the models' sizes."""

    old: int
    new: int
    changes: tuple[Change, ...]

    @property
    def delta(self) -> int:
        """Growth of the model in bytes."""
        return self.new - self.old


@dataclass(frozen=True, slots=True)
class _Layer:
    name: str
    tensors: tuple[Tensor, ...]

    @property
    def shapes(self) -> tuple[tuple[str, tuple[int, ...]], ...]:
        """Types and shapes of its tensors, by which a renamed layer is recognised."""
        return tuple(sorted((tensor.dtype, tensor.shape) for tensor in self.tensors))


def compare(new: Anatomy, old: Anatomy) -> Comparison:
    """How each layer of `old` changed in `new`.

    When unmatched layers have equal shapes, the files are read again to compare their contents.

    Raises:
        ModelError: a file is no longer there.
    """
    layers = _layers(new), _layers(old)
    pairs = _match(new, old, *layers)
    changes = [_change(layers[0][name], layers[1][was]) for name, was in pairs.items()]
    matched = set(pairs.values())
    changes += [_one_sided(layer, appeared=True) for name, layer in layers[0].items() if name not in pairs]
    changes += [_one_sided(layer, appeared=False) for name, layer in layers[1].items() if name not in matched]
    changes += _others(new, old)
    ordered = sorted(changes, key=lambda change: (-abs(change.delta), -change.new, change.name))
    return Comparison(old=old.size, new=new.size, changes=tuple(ordered))


def _layers(anatomy: Anatomy) -> dict[str, _Layer]:
    groups: dict[str, list[Tensor]] = defaultdict(list)
    for tensor in anatomy.tensors:
        groups[tensor.layer or tensor.name].append(tensor)
    return {name: _Layer(name, tuple(tensors)) for name, tensors in groups.items()}


def _match(new: Anatomy, old: Anatomy, new_layers: dict[str, _Layer], old_layers: dict[str, _Layer]) -> dict[str, str]:
    """The old names of the matched layers, by their new names."""
    pairs = {name: name for name in new_layers if name in old_layers}
    _by_inner_name(pairs, new_layers, old_layers)
    _by_content(pairs, (new, new_layers), (old, old_layers))
    _by_order(pairs, new_layers, old_layers)
    return pairs


def _left(pairs: dict[str, str], new: dict[str, _Layer], old: dict[str, _Layer]) -> tuple[list[_Layer], list[_Layer]]:
    """The layers of both models that are not matched yet."""
    taken = set(pairs.values())
    return (
        [layer for name, layer in new.items() if name not in pairs],
        [layer for name, layer in old.items() if name not in taken],
    )


def _by_inner_name(pairs: dict[str, str], new: dict[str, _Layer], old: dict[str, _Layer]) -> None:
    """Match layers whose names without the first part are equal, and unique in their models."""
    new_left, old_left = _left(pairs, new, old)
    new_names, old_names = _unique_inner_names(new_left), _unique_inner_names(old_left)
    pairs.update({layer.name: old_names[name].name for name, layer in new_names.items() if name in old_names})


def _unique_inner_names(layers: Iterable[_Layer]) -> dict[str, _Layer]:
    groups: dict[str, list[_Layer]] = defaultdict(list)
    for layer in layers:
        groups[layer.name.partition("/")[2]].append(layer)
    return {name: group[0] for name, group in groups.items() if name and len(group) == 1}


def _by_content(
    pairs: dict[str, str], new: tuple[Anatomy, dict[str, _Layer]], old: tuple[Anatomy, dict[str, _Layer]]
) -> None:
    """Match layers whose bytes are equal, reading only those whose shapes both models have."""
    new_left, old_left = _left(pairs, new[1], old[1])
    common = {layer.shapes for layer in new_left} & {layer.shapes for layer in old_left}
    if not common:
        return
    with Contents(new[0]) as new_contents, Contents(old[0]) as old_contents:
        waiting: dict[object, list[_Layer]] = defaultdict(list)
        for layer in old_left:
            if layer.shapes in common:
                waiting[_content(layer, old_contents)].append(layer)
        for layer in new_left:
            alike = waiting.get(_content(layer, new_contents)) if layer.shapes in common else None
            if alike:
                pairs[layer.name] = alike.pop(0).name


def _content(layer: _Layer, contents: Contents) -> tuple[object, ...]:
    tensors = sorted(layer.tensors, key=lambda tensor: (tensor.dtype, tensor.shape, tensor.name))
    return (layer.shapes, *(contents.digest(tensor) for tensor in tensors))


def _by_order(pairs: dict[str, str], new: dict[str, _Layer], old: dict[str, _Layer]) -> None:
    """Match layers of equal shapes in the same order: renamed and trained again."""
    new_left, old_left = _left(pairs, new, old)
    if max(len(new_left), len(old_left)) > _MOST_ALIGNED:
        return
    matcher = SequenceMatcher(
        None, [layer.shapes for layer in old_left], [layer.shapes for layer in new_left], autojunk=False
    )
    for block in matcher.get_matching_blocks():
        for offset in range(block.size):
            pairs[new_left[block.b + offset].name] = old_left[block.a + offset].name


def _change(new: _Layer, old: _Layer) -> Change:
    old_size, new_size = (sum(tensor.stored for tensor in layer.tensors) for layer in (old, new))
    detail = _detail(new, old)
    if new_size != old_size:
        status = Status.GREW if new_size > old_size else Status.SHRANK
    else:
        status = Status.CHANGED if detail else Status.SAME
    was = old.name if old.name != new.name else ""
    return Change(name=new.name, was=was, status=status, kind=Kind.TENSORS, old=old_size, new=new_size, detail=detail)


def _detail(new: _Layer, old: _Layer) -> str:
    first, second = (max(layer.tensors, key=lambda tensor: tensor.memory) for layer in (old, new))
    parts = []
    if first.dtype != second.dtype:
        parts.append(f"{first.dtype} → {second.dtype}")
    if first.shape != second.shape:
        parts.append(f"{_times(first.shape)} → {_times(second.shape)}")
    return ", ".join(parts)


def _times(shape: tuple[int, ...]) -> str:
    return "x".join(map(str, shape)) or "scalar"


def _one_sided(layer: _Layer, *, appeared: bool) -> Change:
    size = sum(tensor.stored for tensor in layer.tensors)
    status = Status.APPEARED if appeared else Status.VANISHED
    old, new = (0, size) if appeared else (size, 0)
    return Change(name=layer.name, status=status, kind=Kind.TENSORS, old=old, new=new)


def _others(new: Anatomy, old: Anatomy) -> list[Change]:
    """The changes of structure, metadata and padding, by what they are for."""
    new_rows, old_rows = (_rows_by_name(anatomy) for anatomy in (new, old))
    changes = []
    for key in new_rows.keys() | old_rows.keys():
        before, after = (rows[key].stored if key in rows else 0 for rows in (old_rows, new_rows))
        changes.append(Change(name=key[1], status=_status(before, after), kind=key[0], old=before, new=after))
    return changes


def _rows_by_name(anatomy: Anatomy) -> dict[tuple[Kind, str], Row]:
    return {(row.kind, row.name): row for row in table(anatomy, By.ROLE) if row.kind is not Kind.TENSORS}


def _status(old: int, new: int) -> Status:
    if old == new:
        return Status.SAME
    if not old or not new:
        return Status.VANISHED if old else Status.APPEARED
    return Status.GREW if new > old else Status.SHRANK


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
        status = _status_of_sizes(was is not None, row is not None, sizes)
        changes.append(Change(name=name, status=status, kind=kind, old=sizes[0], new=sizes[1]))
    changes.sort(key=lambda change: (-abs(change.delta), -change.new, change.name))
    return Comparison(old=old.size, new=new.size, changes=tuple(changes))


def _status_of_sizes(was: bool, is_there: bool, sizes: tuple[int, int]) -> Status:  # noqa: FBT001 - the two sides of one question
    if not was or not is_there:
        return Status.VANISHED if was else Status.APPEARED
    if sizes[0] == sizes[1]:
        return Status.SAME
    return Status.GREW if sizes[1] > sizes[0] else Status.SHRANK
