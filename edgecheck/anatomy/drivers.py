"""What drives the size of a model, in a few sentences, and what its trees take in memory."""

from __future__ import annotations

from collections import defaultdict

from edgecheck.anatomy.formats import ModelFormat
from edgecheck.anatomy.tables import By, table
from edgecheck.anatomy.values import Anatomy, Kind, Role

#: The share of the weights that "most" stands for.
_MOSTLY = 0.8
#: The share of the file from which bytes other than weights are worth a sentence.
_MUCH = 0.2
#: Layers that a sentence names.
_NAMED = 3
#: The names of the nodes of trees in scikit-learn and ONNX.
_TREES = ("nodes", "nodes_values")


def drivers(anatomy: Anatomy) -> tuple[str, ...]:
    """Sentences about the model, the most important first; none for a model without weights."""
    sentences = (
        _concentration(anatomy),
        _widest(anatomy),
        _types(anatomy),
        _trees(anatomy),
        _vocabulary(anatomy),
        _generated_on_loading(anatomy),
        _besides_weights(anatomy),
    )
    return tuple(sentence for sentence in sentences if sentence)


def _concentration(anatomy: Anatomy) -> str:
    """How few layers hold most of the weights, by their size in memory."""
    rows = [row for row in table(anatomy, By.LAYER) if row.kind is Kind.TENSORS and row.memory]
    rows.sort(key=lambda row: -row.memory)
    total = sum(row.memory for row in rows)
    held = 0
    for count, row in enumerate(rows, 1):
        held += row.memory
        if held >= _MOSTLY * total:
            names = ", ".join(each.name for each in rows[: min(count, _NAMED)])
            more = ", …" if count > _NAMED else ""
            hold = "holds" if count == 1 else "hold"
            return f"{count} of {len(rows)} layers {hold} {100 * held / total:.0f} % of the weights: {names}{more}."
    return ""


def _widest(anatomy: Anatomy) -> str:
    weights = [tensor for tensor in anatomy.tensors if tensor.role is Role.WEIGHT and len(tensor.shape) > 1]
    if not weights:
        return ""
    widest = max(weights, key=lambda tensor: tensor.memory)
    shape = " x ".join(map(str, widest.shape))
    total = max(1, sum(tensor.memory for tensor in weights))
    name = widest.layer or widest.name
    return f"The widest is {name}: {shape} of {widest.dtype}, {100 * widest.memory / total:.0f} % of all weights."


def _types(anatomy: Anatomy) -> str:
    sizes: dict[str, int] = defaultdict(int)
    for tensor in anatomy.tensors:
        if tensor.role is Role.WEIGHT:
            sizes[tensor.dtype] += tensor.stored
    total = sum(sizes.values())
    if not total:
        return ""
    ordered = sorted(sizes.items(), key=lambda item: -item[1])[:3]
    shares = ", ".join(f"{dtype} {100 * size / total:.0f} %" for dtype, size in ordered if size)
    return f"Weights by type: {shares}."


def _trees(anatomy: Anatomy) -> str:
    trees = [tensor for tensor in anatomy.tensors if tensor.name.rpartition(".")[2] in _TREES]
    if not trees:
        return ""
    nodes = sum(tensor.elements for tensor in trees)
    linked = {tensor.layer for tensor in trees}
    stored = sum(tensor.stored for tensor in anatomy.tensors if tensor.layer in linked)
    count = f"{len(trees)} trees" if len(trees) > 1 else "Its trees"
    each = f"{stored / nodes:,.0f} bytes each"
    return f"{count} have {nodes:,} nodes, {each}: fewer or shallower trees save the most."


def _vocabulary(anatomy: Anatomy) -> str:
    words = [tensor for tensor in anatomy.tensors if tensor.role is Role.VOCABULARY and tensor.stored]
    if not words:
        return ""
    largest = max(words, key=lambda tensor: tensor.stored)
    return f"The vocabulary {largest.name} has {largest.elements:,} entries in {largest.stored:,} bytes."


def _generated_on_loading(anatomy: Anatomy) -> str:
    totals = anatomy.totals
    if trees := memory_of_trees(anatomy):
        return (
            f"ONNX Runtime takes about {trees:,} bytes for its trees, {trees / max(1, anatomy.size):.0f} times the"
            " file: it builds an object for each node. Projected; `edgecheck check` measures it."
        )
    if totals.memory < 2 * max(1, totals.tensors):
        return ""
    return (
        f"{totals.tensors:,} bytes of tensors in the file become {totals.memory:,} in memory: "
        "they are generated or unpacked on loading."
    )


def _besides_weights(anatomy: Anatomy) -> str:
    rest = anatomy.size - anatomy.totals.tensors
    if rest < _MUCH * anatomy.size:
        return ""
    largest = next((row for row in table(anatomy, By.ROLE) if row.kind is not Kind.TENSORS), None)
    what = f", mostly {largest.name.strip('()')}" if largest else ""
    return f"{100 * rest / max(1, anatomy.size):.0f} % of the file is not weights{what}."


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
