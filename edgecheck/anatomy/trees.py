"""What tree ensembles take in ONNX Runtime: several times their arrays, since it builds an object for every node."""

from __future__ import annotations

from edgecheck.anatomy.formats import ModelFormat
from edgecheck.anatomy.values import Anatomy

#: Bytes for each node and for each weight of a leaf, measured with onnxruntime 1.32 on x86-64 as the growth of VmRSS
#: on opening five models: forests and boosting with 158,632 to 454,934 nodes, 1 to 10 weights a leaf, which took 481 to
#: 885 bytes a node. Fitted to these five, which therefore do not test it. They include the arrays themselves.
NODE, WEIGHT = 436, 90
#: The attributes of TreeEnsembleClassifier and -Regressor, and of TreeEnsemble, with one number for each.
_NODES = ("nodes_values", "nodes_splits")
_WEIGHTS = ("class_weights", "target_weights", "leaf_weights")


def memory_of_trees(anatomy: Anatomy) -> int:
    """Bytes that ONNX Runtime takes for the model's tree ensembles, projected; 0 if it has none."""
    if anatomy.format is not ModelFormat.ONNX:
        return 0
    nodes = weights = 0
    for tensor in anatomy.tensors:
        if tensor.operator.startswith("ai.onnx.ml.TreeEnsemble"):
            name = tensor.name.rpartition(".")[2]
            nodes += tensor.elements * (name in _NODES)
            weights += tensor.elements * (name in _WEIGHTS)
    return NODE * nodes + WEIGHT * weights
