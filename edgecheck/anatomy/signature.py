"""The inputs and outputs of a `.onnx` or `.tflite` model, and the types in which it computes."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import Enum
from importlib import import_module
from pathlib import Path
from typing import cast

from edgecheck.anatomy.accounting.files import Files
from edgecheck.anatomy.encodings.span import explained
from edgecheck.anatomy.formats import ModelFormat, identify
from edgecheck.core.text import clean
from edgecheck.errors import ModelError


class Arithmetic(str, Enum):
    """The type of most of the model's multiplications."""

    FLOAT = "float"
    INT8 = "int8"


class Variant(str, Enum):
    """How most of the weights are stored, and what they are multiplied by."""

    FLOAT32 = "float32"
    FLOAT16 = "float16"
    INT8_WEIGHTS = "int8-weights"
    """Integers that are converted to floats before they are used."""
    INT8_DYNAMIC = "int8-dynamic"
    """Integers, multiplied by activations that are quantised at run time."""
    INT8 = "int8"
    """Integers throughout."""

    @property
    def arithmetic(self) -> Arithmetic:
        """The type of its multiplications, by which projections choose their constants."""
        integer = self in (Variant.INT8, Variant.INT8_DYNAMIC)
        return Arithmetic.INT8 if integer else Arithmetic.FLOAT


@dataclass(frozen=True, slots=True)
class Port:
    """An input or output."""

    name: str
    dtype: str
    shape: tuple[int | None, ...]
    """`None` for a dimension that the model leaves open."""
    symbols: tuple[str, ...] = ()
    """By dimension, the name that the model gives an open one; empty where it has none, or the format has no names."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Signature:
    """How a model is called."""

    inputs: tuple[Port, ...]
    outputs: tuple[Port, ...]
    operators: Mapping[str, int]
    """How often each is used, subgraphs included."""
    variant: Variant
    stateful: bool
    """Whether it keeps variables from one call to the next."""
    names: tuple[str, ...] = ()
    """The names of the ways to call it, where the format has any; the first is the one that these ports are of."""

    @property
    def arithmetic(self) -> Arithmetic:
        """The type of most of its multiplications."""
        return self.variant.arithmetic

    @property
    def open_inputs(self) -> tuple[Port, ...]:
        """Inputs with an open dimension, for which a budget needs a shape."""
        return tuple(port for port in self.inputs if None in port.shape)


_READERS = {
    ModelFormat.TFLITE: "tflite.signature:read_signature",
    ModelFormat.ONNX: "onnx.signature:read_signature",
}


def signature(path: Path, name: str = "") -> Signature:
    """The signature of the model at `path`: of a `.tflite` that has several, the one called `name`, or the first.

    Raises:
        ModelError: it is damaged, of another format, or has no signature of that name.
    """
    kind = identify(path)
    if kind not in _READERS:
        raise ModelError(
            f"{path} is {kind.value}, whose inputs edgecheck does not read.",
            "Convert it to .tflite or .onnx, which is what runs on a device.",
        )
    module, _, function = _READERS[kind].partition(":")
    reader = cast("Callable[[Files, str], Signature]", getattr(import_module(f"edgecheck.anatomy.{module}"), function))
    with explained(path), Files(path) as files:
        found = reader(files, name)
    if name and name not in found.names:
        names = ", ".join(map(clean, found.names)) or "none"
        raise ModelError(f"{path.name} has no signature '{clean(name)}'; it has: {names}.", "Choose one of them.")
    return found


def variant_of(weights: Mapping[Variant, int]) -> Variant:
    """The variant with most of the weights that are multiplied; float32 for a model without any."""
    return max(weights, key=lambda variant: weights[variant], default=Variant.FLOAT32)
