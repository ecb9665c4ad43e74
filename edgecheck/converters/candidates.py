"""The variants that a model could be shipped as, the least lossy first."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from edgecheck.anatomy.dtypes import is_quantised
from edgecheck.anatomy.reading import read
from edgecheck.anatomy.values import Role
from edgecheck.converters.interface import AS_IS, READY
from edgecheck.converters.routes import variants_between

#: By format of a ready file: weights that can still be converted, and the variants that such a file already is.
_CONVERTIBLE: Mapping[str, Mapping[frozenset[str], tuple[str, ...]]] = {
    "onnx": {frozenset({"float32"}): ("float32",)},
    "tflite": {frozenset({"float32"}): ("float32",), frozenset({"float16"}): ("float32", "float16")},
}


def candidate_variants(model: Path, source: str, target: str) -> tuple[str, ...]:
    """The names of the variants to choose from for `model`, a file in the format `source` that becomes a `target`.

    A ready file comes first unchanged, and is not offered again as the variant that it already is. If its weights are
    quantised, it is the only candidate.

    Raises:
        ModelError: the file is damaged.
    """
    if source != target or source not in READY:
        return variants_between(source, target)
    kinds = frozenset(
        "float16" if tensor.dtype == "float16" else "quantised" if is_quantised(tensor.dtype) else "float32"
        for tensor in read(model).tensors
        if tensor.role is Role.WEIGHT and tensor.elements > 1
    )
    already = _CONVERTIBLE[source].get(kinds)
    return (AS_IS, *(each for each in variants_between(source, target) if already is not None and each not in already))
