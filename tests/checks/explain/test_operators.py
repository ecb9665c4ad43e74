"""The operators that explain a failed latency."""

from __future__ import annotations

from edgecheck.checks.explain.operators import operators_way_out
from edgecheck.core.operators import OF_THE_PROFILER
from tests.core.operator_profiles import operator, profile


def test_five_operators_take_most_and_the_rest_is_counted() -> None:
    steps = [operator(f"step_{number}", float(number)) for number in range(1, 8)]
    found = operators_way_out(("latency_p50",), profile(*steps, whole=30.0, plain=28.0e-3))
    assert [part.name for part in found.parts] == ["step_7", "step_6", "step_5", "step_4", "step_3"]
    assert found.parts[0].words.startswith("23% of the inference")
    (note,) = found.notes
    assert note.endswith("edgecheck profile shows all 7 operators.")


def test_a_profile_that_is_mostly_the_profilers_work_says_so() -> None:
    found = operators_way_out(("latency_p50",), profile(operator("while", 9.0), whole=10.0, plain=1.0e-3))
    assert found.notes[0] == OF_THE_PROFILER
