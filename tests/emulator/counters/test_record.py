from __future__ import annotations

from pathlib import Path

import pytest

from edgecheck.emulator.counters import record
from edgecheck.emulator.counters.plugin import SECOND_LEVELS
from edgecheck.errors import EmulatorError

#: fmla v0.4s, v1.4s, v2.4s twice and a branch; a return.
ONE = """\
accesses 12
l1 7 3
l2 9 8 7 6 5 4
lost 0
block 1000 4e22cc204e22cc20b5ffff81
block 5 d65f03c0
end
"""


def test_what_the_plugin_wrote_is_read(tmp_path: Path) -> None:
    (tmp_path / "counted").write_text(ONE)
    found = record.read(tmp_path / "counted")
    assert found is not None
    assert (found.l1_loads, found.l1_stores) == (7, 3)
    assert found.l2 == dict(zip(SECOND_LEVELS, (9, 8, 7, 6, 5, 4), strict=True))
    assert [block.executions for block in found.blocks] == [1000, 5]
    assert (found.instructions, found.multiplying) == (3005, 2000)


def test_the_last_complete_record_counts(tmp_path: Path) -> None:
    later = ONE.replace("l1 7 3", "l1 70 30")
    (tmp_path / "counted").write_text(ONE + later + "accesses 1\nl1 1")
    found = record.read(tmp_path / "counted")
    assert found is not None
    assert found.l1_loads == 70


@pytest.mark.parametrize("text", ["", "accesses 1\nl1 7"])
def test_nothing_complete_is_no_record(text: str, tmp_path: Path) -> None:
    (tmp_path / "counted").write_text(text)
    assert record.read(tmp_path / "counted") is None
    assert record.read(tmp_path / "never written") is None


@pytest.mark.parametrize(
    ("before", "after"), [("lost 0", "lost 8"), ("l1 7 3", "l1 7"), ("l2 9 8", "l2 9"), ("block 5", "block five")]
)
def test_a_record_that_is_not_right_is_an_error(before: str, after: str, tmp_path: Path) -> None:
    (tmp_path / "counted").write_text(ONE.replace(before, after))
    with pytest.raises(EmulatorError, match="record cannot be read"):
        record.read(tmp_path / "counted")
