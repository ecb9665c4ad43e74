"""Operators as rows: one by one, by type, by layer; and which are slow for their work."""

from __future__ import annotations

import math

import pytest

from edgecheck.core.operator_groups import NO_LAYER, By, rows
from tests.core.operator_profiles import operator, profile

PROFILE = profile(
    operator("stem", 4.0, layer="stem", macs=4_000_000, bytes=10, shape="1 x 8"),
    operator("stem/relu", 1.0, type="Relu", layer="stem", bytes=5),
    operator("head", 3.0, layer="head", macs=3_000_000, bytes=20),
    operator("slow", 1.5, layer="head", macs=100_000, bytes=20),
    operator("cast", 0.25, type="Cast"),
)


@pytest.mark.parametrize("by", By)
def test_the_rows_sum_to_the_operators_and_come_in_order(by: By) -> None:
    found = rows(PROFILE, by)
    assert math.isclose(math.fsum(row.seconds for row in found) + PROFILE.remainder, PROFILE.whole)
    assert [row.seconds for row in found] == sorted((row.seconds for row in found), reverse=True)
    assert sum(row.count for row in found) == len(PROFILE.operators)


def test_by_type_and_by_layer() -> None:
    assert [row.name for row in rows(PROFILE, By.TYPE)] == ["Conv", "Relu", "Cast"]
    stem, head, none = rows(PROFILE, By.LAYER)
    assert (stem.name, head.name, none.name) == ("stem", "head", NO_LAYER)
    assert (stem.macs, stem.bytes, stem.type) == (4_000_000, 15, "2 types")
    assert (none.macs, none.bytes) == (None, None)


def test_what_takes_long_for_its_work_stands_out() -> None:
    assert {row.name for row in rows(PROFILE, By.NODE) if row.slow} == {"slow"}
    assert not any(row.slow for row in rows(PROFILE, By.LAYER) if row.count > 1)
    # Of an operator that takes little, it does not matter.
    assert not any(row.slow for row in rows(profile(*PROFILE.operators, whole=100.0), By.NODE))


def test_work_is_that_of_all_executions() -> None:
    (row,) = rows(profile(operator("body", 1.0, macs=100, calls=5.0)), By.NODE)
    assert row.macs == 500
