"""Fits what each counted event costs on a device: non-negative least squares of the relative error, drawn to a prior.

A network's row is what one inference counted, divided by its time: the costs are the x >= 0 whose products with every
row are nearest to 1, so that a network of a millisecond weighs as much as one of a second.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import combinations

Vector = tuple[float, ...]

#: How much the prior counts against the networks, as a share of them. Chosen on the published tables, with every
#: family of networks left out in turn: 0.1 and nothing are equally good there, 0.5 is worse
#: (`python -m tools.projection.fit`). Few networks need a prior, as `devices calibrate` has.
STRENGTH = 0.1

#: Rounds in which the costs of a core and the factors of its devices are fitted in turn.
_ROUNDS = 8


@dataclass(frozen=True, slots=True)
class Normal:
    """The normal equations of some rows: all that a fit needs of them; those of more rows are their sum."""

    matrix: tuple[Vector, ...]
    """Row by row: sum of row_i * row_j."""
    sums: Vector
    """Sum of row_i."""
    count: int

    @staticmethod
    def of(rows: Sequence[Sequence[float]]) -> Normal:
        """Those of at least one row."""
        width = range(len(rows[0]))
        return Normal(
            tuple(tuple(math.fsum(row[i] * row[j] for row in rows) for j in width) for i in width),
            tuple(math.fsum(row[i] for row in rows) for i in width),
            len(rows),
        )

    def scaled(self, factor: float) -> Normal:
        """Those of the same rows, each times `factor`."""
        matrix = tuple(tuple(value * factor * factor for value in line) for line in self.matrix)
        return Normal(matrix, tuple(value * factor for value in self.sums), self.count)

    def factor(self, costs: Vector) -> float:
        """The factor that makes `costs` fit best."""
        square = math.fsum(
            costs[i] * costs[j] * value for i, line in enumerate(self.matrix) for j, value in enumerate(line)
        )
        return math.fsum(map(math.prod, zip(costs, self.sums, strict=True))) / square if square > 0 else 1.0


def total(parts: Iterable[Normal]) -> Normal:
    """The normal equations of all rows; at least one part."""
    each = list(parts)
    width = range(len(each[0].sums))
    return Normal(
        tuple(tuple(math.fsum(part.matrix[i][j] for part in each) for j in width) for i in width),
        tuple(math.fsum(part.sums[i] for part in each) for i in width),
        sum(part.count for part in each),
    )


def fitted(rows: Normal, prior: Vector | None = None, strength: float = STRENGTH) -> Vector:
    """The costs that fit best.

    With a prior p, as many rows are added as there are costs: the deviation of a cost from g p, in shares of the time
    that it explains on average; the factor g is free. `strength` is their weight.
    """
    if prior is None:
        return non_negative(rows.matrix, rows.sums)
    weights = [strength * rows.count * (mean / rows.count) ** 2 for mean in rows.sums]
    matrix = [[*line, 0.0] for line in rows.matrix]
    matrix.append([0.0] * (len(prior) + 1))
    for at, (weight, value) in enumerate(zip(weights, prior, strict=True)):
        matrix[at][at] += weight
        matrix[at][-1] -= weight * value
        matrix[-1][at] -= weight * value
        matrix[-1][-1] += weight * value * value
    return non_negative(matrix, (*rows.sums, 0.0))[:-1]


def shared(devices: Sequence[Normal]) -> Vector:
    """The costs of a core: those that fit all of its devices best, with a factor for each device."""
    factors = [1.0] * len(devices)
    costs: Vector = ()
    for _ in range(_ROUNDS):
        costs = fitted(total(device.scaled(factor) for device, factor in zip(devices, factors, strict=True)))
        factors = [device.factor(costs) for device in devices]
    return costs


def non_negative(matrix: Sequence[Sequence[float]], sums: Sequence[float]) -> Vector:
    """The x >= 0 with the least x'Ax - 2b'x, for A >= 0: the best over all choices of what is above zero.

    Exact, and for the six unknowns at most that there are here quicker than an iteration.
    """
    width = len(sums)
    best, least = (0.0,) * width, 0.0
    for size in range(1, width + 1):
        for chosen in combinations(range(width), size):
            found = _solved([[matrix[i][j] for j in chosen] for i in chosen], [sums[i] for i in chosen])
            if found is None or min(found) < 0:
                continue
            value = -math.fsum(x * sums[i] for x, i in zip(found, chosen, strict=True))
            if value < least:
                at = dict(zip(chosen, found, strict=True))
                best, least = tuple(at.get(i, 0.0) for i in range(width)), value
    return best


#: A pivot below this share of its diagonal: the columns say the same.
_DEGENERATE = 1e-10


def _solved(matrix: list[list[float]], sums: list[float]) -> list[float] | None:
    """The solution of a symmetric positive system; None where there is not just one."""
    size = len(sums)
    diagonal = [matrix[i][i] for i in range(size)]
    for at in range(size):
        if matrix[at][at] <= _DEGENERATE * diagonal[at]:
            return None
        for below in range(at + 1, size):
            factor = matrix[below][at] / matrix[at][at]
            if factor:
                matrix[below] = [a - factor * b for a, b in zip(matrix[below], matrix[at], strict=True)]
                sums[below] -= factor * sums[at]
    for at in reversed(range(size)):
        known = math.fsum(matrix[at][j] * sums[j] for j in range(at + 1, size))
        sums[at] = (sums[at] - known) / matrix[at][at]
    return sums
