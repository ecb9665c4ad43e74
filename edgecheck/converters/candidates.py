"""The variants that a model could be shipped as, from the least lossy by name on."""

from __future__ import annotations

from typing import TYPE_CHECKING

from edgecheck.anatomy.dtypes import is_quantised
from edgecheck.anatomy.reading import read
from edgecheck.anatomy.values import Role
from edgecheck.converters.interface import AS_IS, READY
from edgecheck.converters.routes import possible

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

#: Weights that a ready file may have and still be converted, by its format, and the variants that it is already.
_CONVERTIBLE: Mapping[str, Mapping[frozenset[str], tuple[str, ...]]] = {
    "onnx": {frozenset({"float32"}): ("float32",)},
    "tflite": {frozenset({"float32"}): ("float32",), frozenset({"float16"}): ("float32", "float16")},
}


def ladder(model: Path, source: str, target: str) -> tuple[str, ...]:
    """The names of the variants to choose from for `model`, a file of the format `source` that becomes a `target`.

    A ready file comes first as it is, and does not come again as what it is already; where its weights are quantised it
    is the only one.

    Raises:
        ModelError: the file is damaged.
    """
    if source != target or source not in READY:
        return possible(source, target)
    kinds = frozenset(
        "float16" if tensor.dtype == "float16" else "quantised" if is_quantised(tensor.dtype) else "float32"
        for tensor in read(model).tensors
        if tensor.role is Role.WEIGHT and tensor.elements > 1
    )
    already = _CONVERTIBLE[source].get(kinds)
    return (AS_IS, *(each for each in possible(source, target) if already is not None and each not in already))
