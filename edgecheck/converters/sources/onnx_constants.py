"""Constants of an `.onnx` model that its nodes only make others of: computed, so that weights are where they are used.

Exports without constant folding transpose, reshape, cut or scale a weight before it is used, or keep it in a branch.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import onnx
from onnx import helper, numpy_helper
from onnx.reference import ReferenceEvaluator

_OWN = ("", "ai.onnx")

#: Operators that are computed here: the result is never larger than the operands.
_COMPUTED = (
    "Add", "Cast", "Concat", "Div", "Flatten", "Identity", "Mul", "Neg", "Reciprocal", "Reshape", "Slice", "Split",
    "Sqrt", "Squeeze", "Sub", "Transpose", "Unsqueeze",
)  # fmt: skip

#: Types of numbers in them: integers are sizes and axes. A weight in another type was converted on purpose.
_TYPES = (onnx.TensorProto.FLOAT, onnx.TensorProto.DOUBLE, onnx.TensorProto.INT64, onnx.TensorProto.INT32)

#: Elements from which a constant is not copied for a second use.
_LARGE = 1024

#: By attribute of a Constant: the type of its numbers.
_LISTS = {"value_float": np.float32, "value_floats": np.float32, "value_int": np.int64, "value_ints": np.int64}


def graphs(graph: onnx.GraphProto) -> Iterator[onnx.GraphProto]:
    """The graph and its branches."""
    yield graph
    for attribute in (each for node in graph.node for each in node.attribute):
        for branch in ([attribute.g] if attribute.HasField("g") else []) + list(attribute.graphs):
            yield from graphs(branch)


def of_node(node: onnx.NodeProto) -> onnx.TensorProto | None:
    """The tensor that a Constant holds, in any of its forms; None for another node."""
    if node.op_type != "Constant" or node.domain not in _OWN:
        return None
    for each in node.attribute:
        if each.name == "value":
            return each.t
        if each.name in _LISTS:
            return numpy_helper.from_array(np.array(helper.get_attribute_value(each), _LISTS[each.name]))
    return None


def folded(model: onnx.ModelProto) -> bool:
    """Compute what depends on constants alone, and move those of branches out; returns whether anything changed."""
    moved = _moved_out(model)
    constants = {each.name: each for each in model.graph.initializer}
    users: dict[str, list[onnx.NodeProto]] = {}
    for graph in graphs(model.graph):
        for node in graph.node:
            for name in node.input:
                users.setdefault(name, []).append(node)
    ends = {each.name for each in model.graph.output}
    kept = []
    for node in model.graph.node:
        taken = [constants.get(name) for name in node.input if name]
        made = _computed(node, taken, users, model) if not ends.intersection(node.output) else []
        for tensor in made:
            model.graph.initializer.append(tensor)
            constants[tensor.name] = tensor
        if not made:
            kept.append(node)
    if len(kept) == len(model.graph.node):
        return moved
    del model.graph.node[:]
    model.graph.node.extend(kept)
    _drop_unused(model)
    return True


def _computed(
    node: onnx.NodeProto,
    taken: list[onnx.TensorProto | None],
    users: dict[str, list[onnx.NodeProto]],
    model: onnx.ModelProto,
) -> list[onnx.TensorProto]:
    """What a node makes of constants; empty where it is not computed."""
    tensors = [each for each in taken if each is not None]
    if not tensors or len(tensors) < len(taken) or node.op_type not in _COMPUTED or node.domain not in _OWN:
        return []
    if any(each.data_type not in _TYPES for each in tensors):
        return []
    for each in tensors:  # a weight that something else uses as it is would be stored twice
        others = any(user.op_type not in _COMPUTED for user in users[each.name])
        if others and np.prod(each.dims, dtype=np.int64) >= _LARGE:
            return []
    values = _evaluated(node, tensors, model)
    if sum(each.nbytes for each in values) > 2 * sum(numpy_helper.to_array(each).nbytes for each in tensors):
        return []
    return [
        numpy_helper.from_array(np.ascontiguousarray(value).reshape(value.shape), name)
        for value, name in zip(values, node.output, strict=True)
    ]


def _evaluated(
    node: onnx.NodeProto, tensors: list[onnx.TensorProto], model: onnx.ModelProto
) -> list[np.ndarray[tuple[int, ...], np.dtype[np.generic]]]:
    ends = [onnx.ValueInfoProto(name=name) for name in node.output]
    graph = helper.make_graph([node], "constant", [], ends, tensors)
    alone = helper.make_model(graph, opset_imports=model.opset_import, ir_version=model.ir_version)
    return [np.asarray(each) for each in ReferenceEvaluator(alone).run(None, {})]


def _moved_out(model: onnx.ModelProto) -> bool:
    """Move the constants of branches into the graph around them, which they see; returns whether there were any."""
    taken = {each.name for each in model.graph.initializer}
    moved = False
    for branch in list(graphs(model.graph))[1:]:
        ends = {each.name for each in branch.output}
        out = [each for each in branch.initializer if each.name not in taken and each.name not in ends]
        taken |= {each.name for each in out}
        model.graph.initializer.extend(out)
        kept = [each for each in branch.initializer if each.name not in {one.name for one in out}]
        moved |= bool(out)
        del branch.initializer[:]
        branch.initializer.extend(kept)
    return moved


def _drop_unused(model: onnx.ModelProto) -> None:
    """Remove initialisers that nothing reads."""
    used = {name for graph in graphs(model.graph) for node in graph.node for name in node.input}
    used |= {each.name for each in model.graph.output}
    kept = [each for each in model.graph.initializer if each.name in used]
    del model.graph.initializer[:]
    model.graph.initializer.extend(kept)
