"""The table of routes: from which formats to which, as which variants, by which function; in the order of trying.

It also says which variants a model could be shipped as.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from edgecheck.anatomy.dtypes import is_quantised
from edgecheck.anatomy.reading import read
from edgecheck.anatomy.values import Role
from edgecheck.converters.interface import AS_IS, READY, VARIANTS, Request
from edgecheck.errors import ConversionError

#: What pip calls edgecheck: on the package index the name of the command belongs to another project.
DISTRIBUTION = "edgecheck-ml"


@dataclass(frozen=True, slots=True, kw_only=True)
class Route:
    """One way to convert, in one child process."""

    sources: tuple[str, ...]
    format: str
    variants: tuple[str, ...]
    title: str
    """The converter's name, to show."""
    maker: str
    """`module:function`, the module below `edgecheck.converters`."""
    packages: tuple[str, ...]
    """Distributions whose versions the result depends on."""
    extra: str
    """The extra of edgecheck that installs them."""
    prunes: bool = False
    """Whether it can prune; otherwise the float32 artifact is pruned, and the conversion continues from there."""


@dataclass(frozen=True, slots=True)
class Way:
    """A conversion as it will be tried: one route, or float32 by any route and then another."""

    last: Route
    through_float: bool = False
    """Whether `last` starts from the float32 artifact in the same format."""


_TENSORFLOW = ("tensorflow", "tensorflow-cpu", "keras")
_TF2ONNX = ("tf2onnx", *_TENSORFLOW)
_TORCH = ("torch", "onnxscript", "onnx")
_LITERT_TORCH = ("litert-torch", "litert-converter", "torch")
_ONNXRUNTIME = ("onnxruntime", "onnx")
_QUANTIZER = ("ai-edge-quantizer", "ai-edge-litert")
_SKL2ONNX = ("skl2onnx", "scikit-learn", "onnx")
_BOOSTERS = (*_SKL2ONNX, "onnxmltools", "xgboost", "lightgbm", "catboost")

#: Formats that may hold weights without their network, which a factory builds.
WEIGHT_FORMATS = ("torch-zip", "torch-legacy", "safetensors")
_MODULES = (*WEIGHT_FORMATS, "pt2")
_KERAS = ("keras", "hdf5")
_SKLEARN = ("joblib", "pickle", "skops")

#: What TensorFlow's converter makes, and what ai-edge-quantizer makes of its float32.
_BY_TENSORFLOW = ("float32", "float16", "int8-dynamic", "int8")
_BY_QUANTIZER = tuple(variant for variant in VARIANTS if variant != "float32")

#: Extras whose pins conflict with those of other extras.
_SEPARATE = ("litert-torch",)

#: Every route; if one fails, the next that fits is tried.
ROUTES: tuple[Route, ...] = (
    Route(
        sources=("onnx",), format="onnx", variants=("float32",), title="pruning",
        maker="to_onnx.from_onnx:prune", packages=_ONNXRUNTIME, extra="onnx", prunes=True,
    ),
    Route(
        sources=("onnx",), format="onnx", variants=("float16",), title="float16",
        maker="to_onnx.from_onnx:to_float16", packages=_ONNXRUNTIME, extra="onnx", prunes=True,
    ),
    Route(
        sources=("onnx",), format="onnx", variants=("int8-weights",), title="int8 weights",
        maker="to_onnx.from_onnx:to_int8_weights", packages=_ONNXRUNTIME, extra="onnx", prunes=True,
    ),
    Route(
        sources=("onnx",), format="onnx", variants=("int8-dynamic",), title="onnxruntime's quantiser",
        maker="to_onnx.quantised:convert_dynamic", packages=_ONNXRUNTIME, extra="onnx", prunes=True,
    ),
    Route(
        sources=("onnx",), format="onnx", variants=("int8",), title="onnxruntime's quantiser",
        maker="to_onnx.quantised:convert_static", packages=_ONNXRUNTIME, extra="onnx", prunes=True,
    ),
    Route(
        sources=("tflite",), format="tflite", variants=("float32",), title="pruning",
        maker="to_tflite.pruned:convert", packages=_QUANTIZER, extra="tflite", prunes=True,
    ),
    Route(
        sources=("tflite",), format="tflite", variants=_BY_QUANTIZER, title="ai-edge-quantizer",
        maker="to_tflite.quantised:convert", packages=_QUANTIZER, extra="tflite", prunes=True,
    ),
    Route(
        sources=_KERAS, format="tflite", variants=_BY_TENSORFLOW, title="TensorFlow's converter",
        maker="to_tflite.from_tensorflow:convert_keras", packages=_TENSORFLOW, extra="tensorflow", prunes=True,
    ),
    Route(
        sources=_KERAS, format="tflite", variants=_BY_TENSORFLOW,
        title="TensorFlow's converter, the batch fixed to 1",
        maker="to_tflite.from_tensorflow:convert_keras_fixed", packages=_TENSORFLOW, extra="tensorflow", prunes=True,
    ),
    Route(
        sources=("savedmodel",), format="tflite", variants=_BY_TENSORFLOW, title="TensorFlow's converter",
        maker="to_tflite.from_tensorflow:convert_saved_model", packages=_TENSORFLOW, extra="tensorflow", prunes=True,
    ),
    Route(
        sources=("savedmodel",), format="tflite", variants=_BY_TENSORFLOW,
        title="TensorFlow's converter, from a v1 session",
        maker="to_tflite.from_tensorflow:convert_session", packages=_TENSORFLOW, extra="tensorflow", prunes=True,
    ),
    Route(
        sources=_KERAS, format="onnx", variants=("float32",), title="keras export",
        maker="to_onnx.from_tensorflow:export_keras", packages=_TF2ONNX, extra="tensorflow",
    ),
    Route(
        sources=_KERAS, format="onnx", variants=("float32",), title="tf2onnx",
        maker="to_onnx.from_tensorflow:convert_keras", packages=_TF2ONNX, extra="tensorflow",
    ),
    Route(
        sources=("savedmodel",), format="onnx", variants=("float32",), title="tf2onnx",
        maker="to_onnx.from_tensorflow:convert_saved_model", packages=_TF2ONNX, extra="tensorflow",
    ),
    Route(
        sources=("savedmodel",), format="onnx", variants=("float32",), title="tf2onnx, from a v1 session",
        maker="to_onnx.from_tensorflow:convert_session", packages=_TF2ONNX, extra="tensorflow",
    ),
    Route(
        sources=_MODULES, format="onnx", variants=("float32",), title="torch's dynamo exporter",
        maker="to_onnx.from_torch:convert", packages=_TORCH, extra="torch",
    ),
    Route(
        sources=_MODULES, format="onnx", variants=("float32",), title="torch's legacy exporter",
        maker="to_onnx.from_torch:convert_traced", packages=_TORCH, extra="torch",
    ),
    Route(
        sources=("torchscript",), format="onnx", variants=("float32",), title="torch's legacy exporter",
        maker="to_onnx.from_torch:convert_script", packages=_TORCH, extra="torch",
    ),
    Route(
        sources=_MODULES, format="tflite", variants=("float32",), title="litert-torch",
        maker="to_tflite.from_torch:convert", packages=_LITERT_TORCH, extra="litert-torch",
    ),
    Route(
        sources=_SKLEARN, format="onnx", variants=("float32",), title="skl2onnx",
        maker="to_onnx.sklearn.from_sklearn:convert", packages=_BOOSTERS, extra="sklearn",
    ),
    *(
        Route(
            sources=(library,), format="onnx", variants=("float32",), title=title,
            maker="to_onnx.sklearn.from_sklearn:convert", packages=_BOOSTERS, extra=library,
        )
        for library, title in (
            ("xgboost", "onnxmltools"), ("lightgbm", "onnxmltools"), ("catboost", "CatBoost's export")
        )
    ),
)  # fmt: skip


def ways(request: Request) -> tuple[Way, ...]:
    """How a conversion is tried, in order: routes straight to the variant first, then routes through float32.

    Raises:
        ConversionError: no way exists; the hint names the nearest.
    """
    found = tuple(_ways(request))
    if not found and request.variant == AS_IS and request.source not in READY:
        raise ConversionError(
            f"{request.title} is a {request.source} file, which no device runs unconverted.", _nearest(request)
        )
    if not found:
        raise ConversionError(
            f"No route converts {request.source} to {request.format} as {request.variant}.", _nearest(request)
        )
    return found


def _ways(request: Request) -> Iterator[Way]:
    for route in _between(request.source, request.format):
        if request.variant in route.variants and (route.prunes or not request.prune):
            yield Way(route)
    if request.source == request.format or not _between(request.source, request.format):
        return
    for route in _between(request.format, request.format):
        if request.variant in route.variants and (request.prune or request.variant != "float32"):
            yield Way(route, through_float=True)


def variants_between(source: str, target: str) -> tuple[str, ...]:
    """The variants that one format can be converted to in another, the least lossy first."""
    made = {variant for route in _between(source, target) for variant in route.variants}
    if made and source != target:
        made |= {variant for route in _between(target, target) for variant in route.variants}
    return tuple(variant for variant in VARIANTS if variant in made)


def formats_of(source: str) -> tuple[str, ...]:
    """The formats that a source can become, its default first; a ready format can stay itself."""
    made = dict.fromkeys(route.format for route in ROUTES if source in route.sources)
    return tuple({**dict.fromkeys([source] if source in READY else []), **made})


def remedy(extra: str) -> str:
    """The command that installs an extra."""
    separately = ", in a separate environment" if extra in _SEPARATE else ""
    return f"pip install '{DISTRIBUTION}[{extra}]'{separately}"


def _between(source: str, target: str) -> list[Route]:
    return [route for route in ROUTES if source in route.sources and route.format == target]


def _nearest(request: Request) -> str:
    source, target = request.source, request.format
    variants = variants_between(source, target)
    if variants:
        as_is = [AS_IS] if source == target else []
        return f"From {source} to {target}, choose from: {', '.join([*as_is, *variants])}."
    if formats := formats_of(source):
        return f"From {source}, edgecheck makes: {', '.join(formats)}."
    return f"Convert it to .onnx or .tflite with its own framework; edgecheck does not convert {source} files."


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
        "float16" if tensor.dtype == "float16" else "other" if _is_other(tensor.dtype) else "float32"
        for tensor in read(model).tensors
        if tensor.role is Role.WEIGHT and tensor.elements > 1
    )
    already = _CONVERTIBLE[source].get(kinds)
    return (AS_IS, *(each for each in variants_between(source, target) if already is not None and each not in already))


def _is_other(dtype: str) -> bool:
    """Whether no variant is made of weights of this type: they are quantised already, or float64."""
    return dtype == "float64" or is_quantised(dtype)
