"""Whether a converted model of boosted trees answers what its library answers, on rows around its own thresholds."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from edgecheck.converters.sources.onnx_runner import session_of
from edgecheck.converters.sources.sklearn_model import FEATURES, steps
from edgecheck.converters.to_onnx.sklearn.boosters import INSTEAD, thresholds
from edgecheck.errors import ConversionError

if TYPE_CHECKING:
    import onnx
    from numpy.typing import NDArray

    from edgecheck.converters.sources.boosters import Library
    from edgecheck.converters.sources.sklearn_model import SklearnModel

#: Rows on which source and artifact are compared.
_ROWS = 256
#: Share of their features that are missing: all three libraries take NaN.
_MISSING = 0.1
#: How far from a threshold rows are where rounding may move them, relative to it.
_ASIDE = 1e-3
#: Difference of two outputs, relative to the largest: what float32 loses in a sum of leaves stays below it.
_CLOSE = 1e-3
#: Share of rows that may differ by more: a threshold that float32 does not hold moves few rows.
_WRONG = 0.01


def ensure_same(model: onnx.ModelProto, source: SklearnModel, title: str, library: Library) -> None:
    """Compare artifact and source on rows at the model's own thresholds; some of their features are missing or zero.

    Raises:
        ConversionError: over one row in a hundred gets another answer.
    """
    rows = _rows(model, source)
    wanted = [np.asarray(each.value) for each in source.run({FEATURES: rows})]
    found = [np.asarray(each) for each in session_of(model, Path()).run(None, {FEATURES: rows})]
    wrong = _differing(wanted[-1], found[-1])
    if wrong > _WRONG:
        raise ConversionError(
            f"{title} would answer otherwise as .onnx: {wrong:.0%} of {_ROWS} rows around its thresholds differ from"
            f" {library.title}.",
            INSTEAD,
        )


def _rows(model: onnx.ModelProto, source: SklearnModel) -> NDArray[np.float32]:
    """Rows that reach both sides of every kind of split: thresholds, their neighbours, zeros and missing values."""
    random = np.random.Generator(np.random.PCG64(0))
    width = source.ports[0].dims[1] or 1
    plain = random.normal(size=(_ROWS, width)).astype(np.float32)
    before = list(steps(source.model))[:-1]
    rows: NDArray[np.float32] = plain.copy()
    for feature, values in _by_feature(model).items():
        if feature < width:  # otherwise behind a step that adds features
            rows[:, feature] = _around(np.array(values, np.float32), random, exactly=not before)
    rows[random.random(rows.shape) < _MISSING] = 0
    for step in reversed(before):  # the thresholds are those of scaled features
        if hasattr(step, "inverse_transform"):
            try:
                rows = np.asarray(step.inverse_transform(rows), np.float32)
            except (ValueError, TypeError):  # a step that was fitted on another number of columns
                return plain
    if rows.shape != plain.shape:
        return plain
    if not before and _takes_nan(source):
        rows[random.random(rows.shape) < _MISSING] = np.nan
    return rows


def _by_feature(model: onnx.ModelProto) -> dict[int, list[float]]:
    found: dict[int, list[float]] = {}
    for values, features in thresholds(model):
        for value, feature in zip(values, features, strict=True):
            found.setdefault(feature, []).append(value)
    return found


def _around(values: NDArray[np.float32], random: np.random.Generator, *, exactly: bool) -> NDArray[np.float32]:
    """Thresholds and their neighbours among float32 numbers, or what lies a little off them.

    What a scaler makes of a float32 is a float64: there, on a threshold itself, both answers are right.
    """
    chosen = random.choice(values, _ROWS)
    if not exactly:
        return np.asarray(chosen * (1 + _ASIDE * random.choice([-1, 1], _ROWS)), np.float32)
    side = random.integers(-1, 2, _ROWS)
    moved = np.nextafter(chosen, np.where(side > 0, np.inf, -np.inf).astype(np.float32))
    chosen[side != 0] = moved[side != 0]
    return chosen


def _takes_nan(source: SklearnModel) -> bool:
    """Whether the model predicts from missing values; a linear model on top of boosted trees does not."""
    row = np.full((1, source.ports[0].dims[1] or 1), np.nan, np.float32)
    try:
        source.run({FEATURES: row})
    except Exception:  # noqa: BLE001 - each library has its own errors
        return False
    return True


def _differing(wanted: NDArray[Any], found: NDArray[Any]) -> float:
    """The share of rows whose last output, scores or a prediction, is another."""
    if wanted.dtype.kind not in "fiu" or wanted.size != found.size:
        return float(wanted.size != found.size or (wanted.ravel() != found.ravel()).mean())
    wanted = wanted.reshape(len(wanted), -1)
    far = np.abs(wanted - found.reshape(wanted.shape)).max(axis=1)
    scale = np.abs(wanted).max()
    return float((~(far <= _CLOSE * max(float(scale), 1e-30))).mean())
