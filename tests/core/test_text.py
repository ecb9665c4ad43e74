from __future__ import annotations

import pytest

from edgecheck.core.text import clean, listed, middle_cut


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("conv/kernel:0", "conv/kernel:0"),
        ("Größe 模型", "Größe 模型"),
        ("a\nb\tc\x1b[31m", "a\ufffdb\ufffdc\ufffd[31m"),
        ("abc\u202edef", "abc\ufffddef"),
        ("\udcff.tflite", "\ufffd.tflite"),
    ],
)
def test_what_cannot_be_printed_is_replaced(text: str, expected: str) -> None:
    assert clean(text) == expected


def test_a_long_name_keeps_its_ends() -> None:
    assert middle_cut("abcdefghij", 10) == "abcdefghij"
    assert middle_cut("abcdefghijk", 7) == "abc…ijk"
    assert middle_cut("a\nb", 7) == "a\ufffdb"


def test_a_list_says_how_many_more_there_are() -> None:
    assert listed(["a", "b"], 2) == "a, b"
    assert listed(["a", "b", "c", "d"], 2) == "a, b and 2 more"
