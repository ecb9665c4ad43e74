"""A model that takes columns by name takes them by position, and answers the same.

Covers `converters/sources/sklearn_model.py`.
"""

from __future__ import annotations

import warnings

import numpy as np
import pytest

from tests.converters.bench import requires

pytestmark = [pytest.mark.convert, requires("sklearn", "pandas")]

NAMES = ["speed", "load", "heat", "age"]


@pytest.mark.parametrize("columns", [["age", "speed"], slice("load", "age"), [True, False, True, False]])
@pytest.mark.parametrize("remainder", ["drop", "passthrough"])
def test_the_answers_are_those_for_a_table(columns: object, remainder: str) -> None:
    import pandas as pd
    from sklearn.compose import make_column_transformer
    from sklearn.linear_model import Ridge
    from sklearn.model_selection import GridSearchCV
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    from edgecheck.converters.sources.sklearn_model import by_position, in_order

    rows = np.random.default_rng(0).normal(size=(80, 4))
    table = pd.DataFrame(rows, columns=NAMES)
    prepare = make_column_transformer((StandardScaler(), columns), remainder=remainder)
    model = GridSearchCV(make_pipeline(prepare, Ridge()), {"ridge__alpha": [1.0]}, cv=2)
    model.fit(table, rows @ [1, 2, 3, 4])
    wanted = model.predict(table)
    names = by_position(model)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # its scaler was fitted with names
        np.testing.assert_allclose(model.predict(rows), wanted)
    has_names = not isinstance(columns, list) or isinstance(columns[0], str)
    assert names == (tuple(NAMES) if has_names else ())
    assert in_order(tuple(NAMES)).endswith("the row has them in that order: speed, load, heat, age.")
