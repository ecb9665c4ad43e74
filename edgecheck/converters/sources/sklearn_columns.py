"""Columns that a scikit-learn model takes by their names in a DataFrame, taken by their positions instead.

A device has no DataFrame, and .onnx one row of numbers. scikit-learn keeps the position of each name from the training.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from sklearn.base import BaseEstimator
from sklearn.compose import ColumnTransformer

from edgecheck.core.text import listed

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
