"""PyTorch to float32 `.onnx`: the dynamo exporter, else the legacy one, the only one that takes TorchScript.

A network that decides by the values of an example is reported: its export has that decision fixed.
"""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import torch
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves
from torch.utils.weak import WeakTensorKeyDictionary

from edgecheck.converters.interface import Made, Request
from edgecheck.converters.samples import shapes_of
from edgecheck.converters.sources import onnx_file
from edgecheck.converters.sources.torch_model import TorchModel, exported, named_outputs, open_model

#: The batch of an example for an open batch; some networks make it a constant without a word.
_FREE = 2

_BRANCHES = (
    "Its code branches on the values of its inputs, or decides by int(), float() or item() of them; the exporter kept"
    " only what an example decided. Rewrite it with torch.cond or torch.where."
)
_DYNAMO = f"torch {torch.__version__} dynamo exporter"


def convert(request: Request, folder: Path) -> Made:
    """Export with dynamo, the batch free; fixed to 1 if the network does not allow that.

    The example has a batch of two: with a batch of one, dynamo silently makes the batch a constant.
    """
    if request.source == "pt2":
        program = exported(request)
        return _made(_export(program, folder, ()), _DYNAMO)
    model = open_model(request)
    shapes = shapes_of(model.ports, request)
    names = [port.name for port in model.ports]
    each = tuple({0: torch.export.Dim("batch")} for _ in model.ports)
    free = (each,) if model.is_by_name else each
    try:
        made: Path | None = _export(
            model.module, folder, model.arguments(shapes, _FREE), input_names=names, dynamic_shapes=free
        )
    except Exception:  # noqa: BLE001 - dynamo fails in many ways on a batch that the network fixes
        made = None
    if made is None or any(_batch_of(each) == _FREE for each in onnx.load(made, load_external_data=False).graph.input):
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
        try:
            external = _size(module) > onnx_file.MOST_INSIDE
            torch.onnx.export(module, arguments, made, dynamo=True, external_data=external, verbose=False, **more)
        except torch.onnx.errors.OnnxExporterError as error:
            raise error.__cause__ or error from None  # the outer error only names the step that failed
    return made


def _traced(model: TorchModel, request: Request, folder: Path) -> Made:
    """Export with a free batch if another batch gives the right outputs: a trace keeps the numbers Python saw."""
    made = folder / "model.onnx"
    shapes = shapes_of(model.ports, request)
    warned = _trace(model, shapes, made, free=True)
    if not _is_free(model, shapes, made):
        warned = _trace(model, shapes, made, free=False)
    notes = (_BRANCHES,) if _decides(model, shapes, warned) else ()
    return _made(made, f"torch {torch.__version__} legacy exporter", (*model.notes, *notes))


def _decides(model: TorchModel, shapes: dict[str, tuple[int, ...]], warned: list[warnings.WarningMessage]) -> bool:
    """Whether the trace depends on the example's values; the tracer also warns of sizes, which it keeps open."""
    said = [str(each.message) for each in warned if issubclass(each.category, torch.jit.TracerWarning)]
    if any("NumPy" in each or "Python list" in each for each in said):
        return True
    model.reset()
    return decides_by_values(model.module, model.arguments(shapes, 1))


def _trace(
    model: TorchModel, shapes: dict[str, tuple[int, ...]], made: Path, *, free: bool
) -> list[warnings.WarningMessage]:
    arguments = model.arguments(shapes, 1)
    names = [name for name, _ in named_outputs(model.module(*arguments))]
    inputs = [port.name for port in model.ports]
    model.reset()
    with warnings.catch_warnings(record=True) as warned, torch.no_grad():
        warnings.simplefilter("always")
        torch.onnx.export(
            model.module,
            arguments,
            str(made),
            dynamo=False,
            input_names=inputs,
            output_names=names,
            dynamic_axes={name: {0: "batch"} for name in (*inputs, *names)} if free else None,
        )
    return warned


def _is_free(model: TorchModel, shapes: dict[str, tuple[int, ...]], made: Path) -> bool:
    """Whether the artifact agrees with the module on a batch of two, or that cannot be tried here."""
    arguments = model.arguments(shapes, 2)
    model.reset()
    try:
        from edgecheck.converters.sources.onnx_runner import OnnxModel

        with torch.no_grad():
            wanted = [value.numpy() for _, value in named_outputs(model.module(*arguments))]
        feed = {port.name: value.numpy() for port, value in zip(model.ports, arguments, strict=True)}
        artifact = OnnxModel(made)
        found = [each.value for each in artifact.run({port.name: feed[port.name] for port in artifact.ports})]
    except ImportError:
        return True
    except Exception:  # noqa: BLE001 - the module may take only one sample, and the runtime fails in many ways
        return False
    return all(
        one.shape == two.shape and np.allclose(one, two, rtol=1e-3, atol=1e-4)
        for one, two in zip(wanted, found, strict=True)
    )


def _made(made: Path, route: str, notes: tuple[str, ...] = ()) -> Made:
    model = onnx.load(made, load_external_data=False)
    _remove_paths(model)
    onnx.save(model, made)
    fixed = [each.name for each in model.graph.input if _is_single(each)]
    batch = ", the batch fixed to 1" if fixed else ""
    return Made(onnx_file.named_by_content(made), f"{route}{batch}", notes)


def _is_single(port: onnx.ValueInfoProto) -> bool:
    """Whether the batch of an input is 1; a scalar has none."""
    return _batch_of(port) == 1


def _batch_of(port: onnx.ValueInfoProto) -> int:
    """The size of an input's first axis; 0 where it is open, or there is none."""
    dims = port.type.tensor_type.shape.dim
    return int(dims[0].dim_value) if len(dims) else 0


def _remove_paths(model: onnx.ModelProto) -> None:
    """Remove the exporters' debugging notes: the paths of the code on this machine, line by line.

    They would be shipped, and the size of the artifact would depend on the folder.
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


class _Follower(TorchDispatchMode):  # type: ignore[misc] # torch does not type it
    """Follows the tensors that are computed from inputs."""

    def __init__(self, inputs: list[torch.Tensor]) -> None:
        super().__init__()
        self.found = False
        self._followed = WeakTensorKeyDictionary()
        for each in inputs:
            self._followed[each] = True

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        """Call the operator; its results are followed if one of its operands is.

        `if tensor:`, int(), item() and torch.equal call operators that return a Python value. The size of an axis is
        one already, and calls none.
        """
        made = func(*args, **(kwargs or {}))
        if any(each in self._followed for each in tree_leaves((args, kwargs)) if isinstance(each, torch.Tensor)):
            self.found = self.found or any(isinstance(each, (bool, int, float)) for each in tree_leaves(made))
            for each in tree_leaves(made):
                if isinstance(each, torch.Tensor):
                    self._followed[each] = True
        return made


def decides_by_values(module: Any, arguments: tuple[Any, ...]) -> bool:
    """Whether a call of `module` makes a Python number of anything computed from `arguments`.

    A TorchScript module keeps its branches in an export, so it never does.
    """
    if isinstance(module, torch.jit.ScriptModule):
        return False
    with torch.no_grad(), _Follower([each for each in tree_leaves(arguments) if torch.is_tensor(each)]) as follower:
        module(*arguments)
    return bool(follower.found)
