"""Which framework opens and runs which format, what must be installed for it, and what an opened model offers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from importlib import import_module
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

from edgecheck.converters.interface import Request

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from edgecheck.converters.samples import Port


@dataclass(frozen=True, slots=True, kw_only=True)
class Framework:
    """What runs a model of one format in the way its author does."""

    title: str
    """Its name, to show."""
    module: str
    """The module below `edgecheck.converters.sources` whose `open_model` opens a model."""
    packages: tuple[str, ...]
    """Distributions whose versions the outputs depend on."""
    extra: str
    """The extra of edgecheck that installs them."""


class Output(NamedTuple):
    """One output of one run."""

    name: str
    value: NDArray[Any]
    logits: NDArray[Any] | None = None
    """The input of the softmax that made the value, if there is one and it can be found."""


class Source(Protocol):
    """An opened model."""

    @property
    def ports(self) -> Sequence[Port]:
        """Its inputs."""

    def run(self, feed: dict[str, NDArray[Any]]) -> list[Output]:
        """Its outputs for one sample with a batch of one, in the model's order."""


_KERAS = Framework(
    title="Keras", module="keras_model", packages=("keras", "tensorflow", "tensorflow-cpu"), extra="tensorflow"
)
_TORCH = Framework(title="PyTorch", module="torch_model", packages=("torch",), extra="torch")
_SKLEARN = Framework(
    title="scikit-learn",
    module="sklearn_model",
    packages=("scikit-learn", "numpy", "xgboost", "lightgbm", "catboost"),
    extra="sklearn",
)

#: By source format; models of other formats cannot be run.
FRAMEWORKS = {
    "tflite": Framework(title="LiteRT", module="tflite_runner", packages=("ai-edge-litert",), extra="tflite"),
    "onnx": Framework(title="onnxruntime", module="onnx_runner", packages=("onnxruntime",), extra="onnx"),
    "keras": _KERAS,
    "hdf5": _KERAS,
    "savedmodel": Framework(
        title="TensorFlow", module="tensorflow_model", packages=("tensorflow", "tensorflow-cpu"), extra="tensorflow"
    ),
    "torch-zip": _TORCH,
    "torch-legacy": _TORCH,
    "safetensors": _TORCH,
    "torchscript": _TORCH,
    "pt2": _TORCH,
    "joblib": _SKLEARN,
    "pickle": _SKLEARN,
    "skops": _SKLEARN,
    "xgboost": Framework(title="XGBoost", module="sklearn_model", packages=("xgboost",), extra="xgboost"),
    "lightgbm": Framework(title="LightGBM", module="sklearn_model", packages=("lightgbm",), extra="lightgbm"),
    "catboost": Framework(title="CatBoost", module="sklearn_model", packages=("catboost",), extra="catboost"),
}


def open_source(request: Request) -> Source:
    """The model of `request`, opened with its framework; only in a child process, since it imports the framework.

    Raises:
        ConversionError: it cannot be opened.
    """
    module = import_module(f"edgecheck.converters.sources.{FRAMEWORKS[request.source].module}")
    source: Source = module.open_model(request)
    return source
