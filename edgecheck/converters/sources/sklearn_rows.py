"""Random rows that reach what a scikit-learn model decides on.

Numbers in [0, 1) are rarely categories, often beyond all thresholds, and never missing: a wrong artifact may agree.
Fitted models say what they saw: thresholds, bins, categories, neighbours, means, and columns with missing values.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
from sklearn.compose import ColumnTransformer
from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor
from sklearn.model_selection import GridSearchCV, RandomizedSearchCV
from sklearn.pipeline import FeatureUnion, Pipeline

if TYPE_CHECKING:
    from numpy.typing import NDArray

#: Of this many rows one does not lie near a neighbour, and one has missing values.
_CYCLE = 4

#: Share of the values that are missing in such a row.
_MISSING = 0.35

#: Neighbours, and members of an ensemble, that are looked at.
_MOST = 2_000
_MOST_MEMBERS = 50

#: Rows move from a neighbour or a threshold by this share of the column's spread, so that ties stay rare.
_JITTER = 0.3

#: Attributes that hold rows like those that the model was trained on.
_ROWS = ("_fit_X", "support_vectors_", "cluster_centers_", "means_", "theta_", "X_train_", "centroids_", "quantiles_")

#: Attributes that hold the members of an ensemble, or the model that another one wraps.
_MEMBERS = ("estimators_", "estimator_", "calibrated_classifiers_", "regressor_")

#: Ensembles of trees on histograms, which differ from other trees in their attributes.
HISTOGRAM_BOOSTING = (HistGradientBoostingClassifier, HistGradientBoostingRegressor)


@dataclass(slots=True)
class _Column:
    """What a model says about one of its features; all in the feature's own unit."""

    categories: list[float] = field(default_factory=list)
    marks: list[float] = field(default_factory=list)
    """Thresholds, edges of bins, and values of rows."""
    centre: float = 0.0
    spread: float = 1.0
    may_miss: bool = False


def drawn(model: Any, features: int, source: np.random.Generator, count: int) -> NDArray[np.float32]:
    """`count` rows of `features` numbers for a fitted model; missing values only where it takes them."""
    columns = [_Column() for _ in range(features)]
    near: list[NDArray[Any]] = []
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        _look(model, columns, _Affine.none(features), near)
    rows = np.stack([_values(column, source, count) for column in columns], axis=1).astype(np.float32)
    if near:
        _moved_near(rows, columns, np.concatenate(near)[:_MOST], source)
    return _with_gaps(model, rows, columns, source)


def _values(column: _Column, source: np.random.Generator, count: int) -> NDArray[Any]:
    if column.categories:
        return source.choice(np.array(column.categories), count)
    if not column.marks:
        return column.centre + column.spread * source.normal(size=count)
    marks = np.array(column.marks)
    spread = max(float(marks.std()), 1e-3 * float(np.abs(marks).max()), 1e-6)
    return source.choice(marks, count) + _JITTER * spread * source.normal(size=count)


def _moved_near(rows: NDArray[Any], columns: list[_Column], near: NDArray[Any], source: np.random.Generator) -> None:
    """Replace the numbers of three of four rows: independent columns would leave them far from every neighbour."""
    chosen = source.choice(len(near), len(rows))
    for place, column in enumerate(columns):
        if column.categories:
            continue
        values = near[chosen, place] + _JITTER * near[:, place].std() * source.normal(size=len(rows))
        rows[:, place] = np.where(np.arange(len(rows)) % _CYCLE == 0, rows[:, place], values)


def _with_gaps(
    model: Any, rows: NDArray[Any], columns: list[_Column], source: np.random.Generator
) -> NDArray[np.float32]:
    """The rows, every fourth of them with missing values, if the model takes any."""
    may_miss = np.array([column.may_miss for column in columns])
    gaps = (source.random(rows.shape) < _MISSING) & may_miss & (np.arange(len(rows)) % _CYCLE == _CYCLE - 1)[:, None]
    if not gaps.any():
        return rows
    holed = np.where(gaps, np.float32(np.nan), rows)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            model.predict(holed)
    except ValueError:
        return rows
    return holed


@dataclass(frozen=True, slots=True)
class _Affine:
    """How the columns that a part sees come from the model's: `feature * scale + offset`, by place in the row."""

    places: NDArray[Any]
    scale: NDArray[Any]
    offset: NDArray[Any]

    @classmethod
    def none(cls, features: int) -> _Affine:
        """The columns as they are."""
        return cls(np.arange(features), np.ones(features), np.zeros(features))

    def back(self, column: int, values: Any) -> list[float]:
        """Values of the part's column, in the unit of the feature."""
        found = (np.asarray(values, dtype=np.float64) - self.offset[column]) / self.scale[column]
        return [float(each) for each in found.reshape(-1) if np.isfinite(each)]

    def of(self, columns: Any) -> _Affine:
        """Some of the columns."""
        return _Affine(self.places[columns], self.scale[columns], self.offset[columns])

    def then(self, scale: Any, offset: Any) -> _Affine:
        """The columns after a further step."""
        return _Affine(self.places, self.scale * scale, self.offset * scale + offset)


def _look(part: Any, columns: list[_Column], seen: _Affine, near: list[NDArray[Any]]) -> None:
    """Note what `part` and what is in it say about the columns that it sees."""
    part = best_found(part)
    if isinstance(part, Pipeline):
        _look_at_steps([step for _, step in part.steps], columns, seen, near)
    elif isinstance(part, ColumnTransformer):
        for name, inner, _ in part.transformers_:
            indices = part._transformer_to_input_indices.get(name, [])  # noqa: SLF001 - nothing public has them
            if len(indices) and not isinstance(inner, str):
                _look(inner, columns, seen.of(np.asarray(indices)), near)
    elif isinstance(part, FeatureUnion):
        for _, inner in part.transformer_list:
            _look(inner, columns, seen, near)
    else:
        _note(part, columns, seen, near)


def _look_at_steps(parts: list[Any], columns: list[_Column], seen: _Affine, near: list[NDArray[Any]]) -> None:
    """Look at the steps for as long as columns can be followed: through scalers, imputers and selections."""
    for part in parts:
        if part is None or part == "passthrough":
            continue
        _look(part, columns, seen, near)
        after = _after(part, seen)
        if after is None:
            return
        seen = after


def _after(part: Any, seen: _Affine) -> _Affine | None:
    """What the next step sees; None where that is not the same columns, moved and scaled."""
    if hasattr(part, "get_support") and not isinstance(part, Pipeline):
        return seen.of(part.get_support(indices=True))
    if type(part).__name__ in ("SimpleImputer", "KNNImputer", "IterativeImputer") and not part.add_indicator:
        return seen
    found = _scaling(part)
    return seen.then(*found) if found is not None else None


def _scaling(part: Any) -> tuple[Any, Any] | None:
    """Scale and offset of a scaler's output; None for any other part."""
    kind = type(part).__name__
    if kind == "StandardScaler":
        scale = 1 / part.scale_ if part.scale_ is not None else 1.0
        return scale, -part.mean_ * scale if part.mean_ is not None and part.with_mean else 0.0
    if kind == "MinMaxScaler":
        return part.scale_, part.min_
    if kind == "MaxAbsScaler":
        return 1 / part.scale_, 0.0
    if kind == "RobustScaler":
        scale = 1 / part.scale_ if part.scale_ is not None else 1.0
        return scale, -part.center_ * scale if part.center_ is not None else 0.0
    return None


def _note(part: Any, columns: list[_Column], seen: _Affine, near: list[NDArray[Any]]) -> None:
    """Note what a part without steps says, and what the models in it say."""
    _note_columns(part, columns, seen)
    _note_rows(part, seen, near, len(columns))
    chosen = getattr(part, "estimators_features_", None)
    for at, member in enumerate(members(part)):
        if at < _MOST_MEMBERS:
            _look(member, columns, seen if chosen is None else seen.of(chosen[at]), near)


def _note_scaling(part: Any, columns: list[_Column], seen: _Affine) -> None:
    found = _scaling(part)
    if found is None:
        return
    scale, offset = (np.broadcast_to(each, seen.places.shape) for each in found)
    for column, place in enumerate(seen.places):
        if np.isfinite(scale[column]) and scale[column]:
            columns[place].centre, columns[place].spread = -offset[column] / scale[column], 1 / scale[column]


def _note_columns(part: Any, columns: list[_Column], seen: _Affine) -> None:
    _note_scaling(part, columns, seen)
    for column, values in _categories(part):
        if column < len(seen.places):
            columns[seen.places[column]].categories = seen.back(column, values)
    for column, values in _edges(part):
        if column < len(seen.places):
            columns[seen.places[column]].marks += seen.back(column, values)
    if _is_of_missing_values(part):
        for place in seen.places:
            columns[place].may_miss = True


def _categories(part: Any) -> Iterator[tuple[int, Any]]:
    """By column: the numbers that are its categories."""
    if isinstance(part, HISTOGRAM_BOOSTING):
        if part.is_categorical_ is not None:
            encoders = getattr(part, "_preprocessor", None)
            known = encoders.named_transformers_["encoder"].categories_ if encoders is not None else ()
            yield from zip(np.flatnonzero(part.is_categorical_), known, strict=False)
        return
    for column, values in enumerate(getattr(part, "categories_", ())):
        if np.asarray(values).dtype.kind in "iufb":
            yield column, values
    for column, number in enumerate(getattr(part, "n_categories_", ())):
        yield column, range(int(number))


def _edges(part: Any) -> Iterator[tuple[int, Any]]:
    """By column: thresholds and edges of bins."""
    tree = getattr(part, "tree_", None)
    if tree is not None:
        inner = tree.children_left >= 0
        for column in np.unique(tree.feature[inner]):
            yield int(column), tree.threshold[inner & (tree.feature == column)]
    if isinstance(part, HISTOGRAM_BOOSTING):
        yield from enumerate(part._bin_mapper.bin_thresholds_)  # noqa: SLF001 - nothing public has them
    if type(part).__name__ == "KBinsDiscretizer":
        yield from enumerate(part.bin_edges_)


def _is_of_missing_values(part: Any) -> bool:
    kind = type(part).__name__
    if kind in ("SimpleImputer", "KNNImputer", "IterativeImputer", "MissingIndicator"):
        return isinstance(part.missing_values, float) and np.isnan(part.missing_values)
    return getattr(part, "tree_", None) is not None or isinstance(part, HISTOGRAM_BOOSTING)


def _note_rows(part: Any, seen: _Affine, near: list[NDArray[Any]], width: int) -> None:
    """Note rows like those of the training, if `part` keeps any and sees every feature."""
    if len(seen.places) != width:
        return
    for name in _ROWS:
        rows = getattr(part, name, None)
        if isinstance(rows, np.ndarray) and rows.shape[1:] == (width,) and rows.dtype.kind in "iuf":
            back = (rows[:_MOST] - seen.offset) / seen.scale
            placed = np.empty_like(back)
            placed[:, seen.places] = back
            if np.isfinite(placed).all():
                near.append(placed)


def best_found(model: Any) -> Any:
    """The best model of a search; any other model is returned unchanged."""
    return model.best_estimator_ if isinstance(model, (GridSearchCV, RandomizedSearchCV)) else model


def members(part: Any) -> Iterator[Any]:
    """The fitted models in an ensemble, or the one that a model wraps, in order."""
    for name in _MEMBERS:
        held = getattr(part, name, None)
        if name == "estimator_" and hasattr(part, "estimators_"):
            continue  # the pattern of the members, which was never fitted
        inside = held.ravel() if isinstance(held, np.ndarray) else held if isinstance(held, list) else [held]
        for member in inside:
            inner = getattr(member, "estimator", member) if name == "calibrated_classifiers_" else member
            if hasattr(inner, "predict"):
                yield inner
