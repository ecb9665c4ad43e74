"""PyTorch: a module from a factory and its weights, a pickled module, an exported program, TorchScript."""

from __future__ import annotations

import inspect
from importlib import import_module
from typing import TYPE_CHECKING, Any

import torch
from torch.utils import _pytree
from torch.utils._python_dispatch import TorchDispatchMode

from edgecheck.converters.interface import Request
from edgecheck.converters.matching import assigned, matched
from edgecheck.converters.refusals import other_names, unknown_inputs
from edgecheck.converters.safety import factories
from edgecheck.converters.samples import Port, described
from edgecheck.converters.sources import torch_inputs, torch_weights
from edgecheck.converters.sources.frameworks import Output
from edgecheck.errors import ConversionError

if TYPE_CHECKING:
    from numpy.typing import NDArray


class TorchModel:
    """A module in evaluation mode, or the module of a program or a script.

    With `seeded` its random inputs are those that its tables have.
    """

    def __init__(
        self, module: Any, ports: tuple[Port, ...], notes: tuple[str, ...] = (), *, seeded: bool = False
    ) -> None:
        self.module = module
        self.ports = torch_inputs.ranged(module, ports) if seeded else ports
        self.notes = notes
        self._buffers = [(each, each.clone()) for each in module.buffers()]

    def run(self, feed: dict[str, NDArray[Any]]) -> list[Output]:
        """See `Source.run`."""
        arguments = [torch.from_numpy(feed[port.name]) for port in self.ports]
        self.reset()
        with torch.no_grad(), _Softmaxes() as softmaxes:
            answer = self.module(*arguments)
        return [Output(name, value.numpy(), softmaxes.before(value)) for name, value in named_outputs(answer)]

    def reset(self) -> None:
        """Reset the buffers that earlier calls changed: an artifact starts without those changes."""
        with torch.no_grad():
            for each, first in self._buffers:
                each.copy_(first)

    @property
    def is_by_name(self) -> bool:
        """Whether the module is called by name, behind a `forward(*values)`."""
        return isinstance(self.module, _Named)

    def arguments(self, shapes: dict[str, tuple[int, ...]], batch: int) -> tuple[Any, ...]:
        """Example values with a batch of that size, for tracing."""
        return tuple(
            torch.ones((batch, *shapes[port.name][1:]), dtype=getattr(torch, port.dtype)) for port in self.ports
        )


class _Named(torch.nn.Module):  # type: ignore[misc] # torch is skipped by mypy here, so that it need not be installed
    """A module with some of its optional arguments, which their positions do not identify."""

    def __init__(self, module: Any, names: list[str]) -> None:
        super().__init__()
        self.module = module
        self.names = names

    def forward(self, *values: Any) -> Any:
        """Call the module by its arguments' names."""
        return self.module(**dict(zip(self.names, values, strict=True)))


class _Softmaxes(TorchDispatchMode):  # type: ignore[misc] # torch is skipped by mypy here, so that it need not be installed
    """Records the input and the output of every softmax that runs in its context."""

    def __init__(self) -> None:
        super().__init__()
        self._seen: list[tuple[Any, Any]] = []

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        del types
        result = func(*args, **(kwargs or {}))
        if func is torch.ops.aten._softmax.default:  # noqa: SLF001 - the operator's own name
            self._seen.append((args[0], result))
        return result

    def before(self, value: Any) -> NDArray[Any] | None:
        """The input of the softmax that made `value`; None if none did."""
        found = [
            given for given, made in self._seen if made.data_ptr() == value.data_ptr() and made.shape == value.shape
        ]
        array: NDArray[Any] | None = found[-1].numpy() if found else None
        return array


def named_outputs(answer: Any) -> list[tuple[str, Any]]:
    """The tensors in a module's return value, of any structure, in order and with their names."""
    fields = answer._asdict() if hasattr(answer, "_asdict") else answer
    if isinstance(fields, dict) and all(isinstance(value, torch.Tensor) for value in fields.values()):
        return [(str(name), value) for name, value in fields.items()]
    leaves = [each for each in _pytree.tree_leaves(answer) if isinstance(each, torch.Tensor)]
    return [(f"output_{index}", each) for index, each in enumerate(leaves)]


def open_model(request: Request) -> TorchModel:
    """The model of `request`.

    Raises:
        ConversionError: it cannot be loaded, its weights do not fit its factory, or nothing says what its inputs are.
    """
    if request.source == "pt2":
        return _program(request)
    if request.source == "torchscript":
        return _script(request)
    module, notes = _built(request) if request.factory else torch_weights.pickled_module(request)
    module.eval()
    module, widened = _as_float32(module)
    ports = ports_of(_parameters(module.forward), request)
    module = _by_name(module, [port.name for port in ports])
    if request.samples is None:
        ports = torch_inputs.typed(module, ports, request.title)
    return TorchModel(module, ports, (*notes, *widened), seeded=request.samples is None)


def _as_float32(module: Any) -> tuple[Any, tuple[str, ...]]:
    """A network converted to float32, the variant that every conversion begins with, and a note if that changed it."""
    kinds = {str(each.dtype).removeprefix("torch.") for each in module.parameters() if each.is_floating_point()}
    others = sorted(kinds - {"float32"})
    if not others:
        return module, ()
    return module.float(), (f"Its weights are {' and '.join(others)}; it was converted in float32.",)


def _by_name(module: Any, names: list[str]) -> Any:
    """The module; called by name if `names` are not its first arguments in their order."""
    parameters = inspect.signature(module.forward).parameters
    positional = [name for name, each in parameters.items() if each.kind is not inspect.Parameter.KEYWORD_ONLY]
    by_name = names != positional[: len(names)] and set(names) <= set(parameters)
    return _Named(module, names) if by_name else module


def exported(request: Request) -> Any:
    """The `ExportedProgram` of a .pt2."""
    return torch.export.load(request.model)


def _program(request: Request) -> TorchModel:
    program = exported(request)
    given = tuple(program.graph_signature.user_inputs)
    shapes = {node.name: node.meta["val"] for node in program.graph.nodes if node.op == "placeholder"}
    ports = tuple(
        Port(
            name,
            tuple(size if isinstance(size, int) else None for size in shapes[name].shape),
            str(shapes[name].dtype).removeprefix("torch."),
        )
        for name in given
        if name in shapes
    )
    return TorchModel(_called_as_exported(program, given, shapes), ports, seeded=request.samples is None)


class _AsExported(torch.nn.Module):  # type: ignore[misc] # torch is skipped by mypy here, so that it need not be installed
    """An exported program, called with its tensors in order: numbers that the export fixed are added, and so are names.

    `given` has None for a tensor.
    """

    def __init__(self, module: Any, given: tuple[Any, ...], form: Any) -> None:
        super().__init__()
        self.module = module
        self.given = given
        self.form = form

    def forward(self, *values: Any) -> Any:
        """Call the program in the form in which it was exported."""
        rest = iter(values)
        leaves = [next(rest) if each is None else each for each in self.given]
        arguments, named = _pytree.tree_unflatten(leaves, self.form)
        return self.module(*arguments, **named)


def _called_as_exported(program: Any, given: tuple[Any, ...], shapes: dict[str, Any]) -> Any:
    form = program.call_spec.in_spec
    arguments, named = _pytree.tree_unflatten(list(given), form)
    if not named and tuple(arguments) == given and all(each in shapes for each in given):
        return program.module()
    return _AsExported(program.module(), tuple(None if each in shapes else each for each in given), form)


def _script(request: Request) -> TorchModel:
    module, notes = _as_float32(torch.jit.load(request.model, map_location="cpu").eval())
    names = [each.name for each in module.forward.schema.arguments[1:] if not each.has_default_value()]
    ports = ports_of(names, request)
    if request.samples is None:
        ports = torch_inputs.typed(module, ports, request.title)
    return TorchModel(module, ports, notes, seeded=request.samples is None)


def _built(request: Request) -> tuple[Any, tuple[str, ...]]:
    """The factory's network with the weights in it."""
    network = _network(request)
    if not isinstance(network, torch.nn.Module):
        raise ConversionError(
            f"{request.factory} returns a {type(network).__name__}, not a torch.nn.Module.",
            "Return the network itself.",
        )
    weights, notes = torch_weights.state_dict(request)
    torch_weights.fill(network, weights, request)
    return network, notes


def _network(request: Request) -> Any:
    """Call the factory."""
    name, function = factories.parts(request.factory)
    code = factories.code(request.factory, request.home)
    factories.allow(code)
    try:
        build = getattr(import_module(name), function, None)
        if callable(build):
            return build()
    except ModuleNotFoundError:
        raise  # `child` finds out whose code imported the module
    except Exception as error:
        raise ConversionError(
            f"The factory {request.factory} failed: {factories.failure(error, code)}.",
            "It is called without arguments and has to return the network.",
        ) from error
    raise ConversionError(f"{name} has no function {function}.", "Name the function that builds the network.")


def _parameters(forward: Any) -> list[str]:
    """The names of the required arguments."""
    kinds = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)
    return [
        name
        for name, each in inspect.signature(forward).parameters.items()
        if each.kind in kinds and each.default is inspect.Parameter.empty
    ]


def ports_of(parameters: list[str], request: Request) -> tuple[Port, ...]:
    """The inputs under the arguments' names, with shapes and types from the budget or the samples."""
    known = _known(request)
    names = parameters if len(parameters) >= len(known) else list(known)
    places = (matched if len(known) == 1 else assigned)(names, list(known))
    if places is None and len(known) == len(names):
        raise other_names(
            "The samples or `inputs:` name", known, names, "Use the names of the arguments of its forward."
        )
    if places is None:
        example = ", ".join(f"{name}: [1, …]" for name in parameters)
        raise unknown_inputs(request.title, "what shape its inputs have", example)
    shapes = list(known.values())
    return tuple(
        Port(name, (None, *shapes[place][0]), shapes[place][1]) for name, place in zip(names, places, strict=True)
    )


def _known(request: Request) -> dict[str, tuple[tuple[int, ...], str]]:
    """By name: the shape of one sample without the batch, and its type."""
    if request.samples is not None:
        found = described(request.samples)
        return {name: (shape, "float32" if "float" in dtype else dtype) for name, (shape, dtype) in found.items()}
    return {name: (tuple(shape[1:]), "float32") for name, shape in request.inputs.items()}
