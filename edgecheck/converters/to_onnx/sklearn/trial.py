"""A converted scikit-learn model is tried before it is handed over, on the samples or on rows that reach its decisions.

skl2onnx converts some models wrongly without a word. Rounding to float32 moves single rows to another branch of a tree,
so a few rows may differ; more of them mean that the artifact is another model.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from edgecheck.converters.samples import feeds
from edgecheck.converters.sources.onnx_runner import array_of, session_of
from edgecheck.converters.sources.sklearn_model import FEATURES
from edgecheck.core.sayings import plain
from edgecheck.errors import ConversionError

if TYPE_CHECKING:
    import onnx
    from numpy.typing import NDArray

    from edgecheck.converters.interface import Request
    from edgecheck.converters.sources.sklearn_model import SklearnModel

#: Rows that are drawn where there are no samples.
_ROWS = 128

#: Difference of two scores or predictions, relative to their spread: float32 stays below it, another layout is above.
CLOSE = 1e-3

#: Difference of two probabilities that rounding cannot explain.
_PROBABLE = 1e-2

#: Share of rows with a wrong answer above which rounding cannot be the cause.
_WRONG = 0.05

#: Magnitude beyond which float32 resolves no more of a spread, as a share of the values.
_FINE = 1e-3

_HINT = "Train a model of another kind; forests, boosting, linear models, SVMs and MLPs keep their answers."


class Trial:
    """The rows, and what scikit-learn answers for them."""

    def __init__(self, source: SklearnModel, request: Request) -> None:
        self.rows = _rows(source, request)
        self._drawn = request.samples is None
        self.title = request.title
        try:
            self.outputs = [np.asarray(each.value) for each in source.run({FEATURES: self.rows})]
        except (ValueError, IndexError) as error:
            raise ConversionError(
                f"scikit-learn does not predict the {self._words} for {self.title}:"
                f" {' '.join(str(error).split())[:200].rstrip('.')}.",
                "Give `samples` of rows that the model takes.",
            ) from error

    @property
    def _words(self) -> str:
        return f"{len(self.rows)} {'random rows' if self._drawn else 'samples'}"

    def run(self, model: onnx.ModelProto) -> list[NDArray[Any]]:
        """The artifact's outputs.

        Raises:
            ConversionError: onnxruntime does not run it.
        """
        try:
            found = session_of(model, Path()).run(None, {FEATURES: self.rows})
        except Exception as error:
            raise ConversionError(
                f"skl2onnx converts {self.title} to what onnxruntime does not run: {plain(str(error))}.",
                _HINT,
            ) from error
        return [array_of(value) for value in found]

    def ensure_same(self, model: onnx.ModelProto) -> None:
        """Compare every output that both have.

        Raises:
            ConversionError: the artifact answers something else, or nothing.
        """
        found = self.run(model)
        label, *scores = self.outputs
        if np.size(found[0]) != label.size:
            raise ConversionError(
                f"What skl2onnx makes of {self.title} returns {list(np.shape(found[0]))} for"
                f" {len(self.rows)} rows, where `predict` returns {list(label.shape)}: it is not the model.",
                _HINT,
            )
        given = np.asarray(found[0]).reshape(label.shape)
        if label.dtype.kind == "f" and not scores:
            self._ensure_few(_is_off(label, given), "predictions")
            return
        wrong: NDArray[np.bool_] = np.broadcast_to(np.asarray(label != given), label.shape)
        if label.ndim == 1 and scores and len(scores[0]) == len(label):
            wrong = np.logical_and(wrong, _is_sure(scores[0]))
        self._ensure_few(wrong, "labels")
        if scores and len(found) > 1 and np.shape(found[1]) == scores[0].shape and _are_probabilities(scores[0]):
            self._ensure_few(np.abs(scores[0] - found[1]) > _PROBABLE, "probabilities")

    def _ensure_few(self, wrong: NDArray[np.bool_], what: str) -> None:
        rows: NDArray[np.bool_] = np.any(wrong.reshape(len(self.rows), -1), axis=1)
        if rows.mean() <= _WRONG:
            return
        gaps: NDArray[np.bool_] = np.any(np.isnan(self.rows), axis=1)
        where = " with missing values" if gaps.any() and not np.any(rows[~gaps]) else ""
        raise ConversionError(
            f"skl2onnx gets the {what} of {self.title} wrong: {rows.sum()} of {self._words}{where} get other {what}.",
            _HINT,
        )


def _rows(source: SklearnModel, request: Request) -> NDArray[np.float32]:
    if request.samples is not None:
        return np.concatenate([feed[FEATURES] for feed in feeds(source.ports, request).each]).astype(np.float32)
    return source.rows(np.random.Generator(np.random.PCG64(0)), _ROWS)


def _is_off(wanted: NDArray[Any], found: NDArray[Any]) -> NDArray[np.bool_]:
    """By row and value: whether a prediction differs by more than float32 explains."""
    wanted = wanted.astype(np.float64)
    scale = max(float(np.ptp(wanted)), _FINE * float(np.abs(wanted).max(initial=0.0)))
    off: NDArray[np.bool_] = np.logical_not(np.abs(wanted - found) <= CLOSE * scale)
    return off


def _is_sure(scores: NDArray[Any]) -> NDArray[np.bool_]:
    """Whether each row's label is further from the next one than rounding can move it."""
    ranked = np.sort(scores, axis=1) if scores.ndim > 1 else np.stack([-np.abs(scores), np.abs(scores)], axis=1)
    if ranked.shape[1] < 2:  # noqa: PLR2004 - a single column has no second one
        return np.ones(len(scores), dtype=bool)
    sure: NDArray[np.bool_] = ranked[:, -1] - ranked[:, -2] > CLOSE * np.abs(scores).max()
    return sure


def _are_probabilities(scores: NDArray[Any]) -> bool:
    """Whether `scores` holds a row of probabilities for each row; those of several labels have another axis."""
    return (
        scores.ndim == np.ndim([[]])
        and bool(np.all(scores >= 0))
        and bool(np.allclose(scores.sum(axis=-1), 1, atol=1e-3))
    )
