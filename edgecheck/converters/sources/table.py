"""Which module opens and runs which format, and what must be installed for it."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Framework:
    """What runs a model of one format as its author does."""

    opener: str
    """`module:function`, the module below `edgecheck.converters.sources`."""
    packages: tuple[str, ...]
    """Distributions whose versions the outputs depend on."""
    extra: str
    """The extra of edgecheck that installs them."""
    title: str


_KERAS = Framework("keras_model:open_model", ("keras", "tensorflow", "tensorflow-cpu"), "tensorflow", "Keras")
_TORCH = Framework("torch_model:open_model", ("torch",), "torch", "PyTorch")
_SKLEARN = Framework("sklearn_model:open_model", ("scikit-learn", "numpy"), "sklearn", "scikit-learn")

#: By source format; what is not here cannot be run.
FRAMEWORKS = {
    "tflite": Framework("tflite_runner:open_model", ("ai-edge-litert",), "tflite", "LiteRT"),
    "onnx": Framework("onnx_runner:open_model", ("onnxruntime",), "onnx", "onnxruntime"),
    "keras": _KERAS,
    "hdf5": _KERAS,
    "savedmodel": Framework("saved_model:open_model", ("tensorflow", "tensorflow-cpu"), "tensorflow", "TensorFlow"),
    "torch-zip": _TORCH,
    "torch-legacy": _TORCH,
    "safetensors": _TORCH,
    "torchscript": _TORCH,
    "pt2": _TORCH,
    "joblib": _SKLEARN,
    "pickle": _SKLEARN,
    "skops": _SKLEARN,
}
