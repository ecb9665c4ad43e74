"""Files that commands write: complete or not at all."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest

from edgecheck.cli import files
from edgecheck.errors import UsageError


def test_a_file_is_replaced_and_nothing_else_is_left(tmp_path: Path) -> None:
    path = tmp_path / "report.json"
    path.write_text("old", encoding="utf-8")
    files.replace_file(path, "new")
    assert path.read_text(encoding="utf-8") == "new"
    assert list(tmp_path.iterdir()) == [path]
    mask = os.umask(0o027)
    try:
        files.replace_file(tmp_path / "other", "")
    finally:
        os.umask(mask)
    assert (tmp_path / "other").stat().st_mode & 0o777 == 0o640


def test_after_an_error_the_file_is_as_it_was(tmp_path: Path) -> None:
    path = tmp_path / "report.json"
    path.write_text("old", encoding="utf-8")
    with pytest.raises(UnicodeEncodeError):
        files.replace_file(path, "half of it\ud800")
    assert path.read_text(encoding="utf-8") == "old"
    assert list(tmp_path.iterdir()) == [path]


def test_an_edited_file_keeps_its_place_and_its_mode(tmp_path: Path) -> None:
    file, link = tmp_path / "file", tmp_path / "link"
    file.write_text("old", encoding="utf-8")
    file.chmod(0o604)
    link.symlink_to(file)
    files.write_edited(link, "new")
    assert link.is_symlink()
    assert (file.read_text(encoding="utf-8"), file.stat().st_mode & 0o777) == ("new", 0o604)


@pytest.mark.parametrize(
    ("path", "message"),
    [
        (".", "is a folder."),
        ("nowhere/report.json", "The folder of nowhere/report.json does not exist."),
        ("/proc/report.json", "/proc cannot be written to: "),
        ("/dev/null/report.json", "/dev/null/report.json cannot be written to: /dev/null is not a folder."),
        ("/dev/null/a/report.json", "/dev/null/a/report.json cannot be written to: /dev/null is not a folder."),
    ],
)
def test_what_cannot_be_written_is_known_beforehand(
    path: str, message: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    files.ensure_writable(Path("report.json"))
    assert list(tmp_path.iterdir()) == []
    with pytest.raises(UsageError) as caught:
        files.ensure_writable(Path(path))
    assert message in caught.value.message
    with pytest.raises(UsageError, match="could not be written: ") as late:
        files.write_report(Path(path), "")
    assert late.value.hint


def test_the_command_that_makes_the_folder_is_quoted(tmp_path: Path) -> None:
    with pytest.raises(UsageError) as caught:
        files.ensure_writable(tmp_path / "my reports" / "report.json")
    assert caught.value.hint == f"mkdir -p '{tmp_path}/my reports'"


def test_bytes_are_written_in_one_step_too(tmp_path: Path) -> None:
    files.write_report(tmp_path / "table.parquet", b"\0\xff")
    assert (tmp_path / "table.parquet").read_bytes() == b"\0\xff"
    assert list(tmp_path.iterdir()) == [tmp_path / "table.parquet"]


def test_a_folder_is_tried_where_it_will_be_and_not_made_yet(tmp_path: Path) -> None:
    files.ensure_folder(tmp_path / "a" / "b", "Name another folder.")
    assert list(tmp_path.iterdir()) == []
    (tmp_path / "file").touch()
    (tmp_path / "dangling").symlink_to("nowhere")
    for place in (tmp_path / "file", tmp_path / "file" / "in it", tmp_path / "dangling", Path("/proc/here")):
        with pytest.raises(UsageError, match=f"^{place} cannot be written to: ") as caught:
            files.ensure_folder(place, "Name another folder.")
        assert caught.value.hint == "Name another folder."


def test_an_error_of_the_disk_says_what_to_do(tmp_path: Path) -> None:
    path = tmp_path / "report.json"
    assert (
        files.next_step(path, OSError(errno.ENOSPC, "No space left on device")) == f"Free some space: df -h {tmp_path}"
    )
    assert files.next_step(path, PermissionError(errno.EACCES, "")) == f"Check who may write there: ls -ld {tmp_path}"
    assert files.next_step(path / "r", FileNotFoundError(errno.ENOENT, "")) == f"mkdir -p {path}"
    path.touch()
    step = files.next_step(path / "r", NotADirectoryError(errno.ENOTDIR, ""))
    assert step == f"{path} is not a folder: move it away, or work in another folder."
