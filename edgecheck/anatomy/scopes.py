"""The layer that a tensor belongs to, by a name that a person recognises, from the tensor's name in the file."""

from __future__ import annotations

import re
from functools import lru_cache

#: Parts of a path that all tensors of some format have, and that say nothing.
_NOISE = {
    "", "StatefulPartitionedCall", "PartitionedCall", "model_weights", "module", "state_dict", "model_state_dict",
    ".ATTRIBUTES", "VARIABLE_VALUE", "_orig_mod", "vars", "variables",
}  # fmt: skip
#: How layers name their tensors; `_w_0` and the like are Paddle's and Caffe2's.
_LEAF = re.compile(
    r"(?:[._]|^)(?:weights?|bias(?:es)?|kernels?|gamma|beta|alpha|slope|scales?|offset|mean|variance|var|"
    r"moving_mean|moving_variance|running_mean|running_var|num_batches_tracked|embeddings?|"
    r"(?:recurrent|depthwise|pointwise)_(?:kernel|weights)|weight_[ih]h_l\d+(?:_reverse)?|"
    r"bias_[ih]h_l\d+(?:_reverse)?|[wb]_\d+|[wb])$",
    re.IGNORECASE,
)
_SUFFIX = re.compile(
    r"(?:_quant|_quantized|_scale|_zero_point|_dequantized?\d*|_initializer_?\d*|_output_\d+|_0|:\d+|__SHAPE)+$"
)
_READ = re.compile(r"ReadVariableOp(?:_\d+)?$")
#: The last part of the name of a node in TensorFlow or ONNX is its operator, `Conv2D` or `BiasAdd`, maybe numbered.
_OPERATION = re.compile(r"[A-Z][A-Za-z0-9]*$|Constant_\d+$|convolution$|depthwise$|embedding_lookup$")
#: Names that a converter generated.
_ANONYMOUS = re.compile(
    r"(?:onnx::)?(?:[A-Z]\w*?_)?\d+$|(?:arith\.constant|tfl\.pseudo_q?const|pseudo_q?const|val_|const|x)_?\d*$|"
    r"Constant(?:_\d+)?$|const_\w*__\d+$|(?:Const|constant)(?:_\d+)?$|p2o\.|(?:new_shape|pad_const)__\d+$"
)
#: Characters and parts of a name that are read: hostile names have millions.
_LONGEST, _LONGEST_SUFFIX, _DEEPEST = 2000, 64, 24
#: Operators that use weights, as the last part of a name, besides convolutions.
_CARRIES_WEIGHTS = re.compile(r"(?:BiasAdd|MatMul|Tensordot|depthwise|ReadVariableOp)\d*", re.IGNORECASE)
_WORD = re.compile(r"\w+")


@lru_cache(maxsize=65536)
def layer_of(name: str) -> str:
    """The layer as a path, `backbone/block_3/conv`, or "" when a converter generated the name."""
    name = _fused(name[:_LONGEST])
    name = name[:-_LONGEST_SUFFIX] + _SUFFIX.sub("", name[-_LONGEST_SUFFIX:])  # its time is quadratic
    if _ANONYMOUS.match(name.lstrip("/")):
        return ""
    parts = _parts(name)
    for last in (_READ, _OPERATION) if "/" in name else ():
        if len(parts) > 1 and (last.match(parts[-1]) or parts[-2].startswith(parts[-1] + "_")):
            parts.pop()
    if len(parts) > 1 and _LEAF.fullmatch(parts[-1]):
        parts.pop()
    elif parts:
        parts[-1] = _LEAF.sub("", parts[-1]) or parts[-1]
    return "/".join([*parts[:_DEEPEST], ".".join(parts[_DEEPEST:])] if len(parts) > _DEEPEST else parts)


def _fused(name: str) -> str:
    """One of the names that TFLite joins with `;`: the first that belongs to a layer with weights, else the first."""
    names = name.split(";")
    return next((each for each in names if _carries_weights(each)), names[0])


def _carries_weights(name: str) -> bool:
    """Whether a name ends in such an operator, `conv…` or `…_conv…`: one expression for these takes cubic time."""
    _, slash, last = name.rpartition("/")
    if not slash:
        return False
    lowered = last.lower()
    is_convolution = lowered.startswith("conv") or "_conv" in lowered
    return bool((is_convolution and _WORD.fullmatch(last)) or _CARRIES_WEIGHTS.fullmatch(last))


def _parts(name: str) -> list[str]:
    """The parts of a path without noise, and without repetitions (`dense/dense/kernel`)."""
    parts: list[str] = []
    for part in name.split("/" if "/" in name else "."):
        trimmed = part
        if parts and part.startswith(parts[-1] + "."):  # torch's ONNX names: /layer1/layer1.0/conv1
            trimmed = part[len(parts[-1]) + 1 :]
        if trimmed not in _NOISE and (not parts or trimmed != parts[-1] or trimmed.isdigit()):
            parts.append(trimmed)
    return parts
