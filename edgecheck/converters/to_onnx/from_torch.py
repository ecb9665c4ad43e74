"""PyTorch to float32 `.onnx`: the dynamo exporter, else the legacy one, which alone takes TorchScript."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING, Any

import onnx
import torch

from edgecheck.converters.interface import Made, Request
from edgecheck.converters.samples import shapes_of
from edgecheck.converters.sources import onnx_file
from edgecheck.converters.sources.torch_model import TorchModel, exported, named_outputs, open_model

if TYPE_CHECKING:
    from pathlib import Path

#: From here on weights go beside the .onnx.
_MOST_INSIDE = 1_900_000_000
_DYNAMO = f"torch {torch.__version__} dynamo exporter"


def convert(request: Request, folder: Path) -> Made:
    """Export with dynamo, the batch free; where the network does not allow that, fixed to 1.

    The example has a batch of two: with one, dynamo takes the batch for a constant and says nothing.
    """
    if request.source == "pt2":
        program = exported(request)
        return _made(_export(program, folder, ()), _DYNAMO)
    model = open_model(request)
    shapes = shapes_of(model.ports, request)
    names = [port.name for port in model.ports]
    free = tuple({0: torch.export.Dim("batch")} for _ in model.ports)
    try:
        made = _export(model.module, folder, model.arguments(shapes, 2), input_names=names, dynamic_shapes=free)
    except Exception:  # noqa: BLE001 - dynamo fails in many ways on a batch that the network fixes
        made = _export(model.module, folder, model.arguments(shapes, 1), input_names=names)
    return _made(made, _DYNAMO, model.notes)


def convert_traced(request: Request, folder: Path) -> Made:
    """Export by tracing."""
    return _traced(open_model(request), request, folder)


def convert_script(request: Request, folder: Path) -> Made:
    """Export a TorchScript module: the legacy exporter is the only one that takes it."""
    return _traced(open_model(request), request, folder)


def _export(module: Any, folder: Path, arguments: tuple[Any, ...], **more: object) -> Path:
    made = folder / "model.onnx"
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.onnx.export(
            module, arguments, made, dynamo=True, external_data=_size(module) > _MOST_INSIDE, verbose=False, **more
        )
    return made


def _traced(model: TorchModel, request: Request, folder: Path) -> Made:
    made = folder / "model.onnx"
    arguments = model.arguments(shapes_of(model.ports, request), 1)
    names = [name for name, _ in named_outputs(model.module(*arguments))]
    inputs = [port.name for port in model.ports]
    with warnings.catch_warnings(), torch.no_grad():
        warnings.simplefilter("ignore")
        torch.onnx.export(
            model.module,
            arguments,
            str(made),
            dynamo=False,
            input_names=inputs,
            output_names=names,
            dynamic_axes={name: {0: "batch"} for name in (*inputs, *names)},
        )
    return _made(made, f"torch {torch.__version__} legacy exporter", model.notes)


def _made(made: Path, route: str, notes: tuple[str, ...] = ()) -> Made:
    model = onnx.load(made, load_external_data=False)
    _forget_where(model)
    onnx.save(model, made)
    fixed = [each.name for each in model.graph.input if each.type.tensor_type.shape.dim[0].dim_value == 1]
    batch = ", the batch fixed to 1" if fixed else ""
    return Made(onnx_file.named_by_content(made), f"{route}{batch}", notes)


def _forget_where(model: onnx.ModelProto) -> None:
    """Remove what the exporters note for debugging: the paths of the code on this machine, line by line.

    It would be shipped, and the same network would have another size in another folder.
    """
    del model.metadata_props[:]
    for graph in (model.graph, *model.functions):
        del graph.metadata_props[:]
        for each in (*graph.node, *graph.value_info):
            del each.metadata_props[:]
    for each in (*model.graph.input, *model.graph.output, *model.graph.initializer):
        del each.metadata_props[:]
    for node in model.graph.node:
        node.doc_string = ""


def _size(module: Any) -> int:
    """Bytes of the weights of a module or of an exported program."""
    weights = module.state_dict if isinstance(module.state_dict, dict) else module.state_dict()
    return sum(each.numel() * each.element_size() for each in weights.values() if torch.is_tensor(each))
