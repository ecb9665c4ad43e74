"""NVIDIA GPUs by onnxruntime's CUDA provider.

Options: https://onnxruntime.ai/docs/execution-providers/CUDA-ExecutionProvider.html.
Built to that page; it has never run on hardware.
"""

from typing import Dict, List, Tuple

from edgecheck_agent import runtimes
from edgecheck_agent.accelerators import Asked, onnx_sessions, shared

EXECUTION_PROVIDER = "CUDAExecutionProvider"
NEEDS = "it needs CUDA and cuDNN in the versions that this onnxruntime was built for, and a GPU that its driver sees"


def available(asked: Asked, _loaded: runtimes.Loaded) -> str:
    """Why it cannot be used; empty if it can."""
    return onnx_sessions.missing(asked, EXECUTION_PROVIDER)


def options(asked: Asked) -> List[Tuple[str, Dict[str, str]]]:
    """The providers of a session. `use_tf32` decides whether multiplications of float32 may round to TF32."""
    chosen = {"fp32": {"use_tf32": "0"}, "tf32": {"use_tf32": "1"}}
    return [(EXECUTION_PROVIDER, chosen.get(asked.precision or "", {}))]


proof, memory = shared.proof, shared.memory
