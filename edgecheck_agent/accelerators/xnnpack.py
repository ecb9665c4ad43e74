"""XNNPACK: kernels for the CPU, which LiteRT applies by itself.

To ask for it is to ask for proof that it took the model: the runtime goes on without it where it takes nothing. LiteRT
calls a model "fully accelerated" that XNNPACK runs, so that word proves nothing about a GPU.
"""

from typing import Any, List

from edgecheck_agent import litert_profile, runtimes
from edgecheck_agent.accelerators import Asked, shared, tflite_models

# As the runtime's profile calls it.
NAME = "XNNPACK"


def available(_asked: Asked, _loaded: runtimes.Loaded) -> str:
    """Empty: every LiteRT has it, and whether it takes a model shows when that is opened."""
    return ""


def options(_asked: Asked, _package: str) -> List[Any]:
    """No delegate: the runtime applies its own."""
    return []


def engine(loaded: runtimes.Loaded, asked: Asked) -> tflite_models.Engine:
    """What opens models as the runtime does by default."""
    return tflite_models.Engine(loaded.engine, asked._replace(provider=NAME), options(asked, loaded.engine.package))


def profiled(loaded: runtimes.Loaded, asked: Asked) -> litert_profile.Engine:
    """The same with the profiler on, whose models do not list their operators: the profile has who ran each."""
    return litert_profile.Engine(loaded.engine, loaded.version, asked.threads)


proof, memory = shared.proof, shared.memory
