"""Intel's CPUs, GPUs and NPUs by onnxruntime's OpenVINO provider; the provider decides which of them.

Options: https://onnxruntime.ai/docs/execution-providers/OpenVINO-ExecutionProvider.html.
"""

from typing import Dict, List, Tuple

from edgecheck_agent import runtimes
from edgecheck_agent.accelerators import Asked, onnx_sessions, shared

EXECUTION_PROVIDER = "OpenVINOExecutionProvider"
NEEDS = "it needs OpenVINO's libraries in the version that this onnxruntime was built for"


def available(asked: Asked, _loaded: runtimes.Loaded) -> str:
    """Why it cannot be used; empty if it can."""
    return onnx_sessions.missing(asked, EXECUTION_PROVIDER)


def options(asked: Asked) -> List[Tuple[str, Dict[str, str]]]:
    """The providers of a session."""
    chosen = {"num_of_threads": str(asked.threads)}
    if asked.precision:
        chosen["precision"] = asked.precision.upper()
    if asked.cache:
        chosen["cache_dir"] = asked.cache
    return [(EXECUTION_PROVIDER, chosen)]


proof, memory = shared.proof, shared.memory
