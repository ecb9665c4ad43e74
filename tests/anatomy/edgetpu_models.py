"""Models as the Edge TPU compiler makes them: built by hand with TFLite's schema, since the compiler is not here."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from ai_edge_litert import schema_py_generated as schema
from flatbuffers import Builder  # type: ignore[import-untyped]

#: Numbers of operators in TFLite's schema.
CODES = {"CONV_2D": 3, "DEPTHWISE_CONV_2D": 4, "RESHAPE": 22, "SOFTMAX": 25, "ARG_MAX": 56, "custom": 32}

#: The operator for the TPU, as the compiler names it.
COMPILED = "edgetpu-custom-op"

#: What stands for an executable: as many bytes as it says.
EXECUTABLE = bytes(range(256)) * 40


def save(path: Path, operators: Sequence[str]) -> Path:
    """A chain of operators on one int8 tensor each; `COMPILED` is one for the TPU, with an executable."""
    made, graph = schema.ModelT(), schema.SubGraphT()
    graph.tensors = [_tensor(f"t{at}") for at in range(len(operators) + 1)]
    graph.inputs, graph.outputs, graph.operators = [0], [len(operators)], []
    kinds = list(dict.fromkeys(operators))
    for at, name in enumerate(operators):
        step = schema.OperatorT()
        step.opcodeIndex, step.inputs, step.outputs = kinds.index(name), [at], [at + 1]
        if name == COMPILED:
            step.customOptions = np.frombuffer(EXECUTABLE, np.uint8)
        graph.operators.append(step)
    made.version, made.subgraphs, made.buffers = 3, [graph], [schema.BufferT()]
    made.operatorCodes, made.metadata, made.signatureDefs = [_code(name) for name in kinds], [], []
    builder = Builder(1024)
    builder.Finish(made.Pack(builder), b"TFL3")
    path.write_bytes(bytes(builder.Output()))
    return path


def _tensor(name: str) -> schema.TensorT:
    tensor = schema.TensorT()
    tensor.name, tensor.shape, tensor.type, tensor.buffer = name, [1, 16], 9, 0
    return tensor


def _code(name: str) -> schema.OperatorCodeT:
    code = schema.OperatorCodeT()
    number = CODES.get(name, CODES["custom"])
    code.builtinCode, code.deprecatedBuiltinCode, code.version = number, number, 1
    code.customCode = None if name in CODES else name
    return code
