from __future__ import annotations

import numpy as np

from edgecheck_agent.inputs import Output
from edgecheck_agent.repeats import Spread


def test_equal_outputs_say_nothing() -> None:
    spread = Spread()
    for sample in range(2):
        for _ in range(3):
            spread.add(sample, [Output("y", np.full(3, float(sample)), None)])
    assert spread.words() == ""


def test_the_worst_difference_over_the_largest_value() -> None:
    spread = Spread()
    spread.add(0, [Output("y", np.array([2.0, -4.0]), None), Output("z", np.array([1]), None)])
    spread.add(0, [Output("y", np.array([2.1, -4.0]), None), Output("z", np.array([1]), None)])
    spread.add(0, [Output("y", np.array([2.0, -3.8]), None), Output("z", np.array([1]), None)])
    assert "y by up to 5 % of the largest value (3 runs of 1 sample)" in spread.words()
    assert "z" not in spread.words()


def test_nan_in_one_run_is_all_the_difference_there_is() -> None:
    spread = Spread()
    spread.add(0, [Output("y", np.array([1.0, 2.0]), None)])
    spread.add(0, [Output("y", np.array([1.0, np.nan]), None)])
    assert "by up to 100 %" in spread.words()
