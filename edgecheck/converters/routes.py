"""The table of routes: from which formats to which, as which variants, by which function; in the order of trying."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from edgecheck.converters.interface import AS_IS, READY, VARIANTS
from edgecheck.errors import ConversionError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from edgecheck.converters.interface import Request

_QUANTISED = tuple(variant for variant in VARIANTS if variant != "float32")


@dataclass(frozen=True, slots=True)
class Route:
    """One way to convert, in one child process."""

    sources: tuple[str, ...]
    format: str
    variants: tuple[str, ...]
    title: str
    """The converter, for a person."""
    maker: str
    """`module:function`, the module below `edgecheck.converters`."""
    packages: tuple[str, ...]
    """Distributions whose versions the result depends on; the first are the ones to name."""
    extra: str
    """The extra of edgecheck that installs them."""
    prunes: bool = False
    """Whether it prunes; where it does not, the float32 artifact is pruned and taken on from there."""


@dataclass(frozen=True, slots=True)
class Way:
    """A conversion as it will be tried: one route, or float32 by any route and then another."""

    last: Route
    through_float: bool = False
    """Whether `last` starts from the float32 artifact in the same format."""


_TF = ("tensorflow", "tensorflow-cpu", "keras")
_TORCH = ("torch", "onnxscript", "onnx")
_ORT = ("onnxruntime", "onnx")
_AEQ = ("ai-edge-quantizer", "ai-edge-litert")
#: Formats that may hold weights without their network, which a factory builds.
WEIGHTS = ("torch-zip", "torch-legacy", "safetensors")
_MODULES = (*WEIGHTS, "pt2")
_SKLEARN = ("joblib", "pickle", "skops")

#: Extras that hold back what other extras need.
_APART = ("litert-torch",)

#: Every route; one that fails falls through to the next that fits.
ROUTES: tuple[Route, ...] = (
    Route(("onnx",), "onnx", ("float32",), "pruning", "to_onnx.pruned:convert", _ORT, "onnx", prunes=True),
    Route(("onnx",), "onnx", ("float16",), "float16", "to_onnx.float16:convert", _ORT, "onnx", prunes=True),
    Route(
        ("onnx",), "onnx", ("int8-weights",), "int8 weights", "to_onnx.weights_only:convert", _ORT, "onnx", prunes=True
    ),
    Route(
        ("onnx",), "onnx", ("int8-dynamic",), "onnxruntime's quantiser", "to_onnx.dynamic:convert", _ORT, "onnx",
        prunes=True,
    ),
    Route(
        ("onnx",), "onnx", ("int8",), "onnxruntime's quantiser", "to_onnx.int8:convert", _ORT, "onnx", prunes=True
    ),
    Route(("tflite",), "tflite", ("float32",), "pruning", "to_tflite.pruned:convert", _AEQ, "tflite", prunes=True),
    Route(
        ("tflite",), "tflite", _QUANTISED, "ai-edge-quantizer", "to_tflite.quantised:convert", _AEQ, "tflite",
        prunes=True,
    ),
    Route(
        ("keras", "hdf5"), "tflite", ("float32", "float16", "int8-dynamic", "int8"), "TensorFlow's converter",
        "to_tflite.from_keras:convert", _TF, "tensorflow", prunes=True,
    ),
    Route(
        ("keras", "hdf5"), "tflite", ("float32", "float16", "int8-dynamic", "int8"),
        "TensorFlow's converter, the batch fixed to 1", "to_tflite.from_keras:convert_fixed", _TF, "tensorflow",
        prunes=True,
    ),
    Route(
        ("savedmodel",), "tflite", ("float32", "float16", "int8-dynamic", "int8"), "TensorFlow's converter",
        "to_tflite.from_saved_model:convert", _TF, "tensorflow", prunes=True,
    ),
    Route(
        ("savedmodel",), "tflite", ("float32", "float16", "int8-dynamic", "int8"),
        "TensorFlow's converter, from a v1 session", "to_tflite.from_saved_model:convert_session", _TF, "tensorflow",
        prunes=True,
    ),
    Route(
        ("keras", "hdf5"), "onnx", ("float32",), "keras export", "to_onnx.from_keras:convert", ("tf2onnx", *_TF),
        "tensorflow",
    ),
    Route(
        ("keras", "hdf5"), "onnx", ("float32",), "tf2onnx", "to_onnx.from_keras:convert_traced", ("tf2onnx", *_TF),
        "tensorflow",
    ),
    Route(
        ("savedmodel",), "onnx", ("float32",), "tf2onnx", "to_onnx.from_saved_model:convert", ("tf2onnx", *_TF),
        "tensorflow",
    ),
    Route(
        ("savedmodel",), "onnx", ("float32",), "tf2onnx, from a v1 session", "to_onnx.from_saved_model:convert_session",
        ("tf2onnx", *_TF), "tensorflow",
    ),
    Route(_MODULES, "onnx", ("float32",), "torch's dynamo exporter", "to_onnx.from_torch:convert", _TORCH, "torch"),
    Route(
        _MODULES, "onnx", ("float32",), "torch's legacy exporter", "to_onnx.from_torch:convert_traced", _TORCH, "torch"
    ),
    Route(
        ("torchscript",), "onnx", ("float32",), "torch's legacy exporter", "to_onnx.from_torch:convert_script", _TORCH,
        "torch",
    ),
    Route(
        _MODULES, "tflite", ("float32",), "litert-torch", "to_tflite.from_torch:convert",
        ("litert-torch", "litert-converter", "torch"), "litert-torch",
    ),
    Route(
        _SKLEARN, "onnx", ("float32",), "skl2onnx", "to_onnx.sklearn.from_sklearn:convert",
        ("skl2onnx", "scikit-learn", "onnx"), "sklearn",
    ),
)  # fmt: skip


def ways(request: Request) -> tuple[Way, ...]:
    """How a conversion is tried, in order: what converts straight to the variant, then through float32.

    Raises:
        ConversionError: there is no way; the hint names the nearest.
    """
    found = tuple(_ways(request))
    if not found and request.variant == AS_IS and request.source not in READY:
        raise ConversionError(
            f"{request.title} is a {request.source} file, which no device runs as it is.", _nearest(request)
        )
    if not found:
        raise ConversionError(
            f"There is no route from {request.source} to {request.format} as {request.variant}.", _nearest(request)
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


def remedy(extra: str) -> str:
    """What installs an extra."""
    apart = ", in an environment of its own" if extra in _APART else ""
    return f"pip install 'edgecheck[{extra}]'{apart}"


def possible(source: str, target: str) -> tuple[str, ...]:
    """The variants that a format can be converted to, from the least lossy on."""
    made = {variant for route in _between(source, target) for variant in route.variants}
    if made and source != target:
        made |= {variant for route in _between(target, target) for variant in route.variants}
    return tuple(variant for variant in VARIANTS if variant in made)


def formats_of(source: str) -> tuple[str, ...]:
    """The formats that a source can become, its default first; itself where it is ready."""
    made = dict.fromkeys(route.format for route in ROUTES if source in route.sources)
    return tuple({**dict.fromkeys([source] if source in READY else []), **made})


def _between(source: str, target: str) -> list[Route]:
    return [route for route in ROUTES if source in route.sources and route.format == target]


def _nearest(request: Request) -> str:
    source, target = request.source, request.format
    variants = possible(source, target)
    if variants:
        as_is = [AS_IS] if source == target else []
        return f"From {source} to {target} there is: {', '.join([*as_is, *variants])}."
    if formats := formats_of(source):
        return f"From {source} edgecheck makes: {', '.join(formats)}."
    return f"Convert it to .onnx or .tflite with its own framework; edgecheck does not convert {source} files."
