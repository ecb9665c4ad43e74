"""Changes of a noisy series: found where they are, and not found where there are none. Covers `history.py`."""

from __future__ import annotations

import random

import pytest

from edgecheck.core.history import LEAST, change_points


def noisy(*levels: tuple[float, int], spread: float = 0.02, seed: int = 1) -> list[float]:
    source = random.Random(seed)
    return [level * source.gauss(1, spread) for level, count in levels for _ in range(count)]


def test_a_step_of_five_percent_in_noise_of_two() -> None:
    (found,) = change_points(noisy((10, 40), (10.5, 30)))
    assert abs(found.at - 40) <= 1
    assert found.probability == pytest.approx(0.995)


def test_several_steps_are_found_in_order() -> None:
    found = [point.at for point in change_points(noisy((10, 30), (12, 30), (9, 30)))]
    assert found == [30, 60]


def test_noise_alone_has_no_change() -> None:
    false = sum(bool(change_points(noisy((10, 40), seed=seed))) for seed in range(60))
    assert false <= 3  # 1 % is the level


def test_one_outlier_is_no_change() -> None:
    values = noisy((10, 40))
    values[20] *= 3
    assert change_points(values) == []


@pytest.mark.parametrize("values", [[], [1.0], [1.0] * 50, [1.0] * (LEAST - 1) + [2.0] * LEAST])
def test_too_few_and_equal_values_have_none(values: list[float]) -> None:
    assert change_points(values) == []


def test_the_same_series_has_the_same_changes() -> None:
    values = noisy((10, 12), (10.4, 12))
    assert change_points(values) == change_points(values)
