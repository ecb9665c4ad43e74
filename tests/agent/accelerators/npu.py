"""A fake NPU: an external delegate, built with g++, which takes a share of a model and misbehaves as its name says."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path
from typing import Any

from ai_edge_litert import schema_py_generated as schema

from tests.agent.small_models import _code, _graph, _operator, _tensor, _written

SOURCE = Path(__file__).parent / "fake_npu.cc"
ABS, NEG = schema.BuiltinOperator.ABS, schema.BuiltinOperator.NEG


def build(folder: Path) -> Path:
    """The delegate that does as it should; `misbehaving` makes others of it."""
    library = folder / "libnpu-good.so"
    command = ["g++", "-shared", "-fPIC", "-O1", "-Wall", "-Werror", "-o", str(library), str(SOURCE)]
    subprocess.run(command, check=True)
    return library


def misbehaving(library: Path, mode: str) -> Path:
    """The delegate under the name that makes it `crash`, `hang`, `slow`, `rubbish`, `wander`, `idle` or `absent`."""
    other = library.with_name(f"libnpu-{mode}.so")
    shutil.copy(library, other)
    return other


def chain(path: Path, *codes: int, size: int = 256) -> Path:
    """A .tflite file: one operator after the other on a row of floats."""
    kinds = list(dict.fromkeys(codes))
    tensors = [_tensor(f"t{at}", schema.TensorType.FLOAT32, (1, size)) for at in range(len(codes) + 1)]
    operators = [_operator(kinds.index(code), [at], [at + 1]) for at, code in enumerate(codes)]
    graph: Any = _graph(tensors, operators)
    graph.inputs = [0]
    return _written(path, [graph], [_code(kind, None, 1) for kind in kinds])
