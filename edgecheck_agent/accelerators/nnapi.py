"""Android's NNAPI by onnxruntime's provider, which takes no options where it is asked for by name.

https://onnxruntime.ai/docs/execution-providers/NNAPI-ExecutionProvider.html: Python packages do not have it, your own
build may. Built to that page; it has never run on hardware.
"""

from typing import Dict, List, Tuple

from edgecheck_agent import runtimes
from edgecheck_agent.accelerators import Asked, onnx_sessions, shared

EXECUTION_PROVIDER = "NnapiExecutionProvider"
NEEDS = "it needs Android 8.1 or later"


def available(asked: Asked, _loaded: runtimes.Loaded) -> str:
    """Why it cannot be used; empty if it can."""
    return onnx_sessions.missing(asked, EXECUTION_PROVIDER)


def options(_asked: Asked) -> List[Tuple[str, Dict[str, str]]]:
    """The providers of a session."""
    return [(EXECUTION_PROVIDER, {})]


# NNAPI may still run nodes on the CPU itself, which nobody reports.
proof, memory = shared.proof, shared.memory
