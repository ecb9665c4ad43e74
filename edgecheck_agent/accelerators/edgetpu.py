"""Coral's Edge TPU, by its delegate for TensorFlow Lite.

https://www.coral.ai/docs/edgetpu/tflite-python/: a model that edgetpu_compiler has compiled has one operator,
`edgetpu-custom-op`, for all that the TPU runs. Built to that page; it has never run on hardware.
"""

from typing import Any, List

from edgecheck_agent import runtimes
from edgecheck_agent.accelerators import Asked, delegate, shared, tflite_models

LIBRARY = "libedgetpu.so.1"


def available(_asked: Asked, _loaded: runtimes.Loaded) -> str:
    """Why it cannot be used; empty if its library is there. That there is a TPU shows when the delegate starts."""
    return delegate.missing(LIBRARY, "install libedgetpu1-std there")


def options(_asked: Asked, package: str) -> List[Any]:
    """The delegates that an interpreter of the package is given."""
    return [delegate.loaded_delegate(LIBRARY, {}, package)]


def engine(loaded: runtimes.Loaded, asked: Asked) -> tflite_models.Engine:
    """What opens models with the delegate."""
    return tflite_models.Engine(loaded.engine, asked, options(asked, loaded.engine.package))


proof, memory = shared.proof, shared.memory
profiled = shared.no_profiler
