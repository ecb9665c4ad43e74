"""Inputs and outputs of two models are paired by name, by number, and by order only where that is safe."""

from __future__ import annotations

import pytest

from edgecheck.converters.matching import assigned, labels, matched, short


@pytest.mark.parametrize(
    ("names", "others", "places"),
    [
        (("a", "b"), ("b", "a"), (1, 0)),
        (("zeta", "alpha"), ("serving_default_alpha:0", "serving_default_zeta:0"), (1, 0)),
        (("second", "first"), ("output_0", "output_1"), (0, 1)),
        (("second", "first"), ("output_1", "output_0"), (1, 0)),
        (("x", "y"), ("StatefulPartitionedCall_1:1", "StatefulPartitionedCall_1:0"), (1, 0)),
        (
            tuple("abcdefghijk"),
            tuple(f"output_{i}" for i in sorted(range(11), key=str)),
            (0, 1, 3, 4, 5, 6, 7, 8, 9, 10, 2),
        ),
        (("x",), ("anything",), (0,)),
        (("x", "y"), ("p", "q"), (0, 1)),
        (("x",), ("x", "unasked"), (0,)),
        (("x", "y"), ("x",), None),
        ((), (), ()),
    ],
)
def test_names_written_by_converters_are_matched(
    names: tuple[str, ...], others: tuple[str, ...], places: tuple[int, ...] | None
) -> None:
    assert matched(names, others) == places


@pytest.mark.parametrize(
    ("names", "given", "places"),
    [
        (("z_in", "a_in"), ("a_in", "z_in"), (1, 0)),
        (("serving_default_z:0", "serving_default_a:0"), ("a", "z"), (1, 0)),
        (("z_in", "a_in"), ("arr_1", "arr_0"), (1, 0)),
        (("z_in", "a_in"), ("serving_default_args_0:0", "serving_default_args_1:0"), (0, 1)),
        (("z_in", "a_in"), ("foo", "bar"), None),
        (("z_in", "a_in"), ("a", "z_in"), None),
        (("z_in", "a_in"), ("arr_0", "z_in"), None),
        (("z_in", "a_in"), ("arr_0", "arr_2"), None),
        (("args_1", "args_2"), ("args_0", "args_1"), None),
        (("input_1", "input_2"), ("foo", "bar"), None),
        (("z_in", "a_in"), ("arr_0",), None),
    ],
)
def test_names_written_by_a_person_are_taken_literally(
    names: tuple[str, ...], given: tuple[str, ...], places: tuple[int, ...] | None
) -> None:
    assert assigned(names, given) == places


@pytest.mark.parametrize(
    ("name", "shown"), [("serving_default_image:0", "image"), ("a:b", "a:b"), ("plain", "plain"), (":0", ":0")]
)
def test_short_names(name: str, shown: str) -> None:
    assert short(name) == shown


def test_names_that_differ_behind_the_colon_are_two() -> None:
    assert labels(["ids:0", "ids:1", "serving_default_mask:0"]) == {
        "ids:0": "ids:0",
        "ids:1": "ids:1",
        "serving_default_mask:0": "mask",
    }
    assert assigned(["ids:0", "ids:1"], ["ids:1", "ids:0"]) == (1, 0)
    assert assigned(["ids:0", "ids:1"], ["ids", "mask"]) is None
