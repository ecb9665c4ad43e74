"""The order of trying, the early stops, and the answer, against trying everything."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgecheck.core.budget import Variant
from edgecheck.core.finding import Unmeasured
from edgecheck.core.fitting import Move, Outcome, Step, Trial, distance, impossible, others, undecidable, why_not
from edgecheck.core.limits import OnUnknown
from edgecheck.core.metrics import METRICS, Provenance
from edgecheck.core.verdict import judge
from tests.builders import MIB, limit, run
from tests.core.fitting_worlds import LADDER, NAMES, PC, World, figure, play, trial, worlds


def names(moves: list[Move]) -> list[str]:
    return [f"{move.step.value} {move.variant}" for move in moves]


def test_a_lossless_variant_that_holds_is_the_answer_immediately() -> None:
    fit, moves = play(worlds())
    assert names(moves) == ["look float32", "run float32"]
    assert fit.outcome is Outcome.FITS
    assert str(fit.nearest.variant) == "float32"
    assert [str(variant) for variant in fit.left] == list(NAMES[1:])
    assert {each.words for each in others(fit)} == {"not tried, since float32 holds and loses next to nothing"}


def test_what_fails_by_its_file_is_not_run() -> None:
    fit, moves = play(worlds(float32=World(size=2e6, agreement=1.0)))
    assert names(moves) == ["look float32", "look float16", "run float16"]
    assert others(fit)[0].words == "size 2.00 MB is 100% over 1.00 MB"


def test_the_lossy_are_all_looked_at_before_one_is_run() -> None:
    big = World(size=2e6, agreement=1.0)
    fit, moves = play(worlds(float32=big, float16=big, int8_weights=World(agreement=0.98)))
    assert names(moves) == [*(f"look {name}" for name in NAMES), "run int8-dynamic"]
    assert str(fit.nearest.variant) == "int8-dynamic", "0.997 measured, against 0.98 of what is less lossy by name"


def test_int8_is_not_taken_for_faster() -> None:
    slow = World(p50=0.2, agreement=1.0)
    fit, moves = play(
        worlds(float32=slow, float16=slow, int8_weights=slow, int8_dynamic=slow, int8=World(p50=0.9, agreement=0.9))
    )
    assert names(moves)[-1] == "run int8"
    assert fit.outcome is Outcome.NOTHING
    assert fit.nearest.distance == pytest.approx(math.log(4)), "0.2 s over 50 ms; int8 is the furthest off"


def test_outputs_of_zeros_are_never_recommended() -> None:
    big = World(size=2e6, agreement=1.0)
    zeros = World(zeros=True)
    fit, moves = play(worlds(float32=big, float16=big, int8_weights=zeros, int8_dynamic=zeros, int8=zeros))
    assert not [move for move in moves if move.step is Step.RUN]
    assert fit.outcome is Outcome.NOTHING
    assert str(fit.nearest.variant) == "float32", "zeros are infinitely far off"
    assert others(fit)[-1].words == "output y is zero for every sample"


def test_what_could_not_be_converted_is_reported_and_decides_nothing() -> None:
    big, none = World(size=2e6), World(made=False, problem="the converter crashed with SIGSEGV.")
    fit, _ = play(worlds(float32=big, float16=big, int8_weights=none, int8_dynamic=none, int8=none))
    assert fit.outcome is Outcome.NOTHING, "of what can be shipped, nothing fits"
    assert others(fit)[-1].words == "could not be converted: the converter crashed with SIGSEGV."


def test_nothing_could_be_converted() -> None:
    none = World(made=False, problem="keras is not installed here.")
    fit, _ = play(dict.fromkeys(LADDER, none))
    assert fit.outcome is Outcome.UNDECIDED
    assert str(fit.nearest.variant) == "float32"
    assert why_not(fit.nearest) == "could not be converted: keras is not installed here."


def test_an_undecided_variant_does_not_keep_a_lossier_one_from_fitting() -> None:
    fit, moves = play(worlds(float32=World(p50=None, agreement=1.0)))
    assert names(moves) == ["look float32", "run float32", "look float16", "run float16"]
    assert str(fit.nearest.variant) == "float16"
    assert others(fit)[0].words == "undecided (latency_p50): it gave none"


def test_undecided_outweighs_failing() -> None:
    slow = World(p50=0.2)
    fit, _ = play(worlds(float32=slow, float16=slow, int8_weights=World(p50=None), int8_dynamic=slow, int8=slow))
    assert fit.outcome is Outcome.UNDECIDED
    assert str(fit.nearest.variant) == "int8-weights"
    assert fit.stopped == ""


def test_a_runtime_that_is_too_large_alone_ends_it() -> None:
    fit, moves = play(worlds(float32=World(ram=130 * MIB, ready=110 * MIB, agreement=1.0)))
    assert names(moves) == ["look float32", "run float32"]
    assert fit.outcome is Outcome.NOTHING
    assert fit.stopped == ("no variant can hold ram_peak ≤ 100 MiB: the runtime alone takes 110 MiB, without a model")
    assert others(fit)[-1].words == f"not tried: {fit.stopped}"


def test_a_runtime_that_leaves_some_room_does_not() -> None:
    fit, moves = play(worlds(float32=World(ram=130 * MIB, ready=99 * MIB, agreement=1.0)))
    assert names(moves)[-1] == "run float16"
    assert fit.outcome is Outcome.FITS


def test_a_footprint_that_the_runtime_takes_alone() -> None:
    whole = figure("footprint", 60e6, Provenance.STATIC)
    seen = trial("float32", World(size=1_000_000), ran=False)
    bound = limit("footprint", 50e6)
    failing = replace(seen.result, verdicts=(judge(bound, whole),), findings={"footprint": whole})
    assert "the runtime alone takes 59.0 MB" in impossible([Trial(failing, finished=False)])
    roomy = replace(failing, verdicts=(judge(limit("footprint", 59.5e6), whole),))
    assert impossible([Trial(roomy, finished=False)]) == ""


def test_another_machine_decides_nothing_but_files_are_still_looked_at() -> None:
    another = {variant: replace(world, run=PC) for variant, world in worlds().items()}
    fit, moves = play(another)
    assert names(moves) == ["look float32", "run float32", *(f"look {name}" for name in NAMES[1:])]
    assert fit.outcome is Outcome.UNDECIDED
    assert fit.stopped.startswith("no variant can be decided here: measured on Linux x86_64, not on a Raspberry Pi 4")


def test_a_target_that_cannot_be_reached_is_asked_once() -> None:
    lost = {variant: replace(world, run=None, problem="no route to host.") for variant, world in worlds().items()}
    fit, moves = play(lost, every=True)
    assert sum(move.step is Step.RUN for move in moves) == 1
    assert fit.outcome is Outcome.UNDECIDED
    assert fit.stopped == "ssh://pi@desk could not measure: no route to host."


def test_what_an_emulated_machine_cannot_show_is_asked_once() -> None:
    seen = trial("float32", World(run=run(emulated=True, target="qemu")))
    unmeasured = Unmeasured(METRICS["load_time"], "it depends on what an emulated machine does not model")
    verdicts = (judge(limit("load_time", 1.0), unmeasured),)
    assert "load_time: it depends" in undecidable([Trial(replace(seen.result, verdicts=verdicts), finished=True)])
    ignored = (judge(limit("load_time", 1.0, on_unknown=OnUnknown.IGNORE), unmeasured),)
    assert undecidable([Trial(replace(seen.result, verdicts=ignored), finished=True)]) == ""


def test_nothing_judged_does_not_hold() -> None:
    seen = trial("float32", World())
    assert not Trial(replace(seen.result, verdicts=()), finished=True).holds


def test_without_agreement_the_order_of_names_holds() -> None:
    blind = {variant: replace(world, agreement=None) for variant, world in worlds().items()}
    fit, moves = play(blind)
    assert names(moves) == [*(f"look {name}" for name in NAMES), "run float32"]
    assert str(fit.nearest.variant) == "float32"


def test_a_file_as_it_is_loses_nothing() -> None:
    assert trial("as-is", World(agreement=None)).loss == 0
    assert trial(Variant("as-is", 0.5), World(agreement=None)).loss is None


@pytest.mark.parametrize(
    ("metric", "found", "bound", "expected"),
    [
        ("size", 2e6, 1e6, math.log(2)),
        ("agreement", 0.5, 1.0, math.log(2)),
        ("size", 1e6, 1e6, 0.0),
        ("agreement", 0.0, 0.9, math.inf),
        ("agreement", -0.4, 0.9, math.inf),
        ("size", 1e6, 0.0, math.inf),
        ("agreement", math.nan, 0.9, math.inf),
    ],
)
def test_distances(metric: str, found: float, bound: float, expected: float) -> None:
    assert distance(judge(limit(metric, bound), figure(metric, found))) == pytest.approx(expected)


@pytest.mark.parametrize(
    ("metric", "found", "bound", "said"),
    [
        ("size", 1.015e6, 1e6, "size 1.01 MB is 1.5% over 1.00 MB"),
        ("size", 14e6, 1e6, "size 14.0 MB is 14x over 1.00 MB"),
        ("agreement", 0.94, 0.99, "agreement 0.94 is 5.1% under 0.99"),
        ("size", 5.0, 0.0, "size 5 B is over 0 B"),
    ],
)
def test_how_far_off_is_said(metric: str, found: float, bound: float, said: str) -> None:
    seen = trial("int8", World())
    verdicts = (judge(limit(metric, bound), figure(metric, found)),)
    assert why_not(Trial(replace(seen.result, verdicts=verdicts), finished=True)) == said


def test_a_crash_on_the_device_is_reported_with_its_reason() -> None:
    died = Unmeasured(METRICS["ram_peak"], "killed for memory", fails=True)
    seen = trial("int8", World())
    verdicts = (judge(limit("ram_peak", 1.0), died),)
    failed = Trial(replace(seen.result, verdicts=verdicts), finished=True)
    assert (why_not(failed), failed.distance) == ("ram_peak: killed for memory", math.inf)


def test_waiting_and_holding_trials_have_no_failed_limit() -> None:
    assert why_not(trial("int8", World(), ran=False)) == "not run"
    assert why_not(trial("int8", World())) == ""
    assert [trial("int8", World(), ran=ran).state for ran in (False, True)] == ["not run", "holds"]


def test_a_lossier_variant_that_holds_too_is_reported_as_such() -> None:
    fit, _ = play(worlds(), every=True)
    assert {each.words for each in others(fit)} == {"holds too, and loses more"}


_WORLDS = st.builds(
    World,
    size=st.sampled_from([4e5, 1e6, 3e6]),
    p50=st.sampled_from([0.01, 0.05, 0.2, None]),
    agreement=st.sampled_from([1.0, 0.99999, 0.999, 0.99, 0.5, None]),
    made=st.booleans() | st.just(value=True),
    zeros=st.sampled_from([False, False, True]),
    ram=st.sampled_from([60 * MIB, 120 * MIB]),
)


@given(st.lists(_WORLDS, min_size=1, max_size=5), st.permutations(LADDER))
def test_the_short_search_finds_the_answer_of_the_complete_one(truths: list[World], order: list[Variant]) -> None:
    world = dict(zip(order, truths, strict=False))
    short, moves = play(world)
    whole, _ = play(world, every=True)
    assert short.outcome is whole.outcome
    assert len(set(moves)) == len(moves)
    assert {*(each.variant for each in short.trials), *short.left} == set(world)
    if whole.recommended is not None:
        assert short.recommended is not None
        same = short.recommended.variant == whole.recommended.variant
        assert same or (short.recommended.loss or 0.0) <= 1e-4
    if short.outcome is Outcome.NOTHING:
        assert short.nearest.fails
    for move in moves:
        if move.step is Step.RUN:
            assert not trial(move.variant, world[move.variant], ran=False).fails


def test_what_answers_something_else_is_not_recommended_unless_a_limit_allows_it() -> None:
    """As selfie_segmentation's int8-dynamic, which agreed to 0.0007766 and was recommended for its size."""
    big, other = World(size=2e6, agreement=1.0), World(agreement=0.0007766)
    fit, _ = play(worlds(float32=big, float16=big, int8_weights=big, int8_dynamic=other, int8=big))
    assert fit.outcome is Outcome.UNDECIDED
    assert fit.recommended is None
    assert why_not(fit.nearest) == (
        "undecided: its agreement with the source is 0.0007766, below 0.9, and no limit on agreement allows that"
    )
    allowed = limit("agreement", 0.0005)
    verdicts = (*fit.nearest.result.verdicts, judge(allowed, figure("agreement", other.agreement or 0.0)))
    assert Trial(replace(fit.nearest.result, verdicts=verdicts), finished=True).holds


def test_a_variant_that_agrees_is_taken_instead_of_one_that_answers_something_else() -> None:
    big = World(size=2e6, agreement=1.0)
    fit, _ = play(worlds(float32=big, float16=big, int8_weights=World(agreement=0.5), int8_dynamic=World(), int8=big))
    assert str(fit.nearest.variant) == "int8-dynamic"
    assert fit.outcome is Outcome.FITS
