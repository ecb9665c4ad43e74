"""What size says that trees take once loaded: a projection from their nodes, close to what ONNX Runtime takes.

Covers `anatomy/drivers.py`.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import onnx
import pytest
from onnx import TensorProto, helper

from edgecheck.anatomy.drivers import drivers, memory_of_trees
from edgecheck.anatomy.reading import read
from tests.anatomy.small_files import dense_model, save
from tests.converters.bench import requires

#: Prints what opening the model adds to this process's resident memory.
GROWTH = """
import onnxruntime, pathlib, sys
def resident():
    return 1024 * next(int(line.split()[1]) for line in open("/proc/self/status") if line.startswith("VmRSS"))
before = resident()
session = onnxruntime.InferenceSession(sys.argv[1], providers=["CPUExecutionProvider"])
print(resident() - before)
"""


def stumps(count: int) -> onnx.ModelProto:
    """A regressor of `count` trees with one split and two leaves each."""
    trees = [tree for tree in range(count) for _ in range(3)]
    leaves = [tree for tree in range(count) for _ in range(2)]
    node = helper.make_node(
        "TreeEnsembleRegressor", ["x"], ["y"], domain="ai.onnx.ml", n_targets=1, nodes_treeids=trees,
        nodes_nodeids=[0, 1, 2] * count, nodes_featureids=[0, 0, 0] * count, nodes_values=[0.5, 0.0, 0.0] * count,
        nodes_modes=["BRANCH_LEQ", "LEAF", "LEAF"] * count, nodes_truenodeids=[1, 0, 0] * count,
        nodes_falsenodeids=[2, 0, 0] * count, target_treeids=leaves, target_nodeids=[1, 2] * count,
        target_ids=[0, 0] * count, target_weights=[1.0, 2.0] * count,
    )  # fmt: skip
    ends = [helper.make_tensor_value_info(name, TensorProto.FLOAT, [None, 1]) for name in ("x", "y")]
    opsets = [helper.make_opsetid("", 17), helper.make_opsetid("ai.onnx.ml", 3)]
    return helper.make_model(helper.make_graph([node], "g", ends[:1], ends[1:]), opset_imports=opsets, ir_version=8)


def test_nodes_and_weights_are_counted(tmp_path: Path) -> None:
    anatomy = read(save(tmp_path / "stumps.onnx", stumps(10)))
    assert memory_of_trees(anatomy) == 30 * 436 + 20 * 90
    assert any("ONNX Runtime takes about 14,880 bytes for its trees" in sentence for sentence in drivers(anatomy))


def test_a_network_has_no_trees(tmp_path: Path) -> None:
    assert memory_of_trees(read(save(tmp_path / "dense.onnx", dense_model({"a": (4, 4)})))) == 0


@pytest.mark.slow
@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="reads /proc")
@requires("onnxruntime")
def test_onnxruntime_takes_what_is_projected(tmp_path: Path) -> None:
    path = save(tmp_path / "stumps.onnx", stumps(60_000))
    done = subprocess.run([sys.executable, "-c", GROWTH, str(path)], check=True, capture_output=True, text=True)
    assert 0.5 < memory_of_trees(read(path)) / int(done.stdout) < 2
