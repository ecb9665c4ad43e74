"""What the model's file says about the operators of a profile: layer, parts, bytes and multiply-accumulates."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from edgecheck.anatomy.operators.graph import FileOperator, operators_of
from edgecheck.anatomy.operators.matching import absorbed, onnx_matches, tflite_matches
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
