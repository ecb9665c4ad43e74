"""What grew between two profiles, operator by operator."""

from __future__ import annotations

import math

from edgecheck.core.operator_changes import Change, compare, differences, explanation
from tests.core.operator_profiles import operator, profile


def changes(new: object, old: object) -> dict[str, tuple[str, str]]:
    found = compare(new, old)  # type: ignore[arg-type]
    return {each.name: (each.was, each.change.value) for each in found.changes}


def test_matched_by_name_and_the_changes_sum_to_the_difference() -> None:
    new = profile(operator("a", 3.0), operator("b", 2.0), operator("new", 1.0), whole=7.0)
    old = profile(operator("a", 1.0), operator("b", 2.5), operator("gone", 0.5, type="Relu"), whole=4.5)
    found = compare(new, old)
    assert [(each.name, each.change) for each in found.changes] == [
        ("a", Change.GREW),
        ("new", Change.APPEARED),
        ("b", Change.SHRANK),
        ("gone", Change.VANISHED),
    ]
    total = math.fsum(each.delta for each in found.changes) + found.remainder
    assert math.isclose(total, found.delta)
    assert math.isclose(found.delta, 2.5e-3)


def test_renamed_ones_are_matched_by_type_and_shape_in_order() -> None:
    new = profile(*(operator(f"x{at}", 1.0 + at, shape="1 x 8") for at in range(3)))
    old = profile(*(operator(f"y{at}", 1.0 + at, shape="1 x 8") for at in range(3)))
    assert changes(new, old) == {f"x{at}": (f"y{at}", "same") for at in range(3)}


def test_of_a_type_that_is_left_as_often_in_both_the_place_decides() -> None:
    new = profile(operator("x", 1.0, shape="1 x 16", macs=400), operator("p", 1.0, type="Relu"))
    old = profile(operator("y", 1.0, shape="1 x 8", macs=100))
    (first, second) = compare(new, old).changes
    assert (second.name, second.was) == ("x", "y") or (first.name, first.was) == ("x", "y")
    one = next(each for each in compare(new, old).changes if each.name == "x")
    assert one.detail == "1 x 8 → 1 x 16; 4 times the multiply-accumulates"
    assert changes(new, profile())["x"] == ("", "appeared")


def test_several_of_one_name_keep_their_order() -> None:
    new = profile(operator("Reorder", 1.0), operator("Reorder", 5.0))
    old = profile(operator("Reorder", 1.0), operator("Reorder", 2.0))
    found = [(each.old, each.new) for each in compare(new, old).changes]
    assert found == [(2e-3, 5e-3), (1e-3, 1e-3)]


def test_on_a_device_a_difference_within_its_uncertainty_is_none() -> None:
    new, old = profile(operator("a", 1.2, half=0.3)), profile(operator("a", 1.0, half=0.4))
    (one,) = compare(new, old).changes
    assert one.change is Change.SAME
    assert math.isclose(one.uncertainty, 0.5e-3)
    (one,) = compare(profile(operator("a", 2.0, half=0.3)), old).changes
    assert one.change is Change.GREW


def test_counted_differences_are_real_above_an_interrupt() -> None:
    old = profile(operator("a", 1.0), operator("b", 1.0), counted=True)
    new = profile(operator("a", 1.005), operator("b", 1.007), counted=True)
    assert {name: change for name, (_, change) in changes(new, old).items()} == {"a": "same", "b": "grew"}


def test_profiles_of_two_runtimes_are_not_compared() -> None:
    ours, theirs = profile(), profile(runtime="onnxruntime 1.20.0", counted=True)
    assert differences(ours, ours) == ()
    assert differences(ours, theirs) == (
        "figures: now measured, then emulated",
        "runtime: now onnxruntime 1.32.0, then onnxruntime 1.20.0",
    )
    assert explanation(ours, theirs) == ""
    assert explanation(ours, None) == ""


def test_three_operators_explain_growth() -> None:
    old = profile(*(operator(name, 1.0) for name in "abcde"), counted=True)
    new = profile(*(operator(name, 1.0 + at) for at, name in enumerate("abcde")), operator("f", 2.5), counted=True)
    assert explanation(new, old) == "most of it: e (grew) +4.00M, d (grew) +3.00M, f (appeared) +2.50M"
    assert explanation(old, old) == ""
