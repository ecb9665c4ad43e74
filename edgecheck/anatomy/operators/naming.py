"""What the model's file says about the operators of a profile: which it is in the file, its layer, parts and work."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from edgecheck.anatomy.operators.graph import FileOperator, operators_of
from edgecheck.anatomy.operators.work import Shape, macs
from edgecheck.anatomy.reading import read
from edgecheck.anatomy.scopes import layer_of
from edgecheck.anatomy.values import Role
from edgecheck.core.operators import Operator, SeenOperator
from edgecheck.core.text import clean

#: Characters of a part's name, and parts that are named.
_LONGEST, _MOST_PARTS = 120, 8


def known_operators(path: Path, seen: Sequence[SeenOperator], operators: Sequence[Operator]) -> tuple[Operator, ...]:
    """The operators with what the file says about them.

    Args:
        path: The artifact that ran.
        seen: The operators as a profiler saw them.
        operators: The same ones, summarised.

    Raises:
        ModelError: the artifact is no longer there, or is damaged.
    """
    file = operators_of(path)
    match = tflite_matches if path.suffix == ".tflite" else onnx_matches
    matches = match(seen, file)
    parts = absorbed(file, matches)
    rows = _rows(path)
    found = []
    for at, (one, operator) in enumerate(zip(seen, operators, strict=True)):
        if at in matches:
            of_file = [file[matches[at]], *(file[each] for each in parts.get(at, ()))]
            found.append(_known(one, operator, of_file, rows))
        else:
            found.append(replace(operator, name=clean(operator.name)))
    return tuple(found)


def _rows(path: Path) -> Mapping[str, str]:
    """The row of `edgecheck size` that each stored tensor is in, by the tensor's name."""
    weights = [tensor for tensor in read(path).tensors if tensor.role is not Role.OPTIMIZER]
    return {tensor.name: tensor.layer or tensor.name for tensor in weights}


def _known(one: SeenOperator, operator: Operator, parts: Sequence[FileOperator], rows: Mapping[str, str]) -> Operator:
    main = parts[0]
    names = [name for part in parts for name in _names(part)]
    shapes = _input_shapes(one, main)
    output = one.outputs[0][1] if one.outputs else (main.outputs[0].shape if main.outputs else None)
    return replace(
        operator,
        name=clean(names[0] or operator.name)[:_LONGEST],
        alias=clean(one.name) if one.name not in ("", names[0]) else "",
        layer=clean(_layer(parts, rows)),
        parts=tuple(clean(name)[:_LONGEST] for name in names[:_MOST_PARTS]) if len(names) > 1 else (),
        shape=operator.shape or (" x ".join(map(str, output)) if output else ""),
        macs=macs(main, shapes, output),
        bytes=operator.bytes if operator.bytes is not None else _moved(main),
    )


def _names(operator: FileOperator) -> list[str]:
    """The names of the source model's operators in this one: TFLite joins those that it fuses with `;`."""
    return [name for name in operator.name.split(";") if name] or [operator.type]


def _input_shapes(one: SeenOperator, main: FileOperator) -> tuple[Shape | None, ...]:
    """The file's shapes; where it does not know one, the runtime's, if it executed the operator with as many inputs."""
    same = len(one.inputs) == len(main.inputs)
    first = one.inputs[0][1] if one.inputs else None
    return tuple(
        value.shape if value.shape is not None else one.inputs[at][1] if same else first if at == 0 else None
        for at, value in enumerate(main.inputs)
    )


def _layer(parts: Sequence[FileOperator], rows: Mapping[str, str]) -> str:
    """The row of its weights, else the layer in its name."""
    for part in parts:
        for value in part.inputs:
            if value.stored and value.name in rows and value.shape:
                return rows[value.name]
    return next((layer for part in parts if (layer := layer_of(part.name))), "")


def _moved(operator: FileOperator) -> int | None:
    sizes = [value.bytes for value in (*operator.inputs, *operator.outputs) if value.key]
    return None if any(size is None for size in sizes) else sum(size or 0 for size in sizes)


#: Position in a profile -> position among the file's operators.
Matches = dict[int, int]

#: What onnxruntime puts in front of the name of a node that it has changed.
_PREFIX = re.compile(r"(?:fused|Fused) ")
#: What may follow a name that is in another: `conv1` is in `conv1_nchwc`, and not in `conv10`.
_PART = re.compile(r"[^0-9A-Za-z]")

#: Operators of ONNX that do the same work under several names.
_FAMILIES = {
    name: family
    for family, names in {
        "convolution": "Conv FusedConv NhwcConv QLinearConv ConvInteger NhwcFusedConv NhwcQLinearConv ConvTranspose",
        "matrix": "MatMul Gemm FusedMatMul FusedGemm QLinearMatMul QGemm MatMulInteger MatMulIntegerToFloat "
        "DynamicQuantizeMatMul MatMulNBits TransposeMatMul",
        "pool": "MaxPool NhwcMaxPool AveragePool GlobalAveragePool GlobalMaxPool QLinearAveragePool "
        "QLinearGlobalAveragePool",
        "sum": "Add QLinearAdd",
        "product": "Mul QLinearMul",
        "sigmoid": "Sigmoid QLinearSigmoid",
        "lstm": "LSTM DynamicQuantizeLSTM",
        "concat": "Concat QLinearConcat",
    }.items()
    for name in names.split()
}


def onnx_matches(seen: Sequence[SeenOperator], file: Sequence[FileOperator]) -> Matches:
    """By name, then by what is left of the name without what the runtime added to it.

    onnxruntime names a node without a name by its type and its index in the graph.
    """
    by_name: dict[str, list[int]] = defaultdict(list)
    for at, operator in enumerate(file):
        for name in dict.fromkeys((operator.name, *(value.name for value in operator.outputs))):
            by_name[name].append(at)
    found: Matches = {}
    taken: set[int] = set()
    for position, one in enumerate(seen):
        near = _named_like(one, by_name, file)
        if near is not None and near not in taken:
            found[position] = near
            taken.add(near)
    return found


def _named_like(one: SeenOperator, by_name: Mapping[str, list[int]], file: Sequence[FileOperator]) -> int | None:
    name = _PREFIX.sub("", one.name)
    for candidate in _shortened(name):
        fitting = [at for at in by_name.get(candidate, ()) if _same_kind(one.type, file[at].type)]
        if len(fitting) == 1:
            return fitting[0]
        if fitting:  # several nodes of one name: the runtime keeps their order as their index
            return min(fitting, key=lambda at: abs(file[at].place - one.place))
    return None


def _shortened(name: str) -> Iterable[str]:
    """The name, then each beginning of it that ends before a separator, the longest first."""
    yield name
    for match in reversed(list(_PART.finditer(name[:500]))):
        if match.start():
            yield name[: match.start()]


def _same_kind(left: str, right: str) -> bool:
    left, right = left.rpartition(".")[2], right.rpartition(".")[2]
    return left == right or (_FAMILIES.get(left) is not None and _FAMILIES.get(left) == _FAMILIES.get(right))


#: How XNNPACK's names of its operators begin, in the order in which they are tried -> the kind of work.
_XNNPACK = (
    ("Convolution", "convolution"),
    ("Fully Connected", "convolution"),
    ("Dynamic Fully Connected", "convolution"),
    ("Deconvolution", "deconvolution"),
    ("Batch Matrix Multiply", "matrix"),
    ("Max Pooling", "max pooling"),
    ("Average Pooling", "average pooling"),
    ("Global Average Pooling", "mean"),
    ("Mean", "mean"),
    ("Sum", "sum"),
    ("Add", "add"),
    ("Multiply", "multiply"),
    ("Subtract", "subtract"),
    ("Divide", "divide"),
    ("Maximum", "maximum"),
    ("Minimum", "minimum"),
    ("Squared Difference", "squared difference"),
    ("Sigmoid", "logistic"),
    ("Softmax", "softmax"),
    ("PReLU", "prelu"),
    ("Leaky ReLU", "leaky relu"),
    ("HardSwish", "hard swish"),
    ("ELU", "elu"),
    ("Tanh", "tanh"),
    ("TanH", "tanh"),
    ("Constant Pad", "pad"),
    ("Resize Bilinear", "resize"),
    ("Depth To Space", "depth to space"),
    ("Space To Depth", "space to depth"),
    ("Transpose", "transpose"),
    ("Concatenate", "concatenation"),
)
#: The kind of work of LiteRT's operators; a 1 x 1 convolution is a fully connected layer to XNNPACK.
_LITERT = {
    "CONV_2D": "convolution",
    "DEPTHWISE_CONV_2D": "convolution",
    "FULLY_CONNECTED": "convolution",
    "TRANSPOSE_CONV": "deconvolution",
    "BATCH_MATMUL": "matrix",
    "MAX_POOL_2D": "max pooling",
    "AVERAGE_POOL_2D": "average pooling",
    "MEAN": "mean",
    "SUM": "sum",
    "ADD": "add",
    "MUL": "multiply",
    "SUB": "subtract",
    "DIV": "divide",
    "MAXIMUM": "maximum",
    "MINIMUM": "minimum",
    "SQUARED_DIFFERENCE": "squared difference",
    "LOGISTIC": "logistic",
    "SOFTMAX": "softmax",
    "PRELU": "prelu",
    "LEAKY_RELU": "leaky relu",
    "HARD_SWISH": "hard swish",
    "ELU": "elu",
    "TANH": "tanh",
    "PAD": "pad",
    "PADV2": "pad",
    "RESIZE_BILINEAR": "resize",
    "DEPTH_TO_SPACE": "depth to space",
    "SPACE_TO_DEPTH": "space to depth",
    "TRANSPOSE": "transpose",
    "CONCATENATION": "concatenation",
}


def tflite_matches(seen: Sequence[SeenOperator], file: Sequence[FileOperator]) -> Matches:
    """By index for what the built-in kernels execute; by order for what XNNPACK does.

    XNNPACK executes the operators that it takes in the file's order, but does not say which they are. Of a kind of work
    with as many in the file as in the profile, the first is the first, and so on; of any other kind nothing is known.
    """
    by_place = {(operator.graph, operator.place): at for at, operator in enumerate(file)}
    found: Matches = {}
    for position, one in enumerate(seen):
        at = by_place.get((one.graph, one.place))
        if one.provider == "built-in" and at is not None and file[at].type == one.type:
            found[position] = at
    executed = set(found.values())
    left = [at for at, operator in enumerate(file) if at not in executed and not operator.is_constant]
    theirs = _grouped((one.graph, _kind(one.type), at) for at, one in enumerate(seen) if one.provider == "XNNPACK")
    ours = _grouped((file[at].graph, _LITERT.get(file[at].type, ""), at) for at in left)
    for (graph, kind), positions in theirs.items():
        if kind and len(positions) == len(ours.get((graph, kind), ())):
            found.update(zip(positions, ours[graph, kind], strict=True))
    return found


def _grouped(items: Iterable[tuple[int, str, int]]) -> dict[tuple[int, str], list[int]]:
    """The positions by graph and kind of work."""
    groups: dict[tuple[int, str], list[int]] = defaultdict(list)
    for graph, kind, at in items:
        groups[graph, kind].append(at)
    return groups


def _kind(name: str) -> str:
    return next((kind for start, kind in _XNNPACK if name.startswith(start)), "")


def absorbed(file: Sequence[FileOperator], matches: Matches) -> Mapping[int, tuple[int, ...]]:
    """By position in the profile: the operators of the file that belong to it, and are not executed separately.

    An operator whose result nothing else takes belongs to the one that takes it, or that it comes after: an
    activation to the convolution before it, a dequantisation to the one behind it. Operators that are computed on
    loading, and those between two of which neither is executed, belong to none.
    """
    owner = {at: position for position, at in matches.items()}
    left = [at for at, operator in enumerate(file) if at not in owner and not operator.is_constant]
    links = _Links(file)
    for at in left:
        alone = [each for each in links.sources(at) if each in owner and links.followers(each) == {at}]
        if alone:
            owner[at] = owner[max(alone)]
    for at in reversed(left):
        followers = links.followers(at)
        if at not in owner and len(followers) == 1 and (follower := next(iter(followers))) in owner:
            owner[at] = owner[follower]
    found: dict[int, list[int]] = defaultdict(list)
    for at in left:
        if at in owner:
            found[owner[at]].append(at)
    return {position: tuple(each) for position, each in found.items()}


class _Links:
    """Which operators take what others compute."""

    def __init__(self, file: Sequence[FileOperator]) -> None:
        self._file = file
        self._makers = {value.key: at for at, one in enumerate(file) for value in one.outputs if value.key}
        self._takers: dict[str, list[int]] = defaultdict(list)
        for at, one in enumerate(file):
            for value in one.inputs:
                self._takers[value.key].append(at)

    def sources(self, at: int) -> list[int]:
        """The operators whose results an operator takes, without those that are computed on loading."""
        return [
            self._makers[value.key] for value in self._file[at].inputs if value.key in self._makers and not value.stored
        ]

    def followers(self, at: int) -> set[int]:
        """The operators that take the results of an operator."""
        return {taker for value in self._file[at].outputs for taker in self._takers.get(value.key, ())}
