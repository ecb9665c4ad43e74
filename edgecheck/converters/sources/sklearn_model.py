"""scikit-learn models, opened under the same rules by which the gate let them in."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING, Any

import joblib
import numpy as np
import sklearn
from joblib import numpy_pickle
from sklearn.base import BaseEstimator, is_classifier, is_clusterer, is_outlier_detector

from edgecheck.converters.interface import TRUST_ALL
from edgecheck.converters.safety.allowlist import is_harmless
from edgecheck.converters.samples import Port
from edgecheck.converters.sources.interface import Output
from edgecheck.converters.sources.sklearn_parts import steps, takes_text
from edgecheck.errors import ConversionError

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from edgecheck.converters.interface import Request

#: What the input is called that holds the features; scikit-learn has no name for it.
FEATURES = "features"


class SklearnModel:
    """A fitted model; its input is one row of numbers."""

    def __init__(self, request: Request) -> None:
        self.model = _loaded(request)
        self.ports = (Port(FEATURES, (None, _features(self.model, request)), "float32"),)
        self.is_classifier = is_classifier(self.model)
        self._scores: tuple[str, ...] = ()
        if self.is_classifier:
            self._scores = ("predict_proba", "decision_function")
        elif is_outlier_detector(self.model) or is_clusterer(self.model):
            self._scores = ("decision_function", "transform")
        else:
            self._scores = ("predict_proba",)  # mixtures

    def run(self, feed: dict[str, NDArray[Any]]) -> list[Output]:
        """See `Source.run`: a label and what it was decided from, or a regression's prediction."""
        rows = feed[FEATURES].astype(np.float64)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            try:
                predicted, scores = self._predicted(rows)
            except ValueError:  # a KMeans takes the numbers that it was trained on, and no others
                predicted, scores = self._predicted(rows.astype(np.float32))
        if scores is None and self.is_classifier:
            return [Output("label", predicted)]
        if scores is None:
            return [Output("variable", predicted.reshape(len(rows), -1))]
        return [Output("label", predicted), Output("scores", _stacked(scores))]

    def _predicted(self, rows: NDArray[Any]) -> tuple[NDArray[Any], Any]:
        scores = next((getattr(self.model, each)(rows) for each in self._scores if hasattr(self.model, each)), None)
        return np.asarray(self.model.predict(rows)), scores


def _stacked(scores: Any) -> NDArray[Any]:
    """One array; of several labels with unequally many classes, filled with zeros as skl2onnx fills them."""
    if not isinstance(scores, list):
        return np.asarray(scores)
    widest = max(each.shape[-1] for each in scores)
    return np.stack([np.pad(each, ((0, 0), (0, widest - each.shape[-1]))) for each in scores])


def open_model(request: Request) -> SklearnModel:
    """The model of `request`.

    Raises:
        ConversionError: it cannot be loaded, or it predicts nothing from a row of numbers.
    """
    return SklearnModel(request)


class _Harmless(numpy_pickle.NumpyUnpickler):  # type: ignore[misc] # joblib has no types
    """Imports what the gate lets pass and nothing else: a second lock, should the first have been deceived."""

    def find_class(self, module: str, name: str) -> Any:
        """The class or function, if it is harmless."""
        if not is_harmless(module, name, "sklearn"):
            raise ConversionError(f"It would import and run {module}.{name}.", "Do not open it.")
        return super().find_class(module, name)


def _loaded(request: Request) -> Any:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # another version wrote it: the artifact's notes say which
            return _skops(request) if request.source == "skops" else _pickled(request)
    except ConversionError:
        raise
    except Exception as error:
        raise ConversionError(
            f"scikit-learn {sklearn.__version__} does not open {request.title}: {' '.join(str(error).split())[:200]}",
            "Open and save it again with the scikit-learn that wrote it, or train it with this one.",
        ) from error


def _pickled(request: Request) -> Any:
    if request.trusted != TRUST_ALL:
        numpy_pickle.NumpyUnpickler = _Harmless
    return joblib.load(request.model)


def _skops(request: Request) -> Any:
    import skops.io

    named = skops.io.get_untrusted_types(file=request.model)
    for name in named:
        module, _, last = name.rpartition(".")
        if request.trusted != TRUST_ALL and not is_harmless(module, last, "sklearn"):
            raise ConversionError(f"{request.title} would import and run {name}.", "Do not open it.")
    return skops.io.load(request.model, trusted=named)


def _features(model: Any, request: Request) -> int:
    """How many numbers a row has."""
    kind = type(model).__name__
    if not isinstance(model, BaseEstimator):
        raise ConversionError(
            f"{request.title} holds a {kind}, not an estimator.", "Save the estimator itself: joblib.dump(model, path)."
        )
    if not hasattr(model, "predict"):
        raise ConversionError(
            f"{request.title} holds a {kind}, which prepares data and predicts nothing.",
            "Give the whole pipeline, with the model at its end.",
        )
    count = getattr(next(steps(model)), "n_features_in_", None)
    if not isinstance(count, (int, np.integer)):
        raise ConversionError(
            f"{request.title} holds a {kind} that takes no rows of numbers, or was never fitted.",
            "edgecheck converts models of numeric features; text is turned into numbers before.",
        )
    if takes_text(model):
        raise ConversionError(
            f"{request.title} holds a {kind} with a column of words.",
            "edgecheck converts models of numeric features: encode the words before the model, in training and on the"
            " device.",
        )
    return int(count)
