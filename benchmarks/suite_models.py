"""The models of `suites.py`: every estimator of scikit-learn, every layer of Keras, modules and networks of torch.

Each model is made in a separate process. It is saved as `model.…`, with our inputs and its framework's answers to them
in `own.npz`: as `input.0`, … with the sample as first axis, and `output.0`, …
"""

from __future__ import annotations

import importlib
import importlib.util
import warnings
from dataclasses import dataclass
from itertools import product
from typing import TYPE_CHECKING, Any

import numpy as np

from benchmarks import suite_layers

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

    from numpy.typing import NDArray

#: Largest difference of two numbers that float32 explains, relative to the largest magnitude.
CLOSE = 1e-3
#: Share of the rows that may get another label: float32 inputs move rows over a threshold.
MOVED = 0.02
#: Rows for estimators, and calls of networks.
ROWS, CALLS = 96, 4


@dataclass(frozen=True)
class Suite:
    """One kind of models."""

    package: str
    """What has to be installed."""
    format: str
    """What edgecheck converts them to."""
    names: Callable[[], list[str]]
    make: Callable[[str, Path], None]
    """Makes the model with that name in a folder."""
    trusted: bool = False
    """Whether `--trust` is given: for models that run code of their package when they are opened."""
    imported: tuple[str, ...] = ()
    """What is imported once, before processes are forked."""

    def is_installed(self) -> bool:
        """Whether the package is there."""
        return importlib.util.find_spec(self.package) is not None

    def prepare(self) -> None:
        """Import what every process needs."""
        warnings.simplefilter("ignore")
        for name in (self.package, *self.imported):
            importlib.import_module(name)


def keep(folder: Path, inputs: Sequence[NDArray[Any]], outputs: Sequence[NDArray[Any]]) -> None:
    """Write `own.npz`; text as numpy's own strings."""
    named = [(f"input.{at}", value) for at, value in enumerate(inputs)]
    named += [(f"output.{at}", value) for at, value in enumerate(outputs)]
    arrays = {name: value.astype(str) if value.dtype.kind in "OS" else value for name, value in named}
    np.savez(folder / "own.npz", **arrays)  # type: ignore[arg-type] # numpy's stub takes the names for its options


# scikit-learn


def estimators(kind: str) -> list[str]:
    """The estimators of a kind that are made without arguments, or around a simple model."""
    from sklearn.utils import all_estimators

    return [name for name, _ in all_estimators(type_filter=kind)]


def _ways(name: str) -> Iterator[Callable[[], Any]]:
    """How an estimator may be made: with its defaults, or around simple models."""
    from sklearn.linear_model import LogisticRegression, Ridge
    from sklearn.tree import DecisionTreeClassifier, DecisionTreeRegressor
    from sklearn.utils import all_estimators

    make: Any = dict(all_estimators())[name]
    is_regressor = any(word in name for word in ("Regress", "RANSAC"))
    inner: Any = Ridge() if is_regressor else LogisticRegression()
    tree: Any = DecisionTreeRegressor(max_depth=3) if is_regressor else DecisionTreeClassifier(max_depth=3)
    yield make
    yield lambda: make(inner)
    yield lambda: make([("linear", inner), ("tree", tree)])


def make_classifier(name: str, folder: Path) -> None:
    """Fit a classifier to iris, whose numbers are positive; one of several labels to three of them."""
    from sklearn.datasets import load_iris

    rows, labels = load_iris(return_X_y=True)
    labels_at_once = np.stack([labels > 0, labels > 1], axis=1).astype(int)
    _fit_and_keep(name, rows, (labels, labels_at_once, (labels > 0).astype(int)), folder)


def make_regressor(name: str, folder: Path) -> None:
    """Fit a regressor to positive numbers; one of several targets to two, and one of a single feature to that."""
    source = np.random.default_rng(0)
    rows = source.random((300, 6))
    target = 1 + 3 * rows[:, 0] + rows[:, 1] * rows[:, 2] + 0.1 * source.random(300)
    _fit_and_keep(name, rows, (target, np.stack([target, target**2], axis=1)), folder)


def _fit_and_keep(name: str, rows: NDArray[Any], targets: tuple[NDArray[Any], ...], folder: Path) -> None:
    import joblib

    rows = rows.astype(np.float32).astype(np.float64)
    said: Exception | None = None
    for way, width, target in product(_ways(name), (rows.shape[1], 1), targets):
        try:
            model = way().fit(rows[:, :width], target)
            given = _rows_around(rows[:, :width])
            answers = list(_answers(model, given))
        except (ValueError, TypeError, IndexError) as error:
            said = said or error
            continue
        joblib.dump(model, folder / "model.joblib")
        keep(folder, [given], answers)
        return
    raise ValueError(f"{name} is fitted in none of the ways: {said}")


def _rows_around(rows: NDArray[Any]) -> NDArray[Any]:
    """Rows of the training, a little moved: not those that edgecheck draws."""
    source = np.random.default_rng(1)
    chosen = rows[source.choice(len(rows), ROWS)]
    moved: NDArray[Any] = np.abs(chosen + 0.05 * rows.std(axis=0) * source.normal(size=chosen.shape))
    return moved.astype(np.float32)


def _answers(model: Any, given: NDArray[Any]) -> Iterator[NDArray[Any]]:
    yield np.asarray(model.predict(given))
    for way in ("predict_proba", "decision_function"):
        if hasattr(model, way):
            found = getattr(model, way)(given)
            if isinstance(found, list):  # one table for each of several labels
                found = np.stack(found) if len({np.shape(each) for each in found}) == 1 else np.empty(0)
            yield np.asarray(found)
            return


# Keras and torch


def make_layer(name: str, folder: Path) -> None:
    """Save a model of one Keras layer."""
    import keras

    keras.utils.set_random_seed(0)
    model, inputs = suite_layers.keras_model(name)
    calls = [[each[at : at + 1] for each in inputs] for at in range(len(inputs[0]))]
    outputs = [keras.tree.flatten(model(call if len(call) > 1 else call[0], training=False)) for call in calls]
    model.save(folder / "model.keras")
    kept = [np.concatenate([np.asarray(each[at]) for each in outputs]) for at in range(len(outputs[0]))]
    keep(folder, inputs, kept)


def make_module(name: str, folder: Path) -> None:
    """Save a torch module as an exported program."""
    import torch

    torch.manual_seed(0)
    module, shapes = suite_layers.torch_module(name)
    module.eval()
    inputs = [
        torch.randint(0, 8, (CALLS, *shape[1:])) if shape[0] == "ids" else torch.rand(CALLS, *shape) for shape in shapes
    ]
    example = tuple(each[:1] for each in inputs)
    with torch.no_grad():
        found = [module(*(each[at : at + 1] for each in inputs)) for at in range(CALLS)]
    flat = [torch.utils._pytree.tree_leaves(each) for each in found]  # noqa: SLF001 - torch has no public name for it
    outputs = [torch.cat([each[at] for each in flat]).numpy() for at in range(len(flat[0]))]
    torch.export.save(torch.export.export(module, example), folder / "model.pt2")
    keep(folder, [each.numpy() for each in inputs], outputs)


# The comparison


def difference(artifact: Path, folder: Path, form: str) -> str:
    """How the answers of the artifact to our inputs differ from the framework's in `own.npz`; empty if they do not."""
    with np.load(folder / "own.npz") as kept:
        inputs = [kept[name] for name in kept.files if name.startswith("input.")]
        wanted = [kept[name] for name in kept.files if name.startswith("output.")]
    found = _onnx_answers(artifact, inputs) if form == "onnx" else _tflite_answers(artifact, inputs)
    if not found:
        return "it has no outputs"
    for at, (own, given) in enumerate(zip(wanted, found, strict=False)):
        if own.size == 0:
            continue
        if own.size != given.size:
            return f"output {at} has shape {list(given.shape)} instead of {list(own.shape)}"
        if said := _off(own, given.reshape(own.shape)):
            return f"output {at}: {said}"
    return ""


def _off(own: NDArray[Any], given: NDArray[Any]) -> str:
    if own.dtype.kind != "f":
        if given.dtype.kind == "f":
            given = np.rint(given)
        if own.dtype.kind in "US":
            given = given.astype(str)
        unequal = float(np.mean(own != given))
        return f"{unequal:.1%} of the labels differ" if unequal > MOVED else ""
    infinite = ~np.isfinite(own)
    if not np.array_equal(own[infinite], given[infinite], equal_nan=True):
        return "other values are infinite or NaN"
    largest = float(np.abs(own[~infinite]).max(initial=0.0))
    errors = np.abs(own[~infinite].astype(np.float64) - given[~infinite])
    rows = np.abs(own.reshape(len(own), -1).astype(np.float64) - given.reshape(len(own), -1))
    rows = np.where(np.isfinite(rows), rows, 0).max(axis=1, initial=0.0)
    if len(rows) >= ROWS and np.mean(rows > CLOSE * largest) <= MOVED:
        return ""  # single rows on the other side of a threshold
    return (
        f"off by {errors.max() / largest:.2g} of the largest value" if errors.max(initial=0) > CLOSE * largest else ""
    )


def _onnx_answers(artifact: Path, inputs: list[NDArray[Any]]) -> list[NDArray[Any]]:
    import onnxruntime

    session = onnxruntime.InferenceSession(artifact, providers=["CPUExecutionProvider"])
    ports = session.get_inputs()
    if len(inputs[0]) == ROWS:
        return [np.asarray(each) for each in session.run(None, {ports[0].name: inputs[0]})]
    called = [
        session.run(None, {port.name: values[at : at + 1] for port, values in zip(ports, inputs, strict=True)})
        for at in range(len(inputs[0]))
    ]
    return [np.concatenate([each[at] for each in called]) for at in range(len(called[0]))]


def _tflite_answers(artifact: Path, inputs: list[NDArray[Any]]) -> list[NDArray[Any]]:
    from ai_edge_litert.interpreter import Interpreter

    called = []
    for at in range(len(inputs[0])):
        interpreter = Interpreter(str(artifact))  # a new one for each: some keep their state
        ports = sorted(interpreter.get_input_details(), key=lambda port: port["name"])
        for port, values in zip(ports, inputs, strict=True):
            interpreter.resize_tensor_input(port["index"], values[at : at + 1].shape)
        interpreter.allocate_tensors()
        for port, values in zip(ports, inputs, strict=True):
            interpreter.set_tensor(port["index"], values[at : at + 1])
        interpreter.invoke()
        called.append([interpreter.get_tensor(port["index"]) for port in interpreter.get_output_details()])
    return [np.concatenate([each[at] for each in called]) for at in range(len(called[0]))]


SUITES = {
    "classifiers": Suite(
        "sklearn", "onnx", lambda: estimators("classifier"), make_classifier, trusted=True, imported=("skl2onnx",)
    ),
    "regressors": Suite(
        "sklearn", "onnx", lambda: estimators("regressor"), make_regressor, trusted=True, imported=("skl2onnx",)
    ),
    "layers to tflite": Suite(
        "keras", "tflite", suite_layers.keras_names, make_layer, imported=("tensorflow", "ai_edge_litert.interpreter")
    ),
    "layers to onnx": Suite(
        "keras", "onnx", suite_layers.keras_names, make_layer, imported=("tensorflow", "tf2onnx", "onnxruntime")
    ),
    "torch modules": Suite(
        "torch", "onnx", suite_layers.torch_names, make_module, imported=("onnxscript", "onnxruntime", "torch.export")
    ),
    "torchvision": Suite(
        "torchvision", "onnx", suite_layers.torchvision_names, make_module, imported=("torch", "onnxscript")
    ),
    "timm": Suite("timm", "onnx", suite_layers.timm_names, make_module, imported=("torch", "onnxscript")),
}
