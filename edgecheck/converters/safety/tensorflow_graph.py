"""What a TensorFlow graph would do besides computing: the operators of a SavedModel, read from it.

Its nodes and their fields: https://github.com/tensorflow/tensorflow/tree/master/tensorflow/core/framework, graph.proto,
node_def.proto, function.proto, attr_value.proto, tensor.proto; core/protobuf/meta_graph.proto, saved_model.proto.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path, PurePosixPath
from typing import NamedTuple

from edgecheck.anatomy.accounting.limits import Damage, quoted
from edgecheck.anatomy.encodings.wire import BYTES, Field, fields, text

#: Operators that compute and nothing else, one word each; what is neither here nor below asks for trust.
_COMPUTING = "computing_operators.txt"
#: Operators that print; `output_stream` may be a file.
_PRINTS = ("PrintV2",)
#: Operators of every model that saves and restores itself, by the input that names the file.
_SAVES = frozenset(
    ("Save", "SaveV2", "SaveSlices", "Restore", "RestoreV2", "RestoreSlice", "MergeV2Checkpoints",
    "CheckpointHasTensor")
)  # fmt: skip
#: ... and of vocabularies, whose files are among the model's assets.
_TABLES = frozenset(("InitializeTableFromTextFile", "InitializeTableFromTextFileV2"))
#: What passes a file's name on.
_PASSES_ON = frozenset(
    ("Identity", "ShardedFilename", "StringJoin", "Pack", "Select", "SelectV2", "Reshape", "ExpandDims")
)  # fmt: skip

#: A function of such a name could hide a use of the operator of that name; TensorFlow's own have others.
_LIKE_OPERATOR = re.compile(r"_?[A-Z][A-Za-z0-9>]*")

_TEXT_OF = {"Const": b"value", "PrintV2": b"output_stream"}


class _Node(NamedTuple):
    name: str
    operator: str
    inputs: tuple[str, ...]
    literal: str
    """What `_TEXT_OF` asks for: the text of a constant, or of an attribute."""


def of_saved_model(data: bytes) -> Iterator[str]:
    """What the graphs of a `saved_model.pb` would do, operator by operator.

    Raises:
        Damage: it cannot be read to its end.
    """
    for meta in _messages(data, 0, len(data), 2):  # SavedModel.meta_graphs
        assets = {
            text(data, name).partition(":")[0]
            for asset in _messages(data, meta.start, meta.stop, 6)  # MetaGraphDef.asset_file_def
            for tensor in _messages(data, asset.start, asset.stop, 1)  # AssetFileDef.tensor_info
            for name in _messages(data, tensor.start, tensor.stop, 1)  # TensorInfo.name
        }
        for asset in _messages(data, meta.start, meta.stop, 6):
            for name in _messages(data, asset.start, asset.stop, 2):  # AssetFileDef.filename, below assets/
                if _leads_out(file := text(data, name)):
                    raise Damage(f"its asset {quoted(file)} is not in its folder")
        for graph in _messages(data, meta.start, meta.stop, 2):  # MetaGraphDef.graph_def
            yield from _of_graph(data, graph.start, graph.stop, assets)


def _leads_out(file: str) -> bool:
    return PurePosixPath(file).is_absolute() or ".." in PurePosixPath(file).parts or "\\" in file or "://" in file


def _of_graph(data: bytes, start: int, stop: int, assets: set[str]) -> Iterator[str]:
    functions = [
        function
        for library in _messages(data, start, stop, 2)  # GraphDef.library
        for function in _messages(data, library.start, library.stop, 1)  # FunctionDefLibrary.function
    ]
    called = {
        called
        for function in functions
        for signature in _messages(data, function.start, function.stop, 1)  # FunctionDef.signature
        for name in _messages(data, signature.start, signature.stop, 1)  # OpDef.name
        if not _LIKE_OPERATOR.fullmatch(called := text(data, name))
    }
    yield from _of_nodes(data, _messages(data, start, stop, 1), assets, called)  # GraphDef.node
    for function in functions:
        yield from _of_nodes(data, _messages(data, function.start, function.stop, 3), assets, called)  # node_def


def _of_nodes(data: bytes, messages: Iterator[Field], assets: set[str], called: set[str]) -> Iterator[str]:
    every = [_node(data, message) for message in messages]
    nodes = {node.name: node for node in every}
    for node in every:  # not `nodes`: two may have the same name
        if node.operator not in called and (found := _finding(node, nodes, assets)):
            yield found


def _finding(node: _Node, nodes: dict[str, _Node], assets: set[str]) -> str:
    """What a node does besides computing; empty where it only computes."""
    if node.operator in _PRINTS:
        return f"{node.operator} to {node.literal}" if node.literal.startswith("file://") else ""
    if node.operator in _SAVES:
        return f"{node.operator} of a file that the model names" if _is_fixed(node, nodes) else ""
    if node.operator in _TABLES:
        fixed = _is_fixed(node, nodes, place=1, assets=assets)
        return f"{node.operator} of a file outside of the model" if fixed else ""
    return "" if node.operator in _computing() else node.operator


@cache
def _computing() -> frozenset[str]:
    lines = Path(__file__).with_name(_COMPUTING).read_text(encoding="ascii").splitlines()
    return frozenset(name for line in lines if not line.startswith("#") for name in line.split())


def _is_fixed(node: _Node, nodes: dict[str, _Node], *, place: int = 0, assets: set[str] | None = None) -> bool:
    """Whether a file's name is written into the graph, rather than given to it by whoever saves or loads it."""
    waiting, seen = [node.inputs[place]] if len(node.inputs) > place else [], set[str]()
    constants = 0
    while waiting:
        name = waiting.pop().lstrip("^").partition(":")[0]
        if name in seen:
            continue
        seen.add(name)
        found = nodes.get(name)
        if found is None or name in (assets or ()):
            return False  # an argument of the function, or one of the model's own files
        if found.operator == "Const":
            constants += bool(found.literal)
        elif found.operator in _PASSES_ON:
            waiting += found.inputs
        else:
            return False
    return constants > 0


def _messages(data: bytes, start: int, stop: int, number: int) -> Iterator[Field]:
    """The fields of this number in the message from `start` to `stop`."""
    return (field for field in fields(data, start, stop) if field.number == number and field.wire == BYTES)


def _node(data: bytes, message: Field) -> _Node:
    """A NodeDef: name 1, op 2, input 3, attr 5."""
    name = operator = literal = ""
    inputs: list[str] = []
    attributes: list[Field] = []
    for field in fields(data, message.start, message.stop):
        if field.wire != BYTES:
            continue
        if field.number == 1:
            name = text(data, field)
        elif field.number == 2:  # noqa: PLR2004
            operator = text(data, field)
        elif field.number == 3:  # noqa: PLR2004
            inputs.append(text(data, field))
        elif field.number == 5:  # noqa: PLR2004
            attributes.append(field)
    if wanted := _TEXT_OF.get(operator):
        literal = next((said for each in attributes if (said := _literal(data, each, wanted)) is not None), "")
    return _Node(name, operator, tuple(inputs), literal)


def _literal(data: bytes, entry: Field, wanted: bytes) -> str | None:
    """The text of an attribute called `wanted`: AttrValue.s (2), or AttrValue.tensor (8) and its string_val (8)."""
    for key in _messages(data, entry.start, entry.stop, 1):
        if data[key.start : key.stop] != wanted:
            return None
    for value in _messages(data, entry.start, entry.stop, 2):
        for said in _messages(data, value.start, value.stop, 2):
            return text(data, said)
        for tensor in _messages(data, value.start, value.stop, 8):
            for said in _messages(data, tensor.start, tensor.stop, 8):
                return text(data, said)
    return None
