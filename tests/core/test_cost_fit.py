from __future__ import annotations

import math
import random

import pytest

from edgecheck.core.cost_fit import Normal, fitted, non_negative, shared, total

TRUE = (0.4, 0.6, 15.0, 0.0, 4.0)


def rows(count: int, costs: tuple[float, ...] = TRUE, noise: float = 0.0, seed: int = 1) -> list[tuple[float, ...]]:
    """Networks whose times are what the costs say, apart from noise."""
    drawn = random.Random(seed)
    found = []
    for _ in range(count):
        counts = [drawn.uniform(0.1, 1) * scale for scale in (100, 50, 5, 1, 2)]
        time = math.fsum(map(math.prod, zip(counts, costs, strict=True))) * math.exp(drawn.gauss(0, noise))
        found.append(tuple(value / time for value in counts))
    return found


def test_costs_are_found_again() -> None:
    assert fitted(Normal.of(rows(12))) == pytest.approx(TRUE, abs=1e-6)


def test_no_cost_is_below_zero() -> None:
    for seed in range(20):
        assert min(fitted(Normal.of(rows(8, noise=0.3, seed=seed)))) >= 0


def test_no_smaller_sum_of_squares_is_near() -> None:
    found_some = False
    for seed in range(10):
        each = rows(15, noise=0.3, seed=seed)
        best = fitted(Normal.of(each))

        def error(costs: tuple[float, ...], each: list[tuple[float, ...]] = each) -> float:
            return math.fsum((math.fsum(map(math.prod, zip(row, costs, strict=True))) - 1) ** 2 for row in each)

        for at in range(5):
            for step in (-1e-3, 1e-3):
                moved = tuple(max(0.0, cost + step * (at == place)) for place, cost in enumerate(best))
                assert error(moved) >= error(best) - 1e-12
                found_some = True
    assert found_some


def test_columns_that_say_the_same_have_a_solution() -> None:
    assert math.fsum(non_negative([[1.0, 1.0], [1.0, 1.0]], [1.0, 1.0])) == pytest.approx(1.0)
    assert non_negative([[0.0]], [0.0]) == (0.0,)


def test_one_network_and_a_prior_give_the_priors_shape_times_its_factor() -> None:
    prior = tuple(cost * 2 for cost in TRUE)
    assert fitted(Normal.of(rows(1)), prior, strength=1e6) == pytest.approx(TRUE, rel=1e-3, abs=1e-3)


def test_a_prior_draws_the_more_the_stronger_it_is() -> None:
    prior = (0.8, 0.6, 15.0, 0.0, 4.0)
    found = [fitted(Normal.of(rows(10)), prior, strength=strength)[0] for strength in (0.0, 0.1, 1e6)]
    assert found == sorted(found)
    assert found[0] == pytest.approx(TRUE[0], abs=1e-6)


def test_devices_share_their_costs_up_to_a_factor() -> None:
    devices = [Normal.of(rows(10, tuple(cost * factor for cost in TRUE), seed=3)) for factor in (0.5, 1.0, 3.0)]
    found = shared(devices)
    ratios = [one / other for one, other in zip(found, TRUE, strict=True) if other]
    assert max(ratios) == pytest.approx(min(ratios), rel=1e-3)
    assert devices[2].factor(found) / devices[0].factor(found) == pytest.approx(6.0, rel=1e-3)


def test_the_equations_of_all_rows_are_the_sum() -> None:
    each = rows(6)
    whole, parts = Normal.of(each), total([Normal.of(each[:2]), Normal.of(each[2:])])
    assert parts.count == whole.count
    assert parts.sums == pytest.approx(whole.sums)
