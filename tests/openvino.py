"""onnxruntime with OpenVINO, and models of which OpenVINO leaves something behind.

The package excludes onnxruntime from its environment, so it comes as a bundle, which is downloaded once and kept.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
from onnx import helper

from tests.agent.small_models import FLOAT, model, save, value

#: What `--runtime` takes; the first with the graph assignment is 1.24.
RUNTIME = "onnxruntime-openvino==1.24.1"


def unpacked_bundle() -> Path:
    """The folder with the runtime and what it needs."""
    from edgecheck.bundles import bundle_for, host_platform, unpacked

    return unpacked(bundle_for((RUNTIME,), host_platform(), progress=lambda _: None))


def partly(path: Path) -> Path:
    """Two products, Relu and Add go to OpenVINO; Unique and the sum of what it returns do not."""
    rng = np.random.default_rng(1)
    weights = {name: rng.standard_normal((64, 64), dtype=np.float32) for name in "ab"}
    nodes = [
        helper.make_node("MatMul", ["x", "a"], ["m"], name="first"),
        helper.make_node("Relu", ["m"], ["r"], name="relu"),
        helper.make_node("MatMul", ["r", "b"], ["p"], name="second"),
        helper.make_node("Unique", ["p"], ["u"], name="odd_one_out"),
        helper.make_node("ReduceSum", ["u"], ["s"], name="sum", keepdims=0),
        helper.make_node("Add", ["p", "s"], ["y"], name="add"),
    ]
    return save(path, model(nodes, [value("x", FLOAT, [1, 64])], [value("y", FLOAT, [1, 64])], weights=weights))


def wholly(path: Path) -> Path:
    """Nothing that OpenVINO leaves behind."""
    rng = np.random.default_rng(2)
    weights = {"a": rng.standard_normal((64, 64), dtype=np.float32)}
    nodes = [
        helper.make_node("MatMul", ["x", "a"], ["m"], name="product"),
        helper.make_node("Relu", ["m"], ["y"], name="relu"),
    ]
    return save(path, model(nodes, [value("x", FLOAT, [1, 64])], [value("y", FLOAT, [1, 64])], weights=weights))


def not_at_all(path: Path) -> Path:
    """Only what OpenVINO leaves behind."""
    node = helper.make_node("Unique", ["x"], ["y"], name="odd_one_out")
    return save(path, model([node], [value("x", FLOAT, [8])], [value("y", FLOAT, ["n"])]))
