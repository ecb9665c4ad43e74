"""What a model takes and gives, and in which numbers it computes: `.onnx` and `.tflite`."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from importlib import import_module
from typing import TYPE_CHECKING, cast

from edgecheck.anatomy.accounting.files import Files
from edgecheck.anatomy.encodings.span import explained
from edgecheck.anatomy.formats import ModelFormat, identify
from edgecheck.errors import ModelError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path


class Arithmetic(str, Enum):
    """In which numbers most of the model's multiplications are done."""

    FLOAT = "float"
    INT8 = "int8"


class Variant(str, Enum):
    """How most of the weights are stored, and what they are multiplied with."""

    FLOAT32 = "float32"
    FLOAT16 = "float16"
    INT8_WEIGHTS = "int8-weights"
    """Integers that are turned to floats before they are used."""
    INT8_DYNAMIC = "int8-dynamic"
    """Integers, multiplied with activations that are quantised on the way."""
    INT8 = "int8"
    """Integers throughout."""

    @property
    def arithmetic(self) -> Arithmetic:
        """The class of projection constants that fits."""
        integer = self in (Variant.INT8, Variant.INT8_DYNAMIC)
        return Arithmetic.INT8 if integer else Arithmetic.FLOAT


@dataclass(frozen=True, slots=True)
class Port:
    """An input or output."""

    name: str
    dtype: str
    shape: tuple[int | None, ...]
    """`None` for a dimension that the model leaves open."""


@dataclass(frozen=True, slots=True)
class Signature:
    """How a model is called."""

    inputs: tuple[Port, ...]
    outputs: tuple[Port, ...]
    operators: Mapping[str, int]
    """How often each is used, subgraphs included."""
    variant: Variant
    stateful: bool
    """Whether it keeps variables from one call to the next."""

    @property
    def arithmetic(self) -> Arithmetic:
        """In which numbers most of its multiplications are done."""
        return self.variant.arithmetic

    @property
    def open_inputs(self) -> tuple[Port, ...]:
        """Inputs with an open dimension: those for which a budget has to give a shape."""
        return tuple(port for port in self.inputs if None in port.shape)


_READERS = {
    ModelFormat.TFLITE: "tflite.signature:read_signature",
    ModelFormat.ONNX: "onnx.signature:read_signature",
}


def signature(path: Path) -> Signature:
    """Inputs, outputs and operators of the model at `path`.

    Raises:
        ModelError: it is damaged, or of a format that does not say what it takes.
    """
    found = identify(path)
    if found not in _READERS:
        raise ModelError(
            f"{path} is {found.value}, whose inputs edgecheck does not read.",
            "Convert it to .tflite or .onnx, which is what runs on a device.",
        )
    module, _, name = _READERS[found].partition(":")
    reader = cast("Callable[[Files], Signature]", getattr(import_module(f"edgecheck.anatomy.{module}"), name))
    with explained(path), Files(path) as files:
        return reader(files)


def variant_of(weights: Mapping[Variant, int]) -> Variant:
    """The variant of most of the multiplied weights; float32 for a model without any."""
    return max(weights, key=lambda variant: weights[variant], default=Variant.FLOAT32)
