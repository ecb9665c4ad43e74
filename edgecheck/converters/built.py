"""A model from a factory that is called with a value: in the child process of a sweep."""

from __future__ import annotations

import json
from importlib import import_module
from pathlib import Path
from typing import Any

from edgecheck.converters.interface import Made, Request
from edgecheck.converters.safety import factories
from edgecheck.errors import ConversionError

#: Modules of the classes that a factory may return -> the suffix of the file and how it is written.
_WRITERS = {
    "keras": (".keras", lambda model, path: model.save(path)),
    "torch": (".pth", lambda model, path: _torch().save(model.state_dict(), path)),
    "onnx": (".onnx", lambda model, path: path.write_bytes(model.SerializeToString())),
}


def make(request: Request, folder: Path) -> Made:
    """Call the factory with `request.name`, a value in JSON, and write what it returns.

    A Keras model becomes a .keras, a torch module the .pth of its weights, an ONNX model an .onnx, any other object a
    .joblib.

    Raises:
        ConversionError: the factory fails, or returns nothing.
    """
    module, function = factories.parts(request.factory)
    code = factories.code(request.factory, request.home)
    factories.allow(code)
    value = json.loads(request.name)
    try:
        model = getattr(import_module(module), function)(value)
    except ModuleNotFoundError:
        raise
    except Exception as error:
        raise ConversionError(
            f"The factory {request.factory} failed with {value!r}: {factories.failure(error, code)}.",
            "It is called with one value, and returns a model.",
        ) from error
    if model is None:
        raise ConversionError(f"The factory {request.factory} returned nothing for {value!r}.", "Return the model.")
    suffix, write = _writer(model)
    path = folder / f"model{suffix}"
    write(model, path)
    return Made((path,), f"{request.factory}({value!r})")


def _writer(model: Any) -> tuple[str, Any]:
    for kind in type(model).__mro__:
        top = kind.__module__.partition(".")[0]
        if top in _WRITERS:
            return _WRITERS[top]
    joblib = import_module("joblib")
    return ".joblib", joblib.dump


def _torch() -> Any:
    return import_module("torch")
