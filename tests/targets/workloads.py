"""Small models and short jobs, and the events that they lead to."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from edgecheck.errors import TargetError
from edgecheck.targets import Reuse, Workload

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

QUICK = {"warmup_count": 1, "warmup_s": 0, "min_count": 5, "min_s": 0, "max_s": 5}
LONG = {"warmup_count": 1, "warmup_s": 0, "min_count": 5, "min_s": 300, "max_s": 300, "max_count": 10**8}
ONE_PROCESS = {"processes": [1, 1]}

#: What an emulated machine and a phone have; the others have what this machine has. Not the newest psutil, to be told
#: apart.
RUNTIME = ("onnxruntime==1.32.0", "psutil==7.0.0")


def identity(path: Path) -> Path:
    """y = x."""
    node = helper.make_node("Identity", ["x"], ["y"])
    return _saved(path, [node], [])


def with_weights_beside(path: Path, beside: str) -> tuple[Path, Path]:
    """y = x · w, with w in a file of that name; both files."""
    weights = numpy_helper.from_array(np.arange(16, dtype=np.float32).reshape(4, 4), "w")
    node = helper.make_node("MatMul", ["x", "w"], ["y"])
    model = onnx.load(_saved(path, [node], [weights]))
    onnx.save(model, path, save_as_external_data=True, location=beside, size_threshold=0)
    return path, path.parent / beside


def _saved(path: Path, nodes: list[Any], weights: list[Any]) -> Path:
    ends = [helper.make_tensor_value_info(name, TensorProto.FLOAT, [1, 4]) for name in "xy"]
    graph = helper.make_graph(nodes, "small", ends[:1], ends[1:], weights)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    path.write_bytes(model.SerializeToString())
    return path


def workload(*model: Path, samples: Path | None = None, requirements: tuple[str, ...] = (), **job: object) -> Workload:
    """One that runs nothing but what `job` asks for, and always runs."""
    return Workload(
        job={"protocol": 1, "format": "onnx", **job},
        model=model,
        samples=samples,
        requirements=requirements,
        reuse=Reuse(fresh=True),
    )


def silent(_words: str) -> None:
    """Ignore progress messages."""


def events(lines: Iterable[bytes]) -> list[dict[str, Any]]:
    """All of them; every line must be one."""
    return [json.loads(line) for line in lines]


def rest_of(lines: Iterable[bytes]) -> tuple[list[dict[str, Any]], str]:
    """Events to the end, and why there are no more."""
    seen: list[dict[str, Any]] = []
    try:
        for line in lines:
            seen += events([line])
    except TargetError as error:
        return seen, error.message
    return seen, ""


def until(lines: Iterable[bytes], kind: str, **fields: object) -> dict[str, Any]:
    """The next event of that kind with those fields."""
    seen = []
    for line in lines:
        event: dict[str, Any] = json.loads(line)
        seen.append(event)
        if event["event"] == kind and all(event[name] == value for name, value in fields.items()):
            return event
    raise AssertionError(f"no {kind} in {seen}")


def comes_true(what: Callable[[], object], seconds: float = 20.0) -> bool:
    """Whether it is true at last: for what other processes do in their own time."""
    limit = time.monotonic() + seconds
    while not (found := what()) and time.monotonic() < limit:
        time.sleep(0.02)
    return bool(found)
