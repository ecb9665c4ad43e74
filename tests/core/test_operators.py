"""From what profilers saw in each process to one figure for each operator."""

from __future__ import annotations

import pytest

from edgecheck.core.metrics import Provenance
from edgecheck.core.operators import seen_operator, summarised, union
from tests.core.operator_profiles import operator, profile, seen, seen_profile


def test_an_outlier_does_not_count_and_the_rows_sum_to_the_whole() -> None:
    whole = [30, 30, 30, 30, 30, 30, 30, 930]
    found = summarised(
        [seen_profile(whole, seen("a", *[10] * 7, 910), seen("b", *[15] * 8))],
        runtime="onnxruntime 1.32.0",
        plain=None,
        provenance=Provenance.MEASURED,
    )
    assert [round(each.seconds * 1e6, 3) for each in found.operators] == [10, 15]
    assert found.whole == pytest.approx(30e-6)
    assert found.remainder == pytest.approx(5e-6)
    assert found.share(found.operators[0].seconds) == pytest.approx(1 / 3)
    assert found.largest(1)[0].name == "b"


def test_where_the_clock_counts_an_interrupt_does_not_count_and_there_is_no_interval() -> None:
    found = summarised(
        [seen_profile([101, 106, 101], seen("a", 81, 86, 81))],
        runtime="",
        plain=0.1,
        provenance=Provenance.EMULATED,
    )
    (one,) = found.operators
    assert one.low == one.high == one.seconds == pytest.approx(81e-6)
    assert found.whole == pytest.approx(101e-6)
    assert found.show(one.seconds) == "81.0k"


def test_between_processes_the_interval_is_of_their_means() -> None:
    processes = [seen_profile([20] * 8, seen("a", *[value] * 8)) for value in (10, 12, 14)]
    (one,) = summarised(processes, runtime="", plain=None, provenance=Provenance.MEASURED).operators
    assert one.seconds == pytest.approx(12e-6)
    assert one.high - one.seconds == pytest.approx(4.303 * 2e-6 / 3**0.5)
    # One process has an interval of its batches, which here are equal: it is the clock's grain.
    (one,) = summarised(processes[:1], runtime="", plain=None, provenance=Provenance.MEASURED).operators
    assert one.high - one.seconds == pytest.approx(0.5e-6)


def test_operators_of_one_name_are_told_apart_by_their_place() -> None:
    both = seen_profile([9, 9], seen("same", 2, 2, place=0), seen("same", 3, 3, place=1))
    found = summarised([both], runtime="", plain=None, provenance=Provenance.MEASURED)
    assert [round(each.seconds * 1e6) for each in found.operators] == [2, 3]


def test_what_the_runtime_names_anew_in_each_process_is_matched_by_order() -> None:
    processes = [
        seen_profile([9] * 4, seen("Out_1", *[2] * 4, place=7), seen("Out_2", *[6] * 4, place=8)),
        seen_profile([9] * 4, seen("Out_2", *[4] * 4, place=8), seen("Out_1", *[6] * 4, place=7)),
    ]
    found = summarised(processes, runtime="", plain=None, provenance=Provenance.MEASURED)
    assert [round(each.seconds * 1e6) for each in found.operators] == [3, 6]
    assert (
        seen_operator({"name": "Out_token_16", "type": "T", "provider": "", "values_us": [], "calls": 0}).name == "Out"
    )


def test_an_operator_that_one_process_did_not_execute_counts_as_nothing_there() -> None:
    processes = [seen_profile([9] * 4, seen("a", *[4] * 4, place=0)), seen_profile([9] * 4)]
    assert len(union(processes)) == 1
    (one,) = summarised(processes, runtime="", plain=None, provenance=Provenance.MEASURED).operators
    assert one.seconds == pytest.approx(2e-6)
    assert one.calls == pytest.approx(0.5)


def test_names_and_bytes() -> None:
    nameless = seen("", 1, type="Add (ND)", place=3)
    known = seen("n", 1, activation_bytes=4, output_bytes=8, outputs=(("float", (1, 2)),))
    found = summarised([seen_profile([5], nameless, known)], runtime="", plain=None, provenance=Provenance.MEASURED)
    assert [(each.name, each.bytes, each.shape) for each in found.operators] == [
        ("Add (ND) #3", None, ""),
        ("n", 12, "1 x 2"),
    ]


def test_an_empty_graph_has_a_profile() -> None:
    found = summarised([seen_profile([3, 3])], runtime="", plain=None, provenance=Provenance.MEASURED)
    assert found.operators == ()
    assert found.remainder == found.whole == pytest.approx(3e-6)
    assert profile(whole=0.0).share(1.0) == 0.0
    assert profile(operator("a", 1.0)).show(0.001) == "1.00 ms"
