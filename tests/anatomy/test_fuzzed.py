"""A short run of `tools/fuzz.py`, and what longer ones found."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from tools import fuzz
from tools import fuzz_subjects as subjects

#: Files that were read badly.
FOUND = {
    "deep.pkl": b"\x80\x04" + b"]" * 5000 + b"a" * 4999 + b"\x8c\x01a\x93.",
    "number.pkl": b"\x80\x04}\x8b\x20\x08\0\0" + b"\x7f" * 2080 + b"]s.",
}


def test_changed_files_are_read_well(tmp_path: Path) -> None:
    count, found = fuzz.fuzz(4, 0, tmp_path)
    assert count > 20
    assert found == {}


@pytest.mark.parametrize("name", FOUND)
def test_what_was_found_stays_mended(name: str, tmp_path: Path) -> None:
    (tmp_path / name).write_bytes(FOUND[name])
    assert fuzz.examine(tmp_path / name) == ""


def test_kept_files_stay_mended(tmp_path: Path) -> None:
    kept = sorted(fuzz.KEPT.iterdir()) if fuzz.KEPT.is_dir() else []
    assert [fuzz.examine(Path(shutil.copy(path, tmp_path))) for path in kept] == [""] * len(kept)


def test_unchanged_files_are_read(tmp_path: Path) -> None:
    files = subjects.corpus()
    del files["ordered.h5"]  # of a kind that is not read
    for name, content in files.items():
        (tmp_path / name).write_bytes(content)
        assert subjects.reading(tmp_path / name) == "", name


def test_bad_files_are_findings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(subjects.READERS, ".pkl", lambda _: str(1 // 0))
    (tmp_path / "m.pkl").write_bytes(b"")
    assert (
        fuzz.examine(tmp_path / "m.pkl")
        == "ZeroDivisionError: integer division or modulo by zero (test_fuzzed.py, <lambda>)"
    )
