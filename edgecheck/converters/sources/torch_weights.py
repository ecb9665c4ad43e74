"""PyTorch weights: loaded as data only, separated from the rest of a checkpoint, and put into a network."""

from __future__ import annotations

from collections.abc import Mapping
from pickle import UnpicklingError
from typing import Any

import torch
from torch.utils import _pytree

from edgecheck.converters.interface import TRUST_ALL, Request
from edgecheck.converters.refusals import weights_without_network
from edgecheck.converters.safety.gate import would_run
from edgecheck.errors import ConversionError

#: Keys under which checkpoints keep the network's weights.
_MODEL_KEYS = (
    "state_dict",
    "model_state_dict",
    "model_state",
    "model",
    "net",
    "network",
    "module",
    "weights",
    "params",
)

#: Keys under which checkpoints keep the network itself; the averaged one, if there is any, is what its author ships.
_MODULE_KEYS = ("ema", "model_ema", "model", "module", "net", "network", "generator")

#: Prefixes that wrappers put in front of every name: data parallel training, torch.compile, Lightning.
_PREFIXES: tuple[str, ...] = ("module.", "_orig_mod.", "model.", "net.")

_SAVE = "Save the weights alone: torch.save(model.state_dict(), path)."

#: Tensors that a message names at most.
_NAMED = 3


def state_dict(request: Request) -> tuple[dict[str, Any], tuple[str, ...]]:
    """The weights in a file, and notes on what else a training left in it; runs no code.

    Raises:
        ConversionError: it does not hold a state dict, or holds more than data.
    """
    if request.source == "safetensors":
        from safetensors.torch import load_file

        return load_file(request.model), ()
    try:
        found = torch.load(request.model, map_location="cpu", weights_only=True)
    except Exception as error:
        raise ConversionError(_no_weights(request, error), _SAVE) from error
    return _model_part(found, request)


def _no_weights(request: Request, error: Exception) -> str:
    """Why a file could not be loaded as data; torch's own message is a page of advice to trust the pickle."""
    if named := would_run(request):
        return f"{request.title} holds more than weights, which a factory cannot use: it would import and run {named}."
    if isinstance(error, UnpicklingError):
        return f"{request.title} holds more than weights, or is damaged: torch does not load it as data."
    said = next((line.strip() for line in str(error).splitlines() if line.strip()), "")
    return f"{request.title} cannot be loaded: {type(error).__name__}{': ' if said else ''}{said.rstrip('.')}."


def _model_part(found: Any, request: Request) -> tuple[dict[str, Any], tuple[str, ...]]:
    if _is_weights(found):
        return dict(found), ()
    if isinstance(found, dict):
        held = [each for each, value in found.items() if _is_weights(value)]
        key = next((each for each in _MODEL_KEYS if each in held), held[0] if len(held) == 1 else "")
        if not key and held:
            raise ConversionError(
                f"{request.title} holds several state dicts: {_some(sorted(map(str, held)))}.",
                "Save the one of the network alone: torch.save(checkpoint[NAME], path).",
            )
        if key:
            rest = {name: _size(value) for name, value in found.items() if name != key}
            notes = [f"{name} ({size / 1e6:.1f} MB)" for name, size in rest.items() if size]
            left = (f"The checkpoint also holds {', '.join(notes)}, which is not part of the model.",) if notes else ()
            return dict(found[key]), left
    raise ConversionError(f"{request.title} does not hold a state dict.", _SAVE)


def _is_weights(value: Any) -> bool:
    return isinstance(value, dict) and bool(value) and all(isinstance(each, torch.Tensor) for each in value.values())


def _size(value: Any) -> int:
    """Bytes of the tensors in a value of any structure."""
    return sum(each.numel() * each.element_size() for each in _pytree.tree_leaves(value) if torch.is_tensor(each))


def fill(network: Any, weights: Mapping[str, Any], request: Request) -> None:
    """Load all of the weights into the network.

    Raises:
        ConversionError: names or shapes differ.
    """
    expected = set(network.state_dict())
    named = dict(weights)
    for prefix in _PREFIXES:
        if not expected & set(named) and all(name.startswith(prefix) for name in named):
            named = {name.removeprefix(prefix): value for name, value in named.items()}
    missing, surplus = sorted(expected - set(named) - _not_needed(network, named)), sorted(set(named) - expected)
    if missing or surplus:
        raise ConversionError(
            f"The weights in {request.title} are not those of {request.factory}: {_differences(missing, surplus)}.",
            "Check that the factory builds the network that was trained.",
        )
    try:
        network.load_state_dict(named, strict=False)
    except RuntimeError as error:
        raise ConversionError(
            f"The weights in {request.title} do not fit {request.factory}: {str(error).splitlines()[-1].strip()}",
            "Check that the factory builds the network that was trained.",
        ) from error


def _not_needed(network: Any, named: Mapping[str, Any]) -> set[str]:
    """Names that may be missing: weights tied to one that is there, which safetensors omits, and batch counters."""
    every = network.state_dict()
    kept = {every[name].data_ptr() for name in named if torch.is_tensor(every.get(name))}
    return {
        name
        for name, value in every.items()
        if name.endswith("num_batches_tracked") or (torch.is_tensor(value) and value.data_ptr() in kept)
    }


def _differences(missing: list[str], surplus: list[str]) -> str:
    said = []
    if missing:
        said.append(f"{len(missing)} are missing ({_some(missing)})")
    if surplus:
        said.append(f"{len(surplus)} are not used ({_some(surplus)})")
    return " and ".join(said)


def _some(names: list[str]) -> str:
    return ", ".join([*names[:_NAMED], *(["…"] if len(names) > _NAMED else [])])


def pickled_module(request: Request) -> tuple[Any, tuple[str, ...]]:
    """A pickled module, class and weights, and a note if it is inside a checkpoint.

    Whether its code may run was decided before this process began.

    Raises:
        ConversionError: the file holds only weights, or the module's class is not found.
    """
    try:
        found = torch.load(request.model, map_location="cpu", weights_only=request.trusted != TRUST_ALL)
    except (AttributeError, ModuleNotFoundError) as error:
        raise ConversionError(
            f"The class of the module in {request.title} was not found: {error}.",
            "Export it with torch.export.save where its code is, or give only the weights, with a factory "
            "(--factory, or `factory` in a budget).",
        ) from error
    notes: tuple[str, ...] = ()
    if isinstance(found, dict):
        key = next((each for each in _MODULE_KEYS if isinstance(found.get(each), torch.nn.Module)), "")
        if key:
            found, notes = found[key], (f"It is a checkpoint; its network is the one under `{key}`.",)
    if not isinstance(found, torch.nn.Module):
        raise weights_without_network(
            request.title,
            "Give --factory package.module:build, in a budget "
            '`model: {factory: "package.module:build", weights: FILE}`, or export it with torch.export.save.',
        )
    return found, notes
