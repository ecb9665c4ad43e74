"""The history file: several writers, damage, other versions, disks that refuse, and many rows.

Covers `checks/history.py`.
"""

from __future__ import annotations

import json
import os
import resource
import subprocess
import sys
import time
from pathlib import Path

import pytest

from edgecheck.checks import history
from edgecheck.checks.history import Left, Wanted, append, read
from edgecheck.core.history import Key, Reading
from edgecheck.errors import UndecidedError, UsageError
from tests.core.test_history import KEY, series

VALUES = [100.0, 101.0, 102.0]


def pairs(key: Key = KEY, values: list[float] = VALUES) -> list[tuple[Key, Reading]]:
    return [(key, reading) for reading in series(values, key, limit=200.0).readings]


def silent(_words: str) -> None:
    pass


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "new folder" / "history.jsonl"


def test_what_is_written_is_read(path: Path) -> None:
    assert append(path, pairs(), silent) == 3
    left = Left()
    assert read(path, Wanted(), left) == [series(VALUES, limit=200.0)]
    assert left.words(path) == []
    row = json.loads(path.read_text(encoding="utf-8").splitlines()[0])
    page = (
        (Path(__file__).parents[2] / "docs/how-to/history.md").read_text(encoding="utf-8").partition("## The file")[2]
    )
    assert all(f"`{name}`" in page for name in row)


def test_what_is_there_already_is_not_added_again(path: Path) -> None:
    append(path, pairs(), silent)
    before = path.read_bytes()
    assert append(path, pairs(values=[*VALUES, 103.0]), silent) == 1
    assert path.read_bytes().startswith(before)


def test_a_file_that_was_cut_in_the_middle_is_read_and_continued(path: Path) -> None:
    append(path, pairs(), silent)
    path.write_bytes(path.read_bytes()[:-40])
    left = Left()
    assert len(read(path, Wanted(), left)[0].readings) == 2
    assert left.words(Path("h")) == ["h: line 3 is cut off or damaged and left out."]
    append(path, pairs(values=[*VALUES, 103.0])[3:], silent)
    assert [one.value for one in read(path, Wanted(), Left())[0].readings] == [100.0, 101.0, 103.0]


def test_lines_of_a_later_version_are_left_out_and_counted(path: Path) -> None:
    append(path, pairs(), silent)
    with path.open("a", encoding="utf-8") as file:
        file.write('{"edgecheck_history": 2, "something": "else"}\n' * 2)
    left = Left()
    assert len(read(path, Wanted(), left)[0].readings) == 3
    assert left.words(Path("h")) == ["h: 2 lines are of a later edgecheck and left out; update edgecheck to read them."]
    assert append(path, pairs(values=[*VALUES, 103.0]), silent) == 1


@pytest.mark.parametrize(
    "line",
    [
        *("nonsense", "[]", "{}", "1", "null", '{"edgecheck_history": "1"}', '{"edgecheck_history": 0}', "[" * 100_000),
        json.dumps({"edgecheck_history": 1, **pairs()[0][0]._asdict()}),
        json.dumps({"edgecheck_history": 1, **KEY._asdict(), **pairs()[0][1]._replace(value=float("nan"))._asdict()}),
        json.dumps({"edgecheck_history": 1, **KEY._asdict(), **pairs()[0][1]._replace(at="yesterday")._asdict()}),
        json.dumps({"edgecheck_history": 1, **KEY._asdict(), **pairs()[0][1]._replace(at="2026-01-01")._asdict()}),
        json.dumps({"edgecheck_history": 1, **KEY._asdict(), **pairs()[0][1]._replace(status="good")._asdict()}),
        json.dumps({"edgecheck_history": 1, **KEY._asdict(), **pairs()[0][1]._replace(commit=7)._asdict()}),  # type: ignore[arg-type]
    ],
)
def test_a_damaged_line_costs_no_other(line: str, path: Path) -> None:
    append(path, pairs(), silent)
    with path.open("a", encoding="utf-8") as file:
        file.write(f"{line}\n")
    left = Left()
    assert len(read(path, Wanted(), left)[0].readings) == 3
    assert left.damaged == 1


@pytest.mark.parametrize("end", ["rubbish\n", '{"edgecheck_history": 1, "lineage": "b.ya'])
def test_damage_is_reported_though_only_one_metric_is_asked_for(end: str, path: Path) -> None:
    """The line may have been of that metric."""
    append(path, pairs(), silent)
    with path.open("a", encoding="utf-8") as file:
        file.write(end)
    left = Left()
    assert len(read(path, Wanted(metrics=("size",)), left)[0].readings) == 3
    assert left.words(Path("h")) == ["h: line 4 is cut off or damaged and left out."]


def test_bytes_that_are_no_text_are_damage(path: Path) -> None:
    append(path, pairs(), silent)
    with path.open("ab") as file:
        file.write(b"\xff\xfe\x00\n")
    left = Left()
    assert len(read(path, Wanted(), left)[0].readings) == 3
    assert left.damaged == 1


def test_a_file_of_something_else_is_refused(tmp_path: Path) -> None:
    other = tmp_path / "report.json"
    other.write_text('{"schema": "edgecheck-report"}\n', encoding="utf-8")
    with pytest.raises(UsageError, match="is not a history of edgecheck"):
        read(other, Wanted(), Left())
    with pytest.raises(UsageError, match="could not be read: Is a directory"):
        read(tmp_path, Wanted(), Left())
    with pytest.raises(UsageError, match="could not be read: No such file"):
        read(tmp_path / "none", Wanted(), Left())


def test_only_what_is_wanted_is_read(path: Path) -> None:
    append(path, pairs(), silent)
    append(path, [(KEY._replace(device="pixel-8"), one._replace(run=f"b{one.run[1:]}")) for _, one in pairs()], silent)
    assert len(read(path, Wanted(), Left())) == 2
    for wanted in (
        *(Wanted(device="pi"), Wanted(device="pi", metrics=("size",)), Wanted(lineage="net", device="pi")),
        *(Wanted(variant="as-is", device="pi"), Wanted(branch="main", device="pi", metrics=("size", "download"))),
    ):
        assert [one.key.device for one in read(path, wanted, Left())] == ["pi"]
    for wanted in (Wanted(device="p"), Wanted(branch="other"), Wanted(metrics=("download",)), Wanted(lineage="x")):
        assert read(path, wanted, Left()) == []


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_folder_that_is_read_only(tmp_path: Path) -> None:
    tmp_path.chmod(0o500)
    with pytest.raises(UsageError, match="could not be written: Permission denied"):
        append(tmp_path / "history.jsonl", pairs(), silent)


def test_a_full_disk_leaves_the_file_as_it_was(path: Path) -> None:
    append(path, pairs(), silent)
    before = path.read_bytes()
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (len(before) + 100, hard))
    try:
        with pytest.raises(UsageError, match="could not be written: File too large"):
            append(path, pairs(values=[*VALUES, 103.0, 104.0]), silent)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert path.read_bytes() == before


@pytest.mark.parametrize("place", ["/dev/null", "/dev/zero"])
def test_what_has_no_end_is_no_history(place: str) -> None:
    with pytest.raises(UsageError, match="is not a file, which a history must be"):
        append(Path(place), pairs(), silent)
    with pytest.raises(UsageError, match="is not a file, which a history must be"):
        read(Path(place), Wanted(), Left())


def test_a_writer_waits_for_another_one_and_gives_up(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import fcntl

    append(path, pairs(), silent)
    monkeypatch.setattr(history, "_PATIENCE", 0.05)
    said: list[str] = []
    with path.open("ab") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        with pytest.raises(UndecidedError, match="is held by another process"):
            append(path, pairs(values=[*VALUES, 103.0]), said.append)
    assert said[0] == f"waiting for another edgecheck that writes {path}"
    assert append(path, pairs(values=[*VALUES, 103.0]), silent) == 1


WRITER = """
import sys
from pathlib import Path
from edgecheck.checks.history import append
from edgecheck.core.history import Key, Reading
key = Key("net.yaml", "as-is", sys.argv[2], "", "", "size", "static")
for at in range(40):
    readings = [(key, Reading("2026-01-01T00:00:00+00:00", "c", "main", 1.0 * at, None, "", f"{sys.argv[3]}{at:015x}"))]
    append(Path(sys.argv[1]), readings * 20, print)
"""


def test_several_processes_write_at_once(path: Path) -> None:
    writers = [
        subprocess.Popen([sys.executable, "-c", WRITER, str(path), f"device-{number}", str(number)])
        for number in range(4)
    ]
    assert [writer.wait(timeout=120) for writer in writers] == [0] * 4
    left = Left()
    found = read(path, Wanted(), left)
    assert (left.damaged, left.newer) == (0, 0)
    assert [len(one.readings) for one in found] == [40] * 4
    assert len(path.read_text(encoding="utf-8").splitlines()) == 4 * 40 * 20


@pytest.mark.slow
def test_two_hundred_thousand_rows_are_read_and_continued(path: Path) -> None:
    path.parent.mkdir()
    head = '{"edgecheck_history": 1, "lineage": "net.yaml", "variant": "as-is", "device": "pi-%d", "runtime": "", '
    tail = (
        '"where": "", "metric": "size", "provenance": "static", "at": "2026-01-01T00:00:00+00:00", "commit": "%07x", '
        '"branch": "main", "value": %d.0, "limit": null, "status": "", "run": "%016x"}\n'
    )
    with path.open("w", encoding="utf-8") as file:
        for at in range(200_000):
            file.write(head % (at % 50) + tail % (at // 50, at, at))
    began = time.process_time()
    found = read(path, Wanted(device="pi-7"), Left())
    assert [len(one.readings) for one in found] == [4_000]
    every = read(path, Wanted(), Left())
    assert sum(len(one.readings) for one in every) == 200_000
    assert append(path, pairs(values=[1.0]), silent) == 0  # a run that it has
    assert time.process_time() - began < 24  # of the processor: 120 s for a million
