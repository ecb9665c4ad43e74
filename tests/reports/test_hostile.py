"""Names from outside are plain text in every format; each format's own test says how it escapes them."""

from __future__ import annotations

import pytest

from edgecheck.reports import FORMATS, render
from tests.reports.hostile import STEERING, TRICKS, hostile_report


@pytest.mark.parametrize("name", FORMATS)
def test_no_name_steers_what_reads_the_report(name: str) -> None:
    plain = render(name, hostile_report("x")).splitlines()
    for trick in TRICKS:
        text = render(name, hostile_report(trick))
        assert not set(text) & STEERING
        text.encode()
        if name not in ("terminal", "html", "json", "sarif"):  # whose lines break where the width says, or mean nothing
            assert len(text.splitlines()) == len(plain), trick
