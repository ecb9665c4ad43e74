"""NVIDIA GPUs by onnxruntime's TensorRT provider.

Options: https://onnxruntime.ai/docs/execution-providers/TensorRT-ExecutionProvider.html.
Built to that page; it has never run on hardware.
"""

from typing import Dict, List, Tuple

import onnxruntime

from edgecheck_agent import runtimes
from edgecheck_agent.accelerators import Asked, cuda, onnx_sessions, shared

EXECUTION_PROVIDER = "TensorrtExecutionProvider"
NEEDS = "it needs TensorRT, CUDA and cuDNN in the versions that this onnxruntime was built for, and a GPU"

_BY_PRECISION = {"fp16": "trt_fp16_enable", "bf16": "trt_bf16_enable", "int8": "trt_int8_enable"}


def available(asked: Asked, _loaded: runtimes.Loaded) -> str:
    """Why it cannot be used; empty if it can."""
    return onnx_sessions.missing(asked, EXECUTION_PROVIDER)


def options(asked: Asked) -> List[Tuple[str, Dict[str, str]]]:
    """The providers of a session: what TensorRT leaves goes to CUDA, as the page recommends."""
    chosen = {}
    if asked.precision in _BY_PRECISION:
        chosen[_BY_PRECISION[asked.precision]] = "1"
    if asked.cache:
        chosen.update(trt_engine_cache_enable="1", trt_engine_cache_path=asked.cache)
        chosen.update(trt_timing_cache_enable="1", trt_timing_cache_path=asked.cache)
    wanted = [(EXECUTION_PROVIDER, chosen)]
    if cuda.EXECUTION_PROVIDER in onnxruntime.get_available_providers():
        wanted.append((cuda.EXECUTION_PROVIDER, {}))
    return wanted


# What went to CUDA was left behind, too.
proof, memory = shared.proof, shared.memory
