"""Torch's tensors: views of storages, as pickles describe them, and the tensors to which a storage's bytes belong.

Several views may share the bytes of a storage, and may leave some of them unused. The calls in the pickles are those
of https://github.com/pytorch/pytorch/blob/main/torch/_utils.py, section "_rebuild_tensor".
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from math import prod
from typing import NamedTuple

from edgecheck.anatomy.accounting.limits import checked_shape, cut, quoted
from edgecheck.anatomy.accounting.region import Region
from edgecheck.anatomy.dtypes import dense_size, is_float
from edgecheck.anatomy.encodings.span import Damage
from edgecheck.anatomy.pickles.arrays import read_shape
from edgecheck.anatomy.pickles.objects import Made, Name, Persistent, Value
from edgecheck.anatomy.scopes import layer_of
from edgecheck.anatomy.values import Role, Tensor

#: Types of elements, by the class of the storage.
_STORAGES = {
    "DoubleStorage": "float64", "FloatStorage": "float32", "HalfStorage": "float16", "BFloat16Storage": "bfloat16",
    "LongStorage": "int64", "IntStorage": "int32", "ShortStorage": "int16", "CharStorage": "int8",
    "ByteStorage": "uint8", "BoolStorage": "bool", "QInt8Storage": "int8", "QUInt8Storage": "uint8",
    "QInt32Storage": "int32", "QUInt4x2Storage": "uint4", "QUInt2x4Storage": "uint2",
    "ComplexFloatStorage": "complex64", "ComplexDoubleStorage": "complex128", "UntypedStorage": "uint8",
}  # fmt: skip
_QUANTISED = ("QInt8Storage", "QUInt8Storage", "QInt32Storage", "QUInt4x2Storage", "QUInt2x4Storage")
#: Types of torch whose names differ from those used here.
_TORCH_TYPES = {"double": "float64", "float": "float32", "half": "float16", "long": "int64", "int": "int32"}
#: Functions that make a tensor of storage, offset, size and stride, in this order, and more.
_REBUILDS = (
    "torch._utils._rebuild_tensor",
    "torch._utils._rebuild_tensor_v2",
    "torch._utils._rebuild_tensor_v3",
    "torch._utils._rebuild_qtensor",
)
#: The one of them whose last argument is the type.
_WITH_DTYPE = "torch._utils._rebuild_tensor_v3"
#: Functions whose first argument is a tensor.
_PARAMETERS = ("torch._utils._rebuild_parameter", "torch._utils._rebuild_parameter_with_state")
#: Makes a subclass of tensors: takes a function, a type, the function's arguments, and a state.
_FROM_TYPE = "torch._tensor._rebuild_from_type_v2"
#: How the names of a checkpoint's parts begin that only training needs.
_OPTIMIZER = ("optim", "exp_avg", "momentum_buffer", "lr_sched", "scaler_state", "grad_scaler")


class Storage(NamedTuple):
    """Elements in a row, which tensors are windows onto."""

    key: str
    kind: str
    """The name of its class, which says the type of its elements."""


class View(NamedTuple):
    """A tensor: a window onto a storage."""

    storage: str
    """The storage's key."""
    dtype: str
    shape: tuple[int, ...]
    offset: int
    """Where its first element is in the storage, in elements."""
    reach: int
    """Elements of the storage from its first to its last one: more than it has, if it skips some."""
    quantised: bool

    @property
    def is_expanded(self) -> bool:
        """Whether it repeats elements, by a stride of 0."""
        return prod(self.shape) > self.reach

    @property
    def role(self) -> Role:
        """Floats and quantised integers are learned; other integers count and index."""
        return Role.WEIGHT if is_float(self.dtype) or self.quantised else Role.CONSTANT


def read_view(value: Value) -> View | None:
    """The view that a pickled tensor or parameter is, or `None` for anything else."""
    made = _unwrapped(value)
    if made is None or not made.called(*_REBUILDS):
        return None
    arguments = made.arguments
    if not isinstance(arguments, tuple) or len(arguments) < 4:  # noqa: PLR2004 - storage, offset, size, stride
        return None
    return _view(arguments, arguments[-1] if made.called(_WITH_DTYPE) else None)


def _unwrapped(value: Value) -> Made | None:
    """The call that makes the tensor, inside of calls that make a parameter or a subclass of it."""
    for _ in range(3):
        arguments = value.arguments if isinstance(value, Made) else None
        if not isinstance(value, Made) or not isinstance(arguments, tuple) or not arguments:
            return None
        if value.called(*_PARAMETERS):
            value = arguments[0]
        elif value.called(_FROM_TYPE) and len(arguments) > 2:  # noqa: PLR2004 - function, type, its arguments
            value = Made(arguments[0], arguments[2])
        else:
            return value
    return None


def storage_of(value: Value) -> Storage | None:
    """A storage, from its persistent id, or `None` for anything else.

    The id is a tuple: "storage", class, key, location, number of elements.
    """
    if not isinstance(value, Persistent) or not isinstance(value.key, tuple) or len(value.key) < 5:  # noqa: PLR2004
        return None
    kind, storage, key, _, count = value.key[:5]
    if kind != "storage" or not isinstance(storage, Name) or not isinstance(count, int):
        return None
    if not isinstance(key, (str, int)):
        return None
    return Storage(str(key), storage.name)


def storage_type(name: str) -> str:
    """The type of a storage class's elements; bytes for an unknown class."""
    return _STORAGES.get(name, "uint8")


def role_of(path: tuple[str, ...], view: View) -> Role:
    """What a tensor of a checkpoint is for, by its path."""
    return Role.OPTIMIZER if optimizer_path(path) else view.role


def optimizer_path(path: tuple[str, ...]) -> bool:
    """Whether this part of a checkpoint belongs to the optimiser, by the names that training programs use."""
    return any(part.lower().startswith(_OPTIMIZER) for part in path)


def _view(arguments: tuple[Value, ...], dtype: Value) -> View | None:
    storage, offset = storage_of(arguments[0]), arguments[1]
    shape, strides = _sizes(arguments[2]), _sizes(arguments[3])
    if storage is None or not isinstance(offset, int) or offset < 0 or shape is None or strides is None:
        return None
    name = storage_type(storage.kind)
    checked_shape(shape)
    if isinstance(dtype, Name):
        name = _TORCH_TYPES.get(dtype.name, dtype.name)
    return View(storage.key, name, shape, offset, reach(shape, strides), storage.kind in _QUANTISED)


def reach(shape: tuple[int, ...], strides: tuple[int, ...]) -> int:
    """Elements of the storage from a view's first element to its last one."""
    if 0 in shape:
        return 0
    return 1 + sum((size - 1) * stride for size, stride in zip(shape, strides, strict=False))


def _sizes(value: Value) -> tuple[int, ...] | None:
    """A tuple of sizes, or a `torch.Size` of them; `None` for anything else."""
    if isinstance(value, Made) and value.called("torch.Size") and isinstance(value.arguments, tuple):
        value = value.arguments[0] if value.arguments else ()
    return read_shape(value)


#: Start and stop in a region.
Extent = tuple[int, int]


class Named(NamedTuple):
    """A tensor with its path in the checkpoint."""

    path: tuple[str, ...]
    view: View

    @property
    def name(self) -> str:
        """As torch writes it."""
        return ".".join(self.path)


class _Share(NamedTuple):
    """The part of a storage that a view covers."""

    extent: Extent
    owner: str
    """The view whose bytes it shares; "" when it covers some first."""
    stored: int
    """Bytes that no other view covered before it."""


def tensors_of(named: list[Named], storages: Mapping[str, Extent], region: Region) -> list[Tensor]:
    """The tensors in their order, then the unused parts of the storages; every byte of every storage is claimed.

    Raises:
        Damage: a tensor uses a storage that is missing, or reaches beyond it.
    """
    by_storage: dict[str, list[int]] = defaultdict(list)
    for index, each in enumerate(named):
        by_storage[each.view.storage].append(index)
    shares: dict[int, _Share] = {}
    unused: list[Tensor] = []
    for key, extent in storages.items():
        users = by_storage.get(key, [])
        rest = _divide(named, users, extent, shares, region)
        owner = f"the storage of {named[users[0]].name}" if users else f"storage {key}"
        unused += [_unused(owner, piece, region) for piece in rest]
    missing = next((each for index, each in enumerate(named) if index not in shares), None)
    if missing is not None:
        raise Damage(f"tensor {quoted(missing.name)} uses the storage {cut(missing.view.storage)}, which is missing")
    return [_tensor(each, shares[index], region) for index, each in enumerate(named)] + unused


def _divide(
    named: list[Named], users: list[int], storage: Extent, shares: dict[int, _Share], region: Region
) -> list[Extent]:
    """Assign each byte of a storage to the first view that covers it; returns the extents that none covers."""
    extents = {index: _extent(named[index], storage) for index in users}
    cursor, owner, rest = storage[0], "", []
    for index in sorted(users, key=lambda index: (extents[index][0], -extents[index][1], index)):
        start, stop = extents[index]
        if stop <= cursor and owner and stop > start:
            shares[index] = _Share((start, stop), owner, 0)
            continue
        if start > cursor:
            rest.append((cursor, start))
        begin = max(start, cursor)
        stored = region.claim_tensor(begin, stop - begin)[0] if stop > begin else 0
        shares[index] = _Share((start, stop), "", stored)
        if stop > cursor:
            cursor, owner = stop, named[index].name
    if cursor < storage[1]:
        rest.append((cursor, storage[1]))
    return rest


def _extent(named: Named, storage: Extent) -> Extent:
    view = named.view
    start = storage[0] + dense_size(view.dtype, view.offset)
    stop = start + dense_size(view.dtype, view.reach)
    if stop > storage[1]:
        raise Damage(
            f"tensor {quoted(named.name)} reaches {stop - storage[1]:,} bytes beyond its storage {cut(view.storage)}"
        )
    return start, stop


def _tensor(named: Named, share: _Share, region: Region) -> Tensor:
    start, stop = share.extent
    view = named.view
    return Tensor(
        name=named.name,
        layer=layer_of(named.name),
        operator="",
        dtype=view.dtype,
        shape=view.shape,
        role=Role.CONSTANT if view.is_expanded else role_of(named.path, view),
        stored=share.stored,
        memory=stop - start,
        places=(region.place(start, stop - start),) if stop > start else (),
        shares=share.owner,
        encoding="expanded" if view.is_expanded else "",
    )


def _unused(owner: str, piece: Extent, region: Region) -> Tensor:
    size = piece[1] - piece[0]
    stored, places = region.claim_tensor(piece[0], size)
    return Tensor(
        name=f"rest of {owner}",
        layer="",
        operator="",
        dtype="bytes",
        shape=(size,),
        role=Role.UNUSED,
        stored=stored,
        memory=size,
        places=places,
    )
