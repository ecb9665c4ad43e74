"""scikit-learn models: opened under the rules by which the gate admitted them, run, and taken apart.

Columns that are chosen by name are chosen by position afterwards.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

import joblib
import numpy as np
import sklearn
from joblib import numpy_pickle
from sklearn.base import BaseEstimator, is_classifier, is_clusterer, is_outlier_detector
from sklearn.compose import ColumnTransformer
from sklearn.pipeline import FeatureUnion, Pipeline

from edgecheck.converters.interface import TRUST_ALL, Request
from edgecheck.converters.refusals import DO_NOT_OPEN, would_import
from edgecheck.converters.safety.pickled_imports import is_harmless
from edgecheck.converters.samples import SEEDED_ROWS, Port
from edgecheck.converters.sources import boosters
from edgecheck.converters.sources.frameworks import Output
from edgecheck.converters.sources.sklearn_rows import best_found, drawn
from edgecheck.core.text import listed
from edgecheck.errors import ConversionError

if TYPE_CHECKING:
    from numpy.typing import NDArray

#: The name of the input that holds the features; scikit-learn has none for it.
FEATURES = "features"


class SklearnModel:
    """A fitted model; its input is one row of numbers."""

    def __init__(self, request: Request) -> None:
        self.model = boosters.as_estimator(_loaded(request), request.title)
        self.names = by_position(self.model)
        self._features = _features(self.model, request)
        self._drawn: list[NDArray[np.float32]] = []
        self.ports = (Port(FEATURES, (None, self._features), "float32", self._draw, SEEDED_ROWS),)
        self.is_classifier = is_classifier(self.model)
        self._scores: tuple[str, ...] = ()
        if self.is_classifier:
            self._scores = ("predict_proba", "decision_function")
        elif is_outlier_detector(self.model) or is_clusterer(self.model):
            self._scores = ("decision_function", "transform")
        else:
            self._scores = ("predict_proba",)  # mixtures

    def run(self, feed: dict[str, NDArray[Any]]) -> list[Output]:
        """See `Source.run`: a label and the scores behind it, or a regression's prediction."""
        rows = feed[FEATURES].astype(np.float64)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            try:
                predicted, scores = self._predicted(rows)
            except ValueError:  # a KMeans accepts only the number type that it was trained on
                predicted, scores = self._predicted(rows.astype(np.float32))
        if scores is None and self.is_classifier:
            return [Output("label", predicted)]
        if scores is None:
            return [Output("variable", predicted.reshape(len(rows), -1))]
        return [Output("label", predicted), Output("scores", _stacked(scores))]

    def rows(self, source: np.random.Generator, count: int) -> NDArray[np.float32]:
        """Random rows that reach what the model decides on."""
        return drawn(self.model, self._features, source, count)

    def _draw(self, source: np.random.Generator, shape: tuple[int, ...]) -> NDArray[Any]:
        """The next rows of a draw of `SEEDED_ROWS`: only in many are there categories and gaps of every kind."""
        while len(self._drawn) < shape[0]:
            self._drawn.extend(self.rows(source, SEEDED_ROWS))
        taken, self._drawn = self._drawn[: shape[0]], self._drawn[shape[0] :]
        return np.stack(taken)

    def _predicted(self, rows: NDArray[Any]) -> tuple[NDArray[Any], Any]:
        scores = next((getattr(self.model, each)(rows) for each in self._scores if hasattr(self.model, each)), None)
        predicted = np.asarray(self.model.predict(rows))
        if predicted.ndim > 1 and boosters.library_of(self.model):  # CatBoost's labels are a column
            predicted = predicted[:, 0] if predicted.shape[1] == 1 else predicted
        return predicted, scores


def _stacked(scores: Any) -> NDArray[Any]:
    """One array; for several labels with different numbers of classes, padded with zeros as skl2onnx does."""
    if not isinstance(scores, list):
        return np.asarray(scores)
    widest = max(each.shape[-1] for each in scores)
    return np.stack([np.pad(each, ((0, 0), (0, widest - each.shape[-1]))) for each in scores])


def open_model(request: Request) -> SklearnModel:
    """The model of `request`.

    Raises:
        ConversionError: it cannot be loaded, or does not predict from a row of numbers.
    """
    return SklearnModel(request)


class _Harmless(numpy_pickle.NumpyUnpickler):  # type: ignore[misc] # joblib has no types
    """Imports only what the gate admits: a second lock, in case the first was deceived."""

    def find_class(self, module: str, name: str) -> Any:
        """Import the class or function, if it is harmless."""
        if not is_harmless(module, name, "sklearn"):
            raise would_import("The model", f"{module}.{name}", DO_NOT_OPEN)
        return super().find_class(module, name)


def _loaded(request: Request) -> Any:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # about the version that wrote it, which is in the artifact's notes
            return _opened(request)
    except ConversionError:
        raise
    except Exception as error:
        if missing := _missing(request, error):
            raise missing from error
        library = boosters.LIBRARIES.get(request.source)
        name = f"scikit-learn {sklearn.__version__}" if library is None else library.title
        raise ConversionError(
            f"{name} does not open {request.title}: {' '.join(str(error).split())[:200]}",
            f"Open and save it again with the {name.partition(' ')[0]} that wrote it, or train it with this version.",
        ) from error


def _missing(request: Request, error: Exception) -> ConversionError | None:
    """The error for a package that is not installed; a module that an installed one lacks is of another version."""
    package = (getattr(error, "name", None) or "").partition(".")[0] if isinstance(error, ModuleNotFoundError) else ""
    if not package or find_spec(package) is not None:
        return None
    return boosters.missing_library(request.title, package) or ConversionError(
        f"{request.title} needs the package {package}, which is not installed here.", f"Install {package}."
    )


def _opened(request: Request) -> Any:
    if request.source in boosters.LIBRARIES:
        return boosters.of_file(request)
    return _skops(request) if request.source == "skops" else _pickled(request)


def _pickled(request: Request) -> Any:
    before = numpy_pickle.NumpyUnpickler
    numpy_pickle.NumpyUnpickler = before if request.trusted == TRUST_ALL else _Harmless
    try:
        return joblib.load(request.model)
    finally:
        numpy_pickle.NumpyUnpickler = before


def _skops(request: Request) -> Any:
    import skops.io

    named = skops.io.get_untrusted_types(file=request.model)
    for name in named:
        module, _, last = name.rpartition(".")
        if request.trusted != TRUST_ALL and not is_harmless(module, last, "sklearn"):
            raise would_import(request.title, name, DO_NOT_OPEN)
    return skops.io.load(request.model, trusted=named)


def _features(model: Any, request: Request) -> int:
    """The number of features in a row.

    Raises:
        ConversionError: the model does not predict from a row of numbers.
    """
    library = boosters.library_of(next(steps(model)))
    kind = f"{library.title} {type(model).__name__}" if library else type(model).__name__
    if not isinstance(model, BaseEstimator) and library is None:
        raise ConversionError(
            f"{request.title} holds a {kind}, not an estimator.", "Save the estimator itself: joblib.dump(model, path)."
        )
    if not hasattr(model, "predict"):
        raise ConversionError(
            f"{request.title} holds a {kind}, which prepares data and predicts nothing.",
            "Save the entire pipeline, with the model at its end.",
        )
    try:
        count = boosters.width(next(steps(model)))
    except Exception:  # noqa: BLE001 - XGBoost and LightGBM raise their own errors where a model was never fitted
        count = None
    if not isinstance(count, (int, np.integer)):
        raise ConversionError(
            f"{request.title} holds a {kind} that does not take rows of numbers, or was never fitted.",
            "edgecheck converts models of numeric features; turn text into numbers before the model.",
        )
    if takes_text(model):
        raise ConversionError(
            f"{request.title} holds a {kind} with a column of words.",
            "edgecheck converts models of numeric features: encode the words before the model, in training and on the"
            " device.",
        )
    return int(count)


def steps(model: Any) -> Iterator[Any]:
    """The steps of a pipeline and of pipelines inside it; any other model is one step. Of a search, its best model."""
    model = best_found(model)
    if not isinstance(model, Pipeline):
        yield model
        return
    for _, step in model.steps:
        if step is not None and step != "passthrough":
            yield from steps(step)


def takes_text(model: Any) -> bool:
    """Whether an encoder in the model was fitted to words, so that one of its columns holds words."""
    return any(
        isinstance(value, str)
        for part in _transformers(model)
        for categories in getattr(part, "categories_", ())
        for value in categories[:1]
    )


def _transformers(model: Any) -> Iterator[Any]:
    """Every part that prepares columns, at any depth."""
    for step in steps(model):
        if isinstance(step, ColumnTransformer):
            for _, inner, _ in getattr(step, "transformers_", ()):
                yield from _transformers(inner)
        elif isinstance(step, FeatureUnion):
            for _, inner in step.transformer_list:
                yield from _transformers(inner)
        else:
            yield step


# A device has no DataFrame, and .onnx one row of numbers. scikit-learn keeps the position of each name from the
# training.

#: Names that a note lists.
_MOST_NAMED = 12


def by_position(model: Any) -> tuple[str, ...]:
    """Have every part of a fitted model take its columns by position, in place.

    Returns:
        The names of the row's columns in their order, if any part had taken them by name; else empty.
    """
    changed = False
    for part in _parts(model, set()):
        if isinstance(part, ColumnTransformer) and hasattr(part, "_transformer_to_input_indices"):
            changed |= _renumber(part)
    return tuple(map(str, getattr(model, "feature_names_in_", ()))) if changed else ()


def in_order(names: tuple[str, ...]) -> str:
    """A note on the order of the columns."""
    return f"It was trained on columns with names; the row has them in that order: {listed(names, _MOST_NAMED)}."


def _renumber(part: ColumnTransformer) -> bool:
    places = part._transformer_to_input_indices  # noqa: SLF001 - nothing public has them
    renumbered = [
        (name, inner, [int(each) for each in places[name]] if name in places else columns)
        for name, inner, columns in part.transformers_
    ]
    has_names = any(_are_names(columns) for _, _, columns in part.transformers_)
    part.transformers_ = renumbered
    if has_names:
        part.transformers = [
            (name, inner, [int(each) for each in places[name]] if name in places else columns)
            for name, inner, columns in part.transformers
        ]
    return has_names


def _are_names(columns: Any) -> bool:
    if isinstance(columns, slice):
        return isinstance(columns.start, str) or isinstance(columns.stop, str)
    return any(isinstance(each, str) for each in np.atleast_1d(np.asarray(columns, dtype=object)))


def _parts(value: Any, seen: set[int]) -> Iterator[Any]:
    """`value` and every estimator in it, at any depth, each once."""
    if id(value) in seen:
        return
    seen.add(id(value))
    if isinstance(value, BaseEstimator):
        yield value
        inside = list(vars(value).values())
    elif isinstance(value, dict):
        inside = list(value.values())
    elif isinstance(value, (list, tuple)) or (isinstance(value, np.ndarray) and value.dtype == object):
        inside = list(value)
    else:
        return
    for each in inside:
        yield from _parts(each, seen)
