"""Units: what a user writes, in base units; what a person reads."""

from __future__ import annotations

import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgecheck.core.units import SUFFIXES, TAKES, Unit, parse, show, shown

SIZE = "expected a size with its unit, such as 80 MiB or 1.5 MB"
TIME = "expected a duration with its unit, such as 50 ms or 1.5 s"
COUNT = "expected a number, such as 200_000_000 or 200e6"
RATIO = "expected a number or a share, such as 0.99 or 99%"


@pytest.mark.parametrize(
    ("text", "unit", "value"),
    [
        ("80 MiB", Unit.BYTES, 80 * 2**20),
        ("80MiB", Unit.BYTES, 80 * 2**20),
        ("  1 MB ", Unit.BYTES, 1_000_000),
        ("1.1 MB", Unit.BYTES, 1_100_000),  # 1.1 * 10**6 would be 1100000.0000000002
        (".5 kB", Unit.BYTES, 500),
        ("5. B", Unit.BYTES, 5),
        ("1_000 B", Unit.BYTES, 1000),
        ("+2 GiB", Unit.BYTES, 2 * 2**30),
        ("1e3 B", Unit.BYTES, 1000),
        ("0", Unit.BYTES, 0),
        (0, Unit.BYTES, 0),
        ("-0 MB", Unit.BYTES, 0),
        ("50 ms", Unit.SECONDS, 0.05),
        ("250 us", Unit.SECONDS, 0.00025),
        ("250 \N{MICRO SIGN}s", Unit.SECONDS, 0.00025),
        ("250 \N{GREEK SMALL LETTER MU}s", Unit.SECONDS, 0.00025),
        ("7 ns", Unit.SECONDS, 7e-9),
        ("1.5 s", Unit.SECONDS, 1.5),
        ("2 min", Unit.SECONDS, 120),
        ("1.8 GHz", Unit.HERTZ, 1.8e9),
        ("700 Hz", Unit.HERTZ, 700),
        (200_000_000, Unit.COUNT, 2e8),
        ("200e6", Unit.COUNT, 2e8),
        ("200M", Unit.COUNT, 2e8),
        (0.99, Unit.RATIO, 0.99),
        ("99%", Unit.RATIO, 0.99),
        ("7 %", Unit.RATIO, 0.07),  # 7 * 0.01 would be 0.07000000000000001
        ("1e-99999 s", Unit.SECONDS, 0),
    ],
)
def test_a_value_is_read_in_base_units(text: Any, unit: Unit, value: float) -> None:
    assert parse(text, unit) == value
    assert math.copysign(1, parse(text, unit)) == 1


@pytest.mark.parametrize(
    ("raw", "unit", "message"),
    [
        (12, Unit.BYTES, f"12 has no unit; {SIZE}"),
        ("12", Unit.BYTES, f"'12' has no unit; {SIZE}"),
        (50, Unit.SECONDS, f"50 has no unit; {TIME}"),
        ("12 mb", Unit.BYTES, "unit 'mb' is not known; did you mean MB?"),
        ("12 KB", Unit.BYTES, "unit 'KB' is not known; did you mean kB?"),
        ("12 mib", Unit.BYTES, "unit 'mib' is not known; did you mean MiB?"),
        ("5 MS", Unit.SECONDS, "unit 'MS' is not known; did you mean ms?"),
        ("3 parsec", Unit.SECONDS, f"unit 'parsec' is not known; {TIME}"),
        ("50 ms", Unit.BYTES, f"unit 'ms' is not known; {SIZE}"),
        ("80 MiB", Unit.COUNT, f"unit 'MiB' is not known; {COUNT}"),
        ("-1 MB", Unit.BYTES, f"'-1 MB' is negative; {SIZE}"),
        (-0.5, Unit.RATIO, f"-0.5 is negative; {RATIO}"),
        ("nan", Unit.BYTES, f"found 'nan'; {SIZE}"),
        (math.nan, Unit.BYTES, f"nan is not a finite number; {SIZE}"),
        (math.inf, Unit.COUNT, f"inf is not a finite number; {COUNT}"),
        ("1e400 MB", Unit.BYTES, f"'1e400 MB' is not a finite number; {SIZE}"),
        ("1e308 MB", Unit.BYTES, f"'1e308 MB' is not a finite number; {SIZE}"),
        (10**400, Unit.COUNT, f"1{'0' * 63}… is not a finite number; {COUNT}"),
        ("1,5 MB", Unit.BYTES, f"found '1,5 MB'; {SIZE}"),
        ("1.2.3 MB", Unit.BYTES, f"found '1.2.3 MB'; {SIZE}"),
        ("1__0 MB", Unit.BYTES, f"found '1__0 MB'; {SIZE}"),
        ("1 MB 2", Unit.BYTES, f"found '1 MB 2'; {SIZE}"),
        ("\N{ARABIC-INDIC DIGIT THREE} MB", Unit.BYTES, f"found '\N{ARABIC-INDIC DIGIT THREE} MB'; {SIZE}"),
        ("1:30", Unit.SECONDS, f"found '1:30'; {TIME}"),
        ("", Unit.SECONDS, f"found ''; {TIME}"),
        ("soon", Unit.SECONDS, f"found 'soon'; {TIME}"),
        ("1" * 65, Unit.COUNT, f"found '{'1' * 64}…'; {COUNT}"),
        ("1 \x1b[31mMB", Unit.BYTES, f"found '1 \\x1b[31mMB'; {SIZE}"),
        (True, Unit.COUNT, f"found True; {COUNT}"),
        (None, Unit.RATIO, f"found None; {RATIO}"),
        ([1], Unit.BYTES, f"found [1]; {SIZE}"),
    ],
)
def test_an_invalid_value_says_what_was_found_and_what_is_accepted(raw: object, unit: Unit, message: str) -> None:
    with pytest.raises(ValueError) as caught:  # noqa: PT011 - the entire message is compared
        parse(raw, unit)
    assert str(caught.value) == message


@pytest.mark.parametrize(
    ("value", "unit", "text", "exact"),
    [
        (0, Unit.BYTES, "0 B", "0 B"),
        (0, Unit.SECONDS, "0 s", "0 s"),
        (0, Unit.COUNT, "0", "0"),
        (42, Unit.BYTES, "42 B", "42 B"),
        (0.5, Unit.BYTES, "0.50 B", "0.5 B"),
        (999_400, Unit.BYTES, "999 kB", "999,400 B"),
        (999_600, Unit.BYTES, "1.00 MB", "999,600 B"),
        (1_234_567, Unit.BYTES, "1.23 MB", "1,234,567 B"),
        (9_996_000, Unit.BYTES, "10.0 MB", "9,996,000 B"),
        (99_960_000, Unit.BYTES, "100 MB", "99,960,000 B"),
        (-3_000_000, Unit.BYTES, "-3.00 MB", "-3,000,000 B"),
        (0.0123, Unit.SECONDS, "12.3 ms", "0.0123 s"),
        (3e-11, Unit.SECONDS, "0.03 ns", "3e-11 s"),
        (75, Unit.SECONDS, "75.0 s", "75 s"),
        (1.8e9, Unit.HERTZ, "1.80 GHz", "1,800,000,000 Hz"),
        (12.5, Unit.COUNT, "12.5", "12.5"),
        (2e8, Unit.COUNT, "200M", "200,000,000"),
        (0.99, Unit.RATIO, "0.99", "0.99"),
        (0.99999, Unit.RATIO, "0.99999", "0.99999"),
        (0.9999998, Unit.RATIO, "0.9999998", "0.9999998"),
        (0.999999999999, Unit.RATIO, "1", "1"),
        (1, Unit.RATIO, "1", "1"),
        (math.nan, Unit.BYTES, "not a number", "not a number"),
        (math.inf, Unit.SECONDS, "infinite", "infinite"),
    ],
)
def test_a_value_is_shown_in_the_unit_that_fits(value: float, unit: Unit, text: str, exact: str) -> None:
    assert show(value, unit) == text
    assert show(value, unit, exact=True) == exact


def test_memory_is_shown_in_binary_units() -> None:
    assert show(80 * 2**20, Unit.BYTES, binary=True) == "80.0 MiB"
    assert show(1023, Unit.BYTES, binary=True) == "1023 B"


@given(st.floats(1e-9, 1e15), st.sampled_from(list(Unit)))
def test_what_is_shown_reads_back_within_its_three_digits(value: float, unit: Unit) -> None:
    hundredth = 0.0051 * min(SUFFIXES[unit].values())  # below one of the smallest unit, two decimals are shown
    assert parse(show(value, unit), unit) == pytest.approx(value, rel=0.0051, abs=hundredth)


@given(st.integers(0, 10**15), st.sampled_from([(unit, suffix) for unit in Unit for suffix in SUFFIXES[unit]]))
def test_an_integer_of_any_unit_is_the_nearest_float(number: int, kind: tuple[Unit, str]) -> None:
    unit, suffix = kind
    factor = SUFFIXES[unit][suffix]
    expected = number * factor if factor >= 1 else number / round(1 / factor)
    assert parse(f"{number} {suffix}", unit) == float(expected)


def test_every_unit_says_what_it_takes_with_examples_that_it_takes() -> None:
    for unit, takes in TAKES.items():
        examples = takes.partition("such as ")[2].split(" or ")
        assert [parse(example, unit) for example in examples]


def test_a_value_in_a_message_is_short_and_printable() -> None:
    assert shown("a\nb") == "'a\\nb'"
    assert shown("x" * 100) == f"'{'x' * 64}…'"
    assert shown(12) == "12"
