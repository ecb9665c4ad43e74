"""Costs from a few networks that were timed on a device: which networks to time, the fit, and its error."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from statistics import median

from edgecheck.core.cost_fit import Normal, Vector, fitted
from edgecheck.core.counted import Counted
from edgecheck.core.device import Costs, CostSet
from edgecheck.core.projection import NINETY_PERCENT

#: How much the prior counts against three to eight networks. On the published tables, with the costs of the other
#: devices with the core as the prior, everything from 0.1 to 2 is within half a percent.
STRENGTH = 0.5

#: Beyond this median error another network helps: on the published tables three have 6 %, eight have 5 %.
GOOD = 0.1

#: Networks to choose, at least and at most.
FEWEST, MOST = 3, 8


@dataclass(frozen=True, slots=True)
class Timed:
    """A network, what one inference counted, and its time on the device on one thread, in seconds."""

    network: str
    counted: Counted
    latency: float


@dataclass(frozen=True, slots=True)
class Fit:
    """Costs of a device, and what they are worth."""

    costs: Costs
    error: float
    """Median error when each network is left out in turn; infinite for fewer than three."""
    factor_only: bool
    """Whether all costs are the prior's times one factor: with these networks that is nearer."""

    @property
    def wants_more(self) -> bool:
        """Whether another network would help."""
        return self.error > GOOD


def chosen(counted: Mapping[str, Counted], prior: Costs, clock: float, count: int) -> tuple[str, ...]:
    """The networks to time: each is the one that adds most to those before it.

    That is the one for which the determinant of the sum of r r' grows most, where r are the shares of a network's
    projected time by cost (D-optimality: Atkinson, Donev and Tobias, "Optimum Experimental Designs").
    """
    shares = {name: _shares(each, prior, clock) for name, each in counted.items()}
    known = [[_LITTLE * (i == j) for j in range(_WIDTH)] for i in range(_WIDTH)]
    found: list[str] = []
    while len(found) < min(count, len(shares)):
        rest = [name for name in shares if name not in found]
        best = max(rest, key=lambda name: _determinant(_plus(known, shares[name])))
        known = _plus(known, shares[best])
        found.append(best)
    return tuple(found)


def usable(counted: Sequence[Counted], prior: Costs) -> tuple[str, ...]:
    """Those sets of costs, `counted` and `modelled`, for which every network was counted as they need it."""
    return tuple(
        kind
        for kind in ("counted", "modelled")
        if getattr(prior, kind) is not None and all(_work(each, prior, kind) for each in counted)
    )


def calibrated(timed: Sequence[Timed], prior: Costs, clock: float, runtime: str) -> Fit:
    """The costs of the device that was timed, for the runtime that ran there.

    Args:
        timed: At least one.
        prior: Those of the device, or of another with the core.
        clock: The device's, in hertz.
        runtime: The runtime that ran.

    Raises:
        ValueError: a latency is not positive and finite, or the networks were not counted as the prior needs it.
    """
    for each in timed:
        if not 0 < each.latency < math.inf:
            raise ValueError(f"{each.network} took {each.latency} s")
    sets: dict[str, CostSet] = {}
    error, factor_only = math.inf, False
    for kind in usable([each.counted for each in timed], prior):  # the last one decides: it is the one that is used
        known: CostSet = getattr(prior, kind)
        rows = [tuple(value / each.latency for value in _events(each.counted, prior, clock, kind)) for each in timed]
        costs, error, factor_only = _better(rows, _vector(known))
        sets[kind] = _as_set(costs, _within(rows, costs, known))
    if not sets:
        raise ValueError("the networks were not counted as the costs need it")
    costs_found = replace(
        prior,
        runtime=runtime,
        networks=len(timed),
        source="edgecheck devices calibrate",
        modelled=sets.get("modelled"),
        counted=sets.get("counted"),
        spread=0.0,
    )
    return Fit(costs_found, error, factor_only)


def _better(rows: Sequence[Vector], prior: Vector) -> tuple[Vector, float, bool]:
    """All costs, or the prior's times a factor: what has the smaller error with each network left out in turn."""
    errors = {True: _left_out(rows, prior, factor_only=True), False: _left_out(rows, prior, factor_only=False)}
    factor_only = errors[True] <= errors[False]
    return _fit(rows, prior, factor_only=factor_only), errors[factor_only], factor_only


def _left_out(rows: Sequence[Vector], prior: Vector, *, factor_only: bool) -> float:
    if len(rows) < FEWEST:
        return math.inf
    errors = []
    for at, row in enumerate(rows):
        costs = _fit([*rows[:at], *rows[at + 1 :]], prior, factor_only=factor_only)
        errors.append(abs(_product(row, costs) - 1))
    return median(errors)


def _fit(rows: Sequence[Vector], prior: Vector, *, factor_only: bool) -> Vector:
    normal = Normal.of(rows)
    if factor_only:
        factor = normal.factor(prior)
        return tuple(factor * value for value in prior)
    return fitted(normal, prior, STRENGTH)


def _within(rows: Sequence[Vector], costs: Vector, prior: CostSet) -> float:
    """Half the width of the interval, as a factor: the prior's, or what the residuals say if that is more."""
    squares = [math.log(max(_product(row, costs), 1e-9)) ** 2 for row in rows]
    return max(prior.within, math.exp(NINETY_PERCENT * math.sqrt(math.fsum(squares) / len(squares))))


_WIDTH = 5

#: What is known of each cost before: little, but the first determinants are not zero.
_LITTLE = 0.01


def _vector(costs: CostSet) -> Vector:
    return (costs.work, costs.instruction, costs.l1, costs.store, costs.l2)


def _as_set(costs: Vector, within: float) -> CostSet:
    work, instruction, l1, store, l2 = costs
    return CostSet(work=work, instruction=instruction, l1=l1, store=store, l2=l2, within=within)


def _work(counted: Counted, costs: Costs, kind: str) -> float | None:
    return dict(counted.cycles).get(costs.model) if kind == "modelled" else counted.multiplying


def _events(counted: Counted, costs: Costs, clock: float, kind: str) -> Vector:
    """What is multiplied with each cost, in the costs' order."""
    return (
        (_work(counted, costs, kind) or 0.0) / clock,
        (counted.instructions - counted.multiplying) / clock,
        (counted.l1_loads + counted.l1_stores) / clock,
        counted.l1_stores,
        dict(counted.l2).get(costs.l2_size, 0.0),
    )


def _shares(counted: Counted, costs: Costs, clock: float) -> Vector:
    """Of a network's projected time, by cost."""
    modelled = costs.modelled is not None and _work(counted, costs, "modelled") is not None
    kind, known = ("modelled", costs.modelled) if modelled else ("counted", costs.counted)
    if known is None:
        return (0.0,) * _WIDTH
    each = [a * b for a, b in zip(_events(counted, costs, clock, kind), _vector(known), strict=True)]
    total = math.fsum(each) or 1.0
    return tuple(value / total for value in each)


def _plus(known: Sequence[Sequence[float]], row: Vector) -> list[list[float]]:
    return [[value + row[i] * row[j] for j, value in enumerate(line)] for i, line in enumerate(known)]


def _determinant(matrix: Sequence[Sequence[float]]) -> float:
    """Of a symmetric positive matrix."""
    lines, product = [list(line) for line in matrix], 1.0
    for at, line in enumerate(lines):
        product *= line[at]
        for below in lines[at + 1 :]:
            factor = below[at] / line[at]
            below[:] = [a - factor * b for a, b in zip(below, line, strict=True)]
    return product


def _product(row: Vector, costs: Vector) -> float:
    return math.fsum(map(math.prod, zip(row, costs, strict=True)))
