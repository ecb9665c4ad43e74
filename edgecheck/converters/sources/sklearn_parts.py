"""What a fitted scikit-learn model consists of."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sklearn.compose import ColumnTransformer
from sklearn.model_selection import GridSearchCV, RandomizedSearchCV
from sklearn.pipeline import FeatureUnion, Pipeline

if TYPE_CHECKING:
    from collections.abc import Iterator


def steps(model: Any) -> Iterator[Any]:
    """The steps of a pipeline, of pipelines inside it too; anything else is one step. Of a search, its best model."""
    model = found(model)
    if not isinstance(model, Pipeline):
        yield model
        return
    for _, step in model.steps:
        if step is not None and step != "passthrough":
            yield from steps(step)


def found(model: Any) -> Any:
    """What a search found; anything else is itself."""
    return model.best_estimator_ if isinstance(model, (GridSearchCV, RandomizedSearchCV)) else model


def takes_text(model: Any) -> bool:
    """Whether an encoder in it was fitted to words: then one of its columns holds them."""
    return any(
        isinstance(value, str)
        for part in _transformers(model)
        for categories in getattr(part, "categories_", ())
        for value in categories[:1]
    )


def _transformers(model: Any) -> Iterator[Any]:
    """Every part that prepares columns, however deep."""
    for step in steps(model):
        if isinstance(step, ColumnTransformer):
            for _, inner, _ in getattr(step, "transformers_", ()):
                yield from _transformers(inner)
        elif isinstance(step, FeatureUnion):
            for _, inner in step.transformer_list:
                yield from _transformers(inner)
        else:
            yield step
