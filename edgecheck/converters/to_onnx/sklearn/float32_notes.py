"""What float32 inputs lose of a scikit-learn model's features: told from the fitted model; no converter mends it."""

from __future__ import annotations

from typing import Any

import numpy as np
from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor
from sklearn.preprocessing import MinMaxScaler, RobustScaler, StandardScaler

from edgecheck.converters.sources.sklearn_parts import steps

#: A step between two float32 numbers, in spreads of the feature, from which on probabilities may move by over 1e-5.
_COARSE = 1e-4


def notes(model: Any) -> tuple[str, ...]:
    """A sentence for each thing that a person should know: features too fine for float32, thresholds that are finer."""
    parts = list(steps(model))
    boosting = (HistGradientBoostingClassifier, HistGradientBoostingRegressor)
    found = [_coarse(*around) for around in [_around(parts[0])] if around is not None]
    if any(isinstance(part, boosting) for part in parts[1:]):
        found.append(
            "Histogram boosting compares what comes out of the steps before it in double precision, the artifact in"
            " float32: a value that lies on a threshold may take the other branch."
        )
    return tuple(note for note in found if note)


def _around(first: Any) -> tuple[Any, Any] | None:
    """Where the features lie and how far they spread, as the scaler that they meet first knows it."""
    if isinstance(first, StandardScaler) and first.with_mean and first.with_std:
        return first.mean_, first.scale_
    if isinstance(first, RobustScaler) and first.with_centering and first.with_scaling:
        return first.center_, first.scale_
    if isinstance(first, MinMaxScaler):
        return first.data_max_, first.data_range_
    return None


def _coarse(centres: Any, spreads: Any) -> str:
    steps = np.spacing(np.abs(centres).astype(np.float32)).astype(np.float64)
    shares = np.where(np.isfinite(spreads) & (spreads > 0), steps / np.where(spreads > 0, spreads, 1.0), 0.0)
    worst = int(np.argmax(shares))
    if not shares[worst] > _COARSE:
        return ""
    return (
        f"Its input is float32, where numbers around {centres[worst]:.3g} are {steps[worst]:.2g} apart:"
        f" feature {worst} lies there and spreads over {spreads[worst]:.3g}, and what is finer is lost before the model"
        " sees it. Subtract a constant from it in training and on the device."
    )
