"""External delegates of TensorFlow Lite: libraries that vendors of NPUs ship, given by their path on the device.

The interface: tensorflow/lite/delegates/external/external_delegate_interface.h.
"""

import ctypes
import importlib
from typing import Any, Dict, List

from edgecheck_agent import refusals, runtimes
from edgecheck_agent.accelerators import Asked, shared, tflite_models

_CREATE = "tflite_plugin_create_delegate"


def available(asked: Asked, _loaded: runtimes.Loaded) -> str:
    """Why it cannot be used; empty if it can."""
    return missing(asked.provider, "install it there, or correct the path under `accelerator:`")


def missing(library: str, next_step: str) -> str:
    """Why a library is not a delegate that can be loaded; empty if it is one."""
    try:
        found = ctypes.CDLL(library)
    except OSError as error:
        said = " ".join(str(error).split())
        return "the delegate %s cannot be loaded on the device (%s): %s" % (library, said, next_step)
    if not hasattr(found, _CREATE):
        return "%s is not a delegate of TensorFlow Lite (it has no %s): name one under `accelerator:`" % (
            library,
            _CREATE,
        )
    return ""


def options(asked: Asked, package: str) -> List[Any]:
    """The delegates that an interpreter of the package is given."""
    return [loaded_delegate(asked.provider, {}, package)]


def loaded_delegate(library: str, settings: Dict[str, str], package: str) -> Any:
    """A delegate, which has to outlive the interpreters that it is given to.

    Raises:
        refusals.Refused: it could not be made; the message has what it says.
    """
    load = importlib.import_module(package + ".interpreter").load_delegate
    try:
        return load(library, settings)
    except ValueError as error:
        said = " ".join(str(error).split())[:300]
        raise refusals.Refused("no-accelerator", "the delegate %s could not start: %s" % (library, said)) from error


def engine(loaded: runtimes.Loaded, asked: Asked) -> tflite_models.Engine:
    """What opens models with the delegate."""
    return tflite_models.Engine(loaded.engine, asked, options(asked, loaded.engine.package))


proof, memory = shared.proof, shared.memory
profiled = shared.no_profiler
