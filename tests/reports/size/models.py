"""Small ONNX models whose bytes are known."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

#: Names that somebody else's model may have.
HOSTILE = (
    "<script>window.pwned=1</script>",
    "<img src=x onerror=pwned=2>",
    "</script><script>window.pwned=3</script>",
    "<b>bold</b><a href='javascript:pwned=4'>x</a>",
    "\x1b[2J\x07\x9b31m",
    "pipe|`tick`|``two``|@octocat #1 http://example.invalid",
    "right\u202eto left",
    "{{ 7*7 }}{% raw %}",
    "[red]rich[/red]",
    "a" * 5000,
    "line\nbreak\r\n| a | b |",
)


def save(path: Path, weights: Mapping[str, np.ndarray]) -> Path:
    """A model that multiplies its input of 64 numbers with each of `weights`, in float32."""
    names = list(weights)
    graph = helper.make_graph(
        [helper.make_node("MatMul", ["x", name], [f"y{at}"]) for at, name in enumerate(names)],
        "graph",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, [1, 64])],
        [
            helper.make_tensor_value_info(f"y{at}", TensorProto.FLOAT, [1, weights[name].shape[1]])
            for at, name in enumerate(names)
        ],
        [numpy_helper.from_array(weights[name].astype(np.float32), name) for name in names],
    )
    onnx.save(helper.make_model(graph, producer_name="test"), path)
    return path


def noise(columns: int, seed: int = 0) -> np.ndarray:
    """A weight of 64 rows that does not compress."""
    return np.random.default_rng(seed).normal(size=(64, columns))


def hostile(path: Path) -> Path:
    """A model whose tensors have the worst names, and one ordinary branch."""
    weights = {name: noise(at + 1, at) for at, name in enumerate(HOSTILE)}
    return save(path, weights | {f"backbone/block_{n}/conv.weight": noise(20, n) for n in (1, 2)})


def plain(path: Path) -> Path:
    """Two layers, one of them half zeros."""
    sparse = noise(20)
    sparse[::2] = 0
    return save(path, {"encoder/dense.weight": noise(40), "decoder/dense.weight": sparse})
