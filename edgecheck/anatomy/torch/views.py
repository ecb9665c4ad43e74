"""Torch's tensors as pickles describe them: views of storages, which lie elsewhere."""

from __future__ import annotations

from math import prod
from typing import NamedTuple

from edgecheck.anatomy.dtypes import is_float
from edgecheck.anatomy.pickles.arrays import read_shape
from edgecheck.anatomy.pickles.objects import Made, Name, Persistent, Value
from edgecheck.anatomy.values import Role

_STORAGES = {
    "DoubleStorage": "float64", "FloatStorage": "float32", "HalfStorage": "float16", "BFloat16Storage": "bfloat16",
    "LongStorage": "int64", "IntStorage": "int32", "ShortStorage": "int16", "CharStorage": "int8",
    "ByteStorage": "uint8", "BoolStorage": "bool", "QInt8Storage": "int8", "QUInt8Storage": "uint8",
    "QInt32Storage": "int32", "QUInt4x2Storage": "uint4", "QUInt2x4Storage": "uint2",
    "ComplexFloatStorage": "complex64", "ComplexDoubleStorage": "complex128", "UntypedStorage": "uint8",
}  # fmt: skip
_QUANTISED = ("QInt8Storage", "QUInt8Storage", "QInt32Storage", "QUInt4x2Storage", "QUInt2x4Storage")
_TORCH_TYPES = {"double": "float64", "float": "float32", "half": "float16", "long": "int64", "int": "int32"}
_REBUILDS = (
    "torch._utils._rebuild_tensor",
    "torch._utils._rebuild_tensor_v2",
    "torch._utils._rebuild_tensor_v3",
    "torch._utils._rebuild_qtensor",
)
_WITH_DTYPE = "torch._utils._rebuild_tensor_v3"
_PARAMETERS = ("torch._utils._rebuild_parameter", "torch._utils._rebuild_parameter_with_state")
_FROM_TYPE = "torch._tensor._rebuild_from_type_v2"
_OPTIMIZER = ("optim", "exp_avg", "momentum_buffer", "lr_sched", "scaler_state", "grad_scaler")
"""How the parts of a checkpoint are called that only training needs."""


class View(NamedTuple):
    """A tensor: a window onto a storage."""

    storage: str
    """The storage's key."""
    dtype: str
    shape: tuple[int, ...]
    offset: int
    """Of its first element, in elements."""
    reach: int
    """Elements from its first to behind its last one: more than it has, where it skips some."""
    quantised: bool

    @property
    def is_expanded(self) -> bool:
        """Whether it repeats its numbers: a stride of 0, which claims more of them than there are."""
        return prod(self.shape) > self.reach

    @property
    def role(self) -> Role:
        """Floats and quantised integers are learned; other integers count and index."""
        return Role.WEIGHT if is_float(self.dtype) or self.quantised else Role.CONSTANT


def read_view(value: Value) -> View | None:
    """A pickled tensor or parameter, or `None`."""
    made = _unwrapped(value)
    if made is None or not made.called(*_REBUILDS):
        return None
    arguments = made.arguments
    if not isinstance(arguments, tuple) or len(arguments) < 4:  # noqa: PLR2004 - storage, offset, size, stride
        return None
    return _view(arguments, arguments[-1] if made.called(_WITH_DTYPE) else None)


def _unwrapped(value: Value) -> Made | None:
    """The call that makes the tensor, inside those that make it a parameter or a subclass's."""
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


def storage_of(value: Value) -> tuple[str, str, int] | None:
    """Key, class and number of elements of a persistent storage, or `None`."""
    if not isinstance(value, Persistent) or not isinstance(value.key, tuple) or len(value.key) < 5:  # noqa: PLR2004
        return None
    kind, storage, key, _, count = value.key[:5]
    if kind != "storage" or not isinstance(storage, Name) or not isinstance(count, int):
        return None
    return str(key), storage.name, count


def storage_type(name: str) -> str:
    """The type of a storage class's elements; bytes for an unknown class."""
    return _STORAGES.get(name, "uint8")


def role_of(path: tuple[str, ...], view: View) -> Role:
    """What a tensor of a checkpoint is for, by where in the checkpoint it is."""
    return Role.OPTIMIZER if optimizer_path(path) else view.role


def optimizer_path(path: tuple[str, ...]) -> bool:
    """Whether this part of a checkpoint is the optimiser's, by the names that training programs give it."""
    return any(part.lower().startswith(_OPTIMIZER) for part in path)


def _view(arguments: tuple[Value, ...], dtype: Value) -> View | None:
    storage, offset = storage_of(arguments[0]), arguments[1]
    shape, strides = _sizes(arguments[2]), _sizes(arguments[3])
    if storage is None or not isinstance(offset, int) or offset < 0 or shape is None or strides is None:
        return None
    name = storage_type(storage[1])
    if isinstance(dtype, Name):
        name = _TORCH_TYPES.get(dtype.name, dtype.name)
    return View(storage[0], name, shape, offset, reach(shape, strides), storage[1] in _QUANTISED)


def reach(shape: tuple[int, ...], strides: tuple[int, ...]) -> int:
    """Elements from the first of a view to behind its last one."""
    if 0 in shape:
        return 0
    return 1 + sum((size - 1) * stride for size, stride in zip(shape, strides, strict=False))


def _sizes(value: Value) -> tuple[int, ...] | None:
    """A tuple of sizes, also as `torch.Size`."""
    if isinstance(value, Made) and value.called("torch.Size") and isinstance(value.arguments, tuple):
        value = value.arguments[0] if value.arguments else ()
    return read_shape(value)
