"""Reads pickles and joblib files without executing them: arrays, trees, coefficients and vocabularies.

See `machine` for pickles, and `arrays` for what joblib writes between their opcodes.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from edgecheck.anatomy.accounting.files import Files
from edgecheck.anatomy.accounting.ledger import Label
from edgecheck.anatomy.accounting.region import Owners, Region
from edgecheck.anatomy.encodings.streams import compression
from edgecheck.anatomy.pickles.arrays import Array, read_array, read_wrapped, vocabulary
from edgecheck.anatomy.pickles.machine import Machine
from edgecheck.anatomy.pickles.objects import Blob, Leaf, Made, Mapping, Value, leaves
from edgecheck.anatomy.scopes import layer_of
from edgecheck.anatomy.values import Inside, Kind, Role, Tensor

_OBJECTS = Label(Kind.STRUCTURE, "pickled objects")
_PADDING = Label(Kind.PADDING, "alignment")
#: Byte strings of this size and more are taken for a model that another library wrote into the pickle.
_SMALLEST_OPAQUE = 1024
#: What scikit-learn keeps of early stopping: the best weights so far, which `coefs_` has as well.
_TRAINING = frozenset({"_best_coefs", "_best_intercepts"})
#: Libraries whose pickles hold their model as opaque bytes: what to save to see inside.
_OWN_FORMATS = {
    "xgboost": "XGBoost: save_model('model.ubj')",
    "lightgbm": "LightGBM: booster_.save_model('model.txt')",
    "catboost": "CatBoost: save_model('model.cbm')",
}


class _Reading:
    """One pickle, and the arrays that joblib writes between its opcodes."""

    def __init__(self, region: Region) -> None:
        self.holes: list[tuple[int, int]] = []
        """The arrays and their padding, starts and sizes; the rest is the pickle itself."""
        self._region = region
        self._owners = Owners()

    def on_build(self, made: Made, at: int) -> int:
        """Where the pickle continues after the array that follows a `NumpyArrayWrapper`."""
        found = read_wrapped(self._region.span, made, at)
        if found is None:
            return at
        if found.nested:
            nested = Machine(self._region.span, at)
            made.items.append(nested.run())
            return nested.at
        if found.padding:
            self._region.claim(at, found.padding, _PADDING)
            self.holes.append((at, found.padding))
            at += found.padding
        made.found = Array(found.dtype, found.shape, at, found.size, "big-endian" if found.dtype.swapped else "")
        return at + found.size

    def tensor(self, leaf: Leaf[Array | Mapping | Blob]) -> Tensor:
        """A leaf as a tensor; its bytes are claimed unless another tensor has them."""
        name = ".".join(leaf.path)
        dtype, shape, role, memory, encoding, extents = _described(leaf.found)
        if role is Role.WEIGHT and _is_training_state(leaf.path):
            role = Role.OPTIMIZER
        held = self._owners.hold(name, self._region, *extents)
        if not held.shares:
            self.holes += extents
        return Tensor(
            name=name,
            layer=layer_of(name),
            operator="",
            dtype=dtype,
            shape=shape,
            role=role,
            stored=held.stored,
            memory=memory,
            places=held.places,
            shares=held.shares,
            encoding=encoding,
        )


def _is_training_state(path: tuple[str, ...]) -> bool:
    """Whether an array belongs to the training of scikit-learn's MLPs: an optimiser's moments, or earlier weights.

    `_optimizer.params` are the weights themselves.
    """
    if not _TRAINING.isdisjoint(path):
        return True
    return "_optimizer" in path and "params" not in path


def _recognise(value: Value) -> Array | Mapping | Blob | None:
    """What counts as a tensor: an array, a large byte string, or a vocabulary."""
    if isinstance(value, Made):
        return value.found if isinstance(value.found, Array) else read_array(value)
    if isinstance(value, Blob):
        return value if value.size >= _SMALLEST_OPAQUE else None
    return vocabulary(value)


class _Description(NamedTuple):
    """What the tensor of a leaf is like; the fields are those of `Tensor`."""

    dtype: str
    shape: tuple[int, ...]
    role: Role
    memory: int
    encoding: str
    extents: list[tuple[int, int]]
    """Starts and sizes of its bytes."""


def _described(found: Array | Mapping | Blob) -> _Description:
    if isinstance(found, Array):
        role = found.role
        return _Description(found.dtype.name, found.shape, role, found.memory, found.encoding, [(found.at, found.size)])
    if isinstance(found, Blob):
        return _Description("bytes", (found.size,), Role.CONSTANT, found.size, "opaque", [(found.at, found.size)])
    extents = [(start, stop - start) for start, stop in found.spans]
    size = sum(length for _, length in extents)
    return _Description("string", (len(found.pairs),), Role.VOCABULARY, size, "pickle", extents)


def read_pickled(files: Files) -> Inside:
    """The tensors of a pickle, compressed or not; a `reading.Reader`."""
    region = files.main()
    how = compression(region.span.raw(0, min(8, region.span.size)))
    if how is None:
        return _read(region)
    with region.unpacked(0, region.span.size, how) as content:
        return _read(content)


def _read(region: Region) -> Inside:
    reading = _Reading(region)
    machine = Machine(region.span, 0, reading.on_build)
    found: Iterator[Leaf[Array | Mapping | Blob]] = leaves(machine.run(), _recognise, region.span.work)
    tensors = tuple(reading.tensor(leaf) for leaf in found)
    region.claim_around(0, machine.at, reading.holes, _OBJECTS)
    libraries = {name.module.partition(".")[0] for name in machine.names}
    return Inside(tensors, notes=(*_notes(tensors), *_own_formats(libraries)))


def _own_formats(libraries: set[str]) -> Iterator[str]:
    for library, how in _OWN_FORMATS.items():
        if library in libraries:
            yield f"Its trees are bytes of the library's own. To see them, give the file that it writes itself: {how}."


def _notes(tensors: tuple[Tensor, ...]) -> tuple[str, ...]:
    if not tensors:
        return ("The pickle holds no arrays: its objects are plain Python objects, whose numbers are not counted.",)
    return tuple(
        f"{tensor.name} is {tensor.stored:,} bytes in an unknown format; its weights are not counted."
        for tensor in tensors
        if tensor.encoding == "opaque"
    )
