"""`edgecheck history`, `check --history` and `compare --history` on a real model.

Covers `cli/results.py` where it adds to the history.
"""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from examples.real_models import fetch
from tests.cli.command import Done, edgecheck

HISTORY = ("--history", "history.jsonl")


@pytest.fixture
def here(tmp_path: Path) -> Path:
    (tmp_path / "net.onnx").write_bytes(fetch("mtcnn_onet.onnx").read_bytes())
    limits = "{ram_peak: off, latency_p50: off, footprint: off, size: 2 MB}"
    text = f"model: net.onnx\nregression: {{size: 1%}}\ndevices: {{raspberry-pi-4-2gb: {limits}}}\n"
    (tmp_path / "net.yaml").write_text(text, encoding="utf-8")
    return tmp_path


def check(folder: Path, *more: str, commit: str = "a" * 40) -> Done:
    return edgecheck("check", "net.yaml", *HISTORY, *more, cwd=folder, GITHUB_SHA=commit, GITHUB_REF_NAME="main")


def rows(folder: Path) -> list[dict[str, object]]:
    return [json.loads(line) for line in (folder / "history.jsonl").read_text(encoding="utf-8").splitlines()]


def test_results_are_kept_and_shown(here: Path) -> None:
    assert check(here).code == 0
    with (here / "net.onnx").open("ab") as model:
        model.write(b"\x32\x84\x07" + b"a" * 900)  # a longer description
    assert check(here, commit="b" * 40).code == 0
    assert {row["metric"] for row in rows(here)} == {"size", "download", "params"}
    done = edgecheck("history", "show", "--file", "history.jsonl", "--metric", "size", cwd=here)
    assert (done.code, done.err) == (0, "")
    assert "net.yaml · as-is · raspberry-pi-4-2gb" in done.out
    assert "size step" in done.out
    assert "bbbbbbbbbb: 1,560,1" in done.out or "bbbbbbbbbb: 1.56 MB to 1.56 MB" in done.out
    badge = edgecheck("history", "badge", "--file", "history.jsonl", "--metric", "size", cwd=here)
    assert badge.out.startswith("<svg")
    several = edgecheck("history", "badge", "--file", "history.jsonl", cwd=here)
    assert several.code == 2
    assert "A badge shows one metric, and these options select 3." in several.err


def test_old_reports_are_imported_once(here: Path) -> None:
    edgecheck("check", "net.yaml", "--format", "json=old.json", cwd=here)
    add = ("history", "add", "old.json", "--commit", "v1", "--file", "h.jsonl")
    assert edgecheck(*add, cwd=here).err == "h.jsonl: 3 figures of 1 report added.\n"
    done = edgecheck(*add, cwd=here)
    assert done.err == "h.jsonl: 0 figures of 1 report added.\n"
    again = edgecheck("history", "add", "--file", "h.jsonl", cwd=here)  # the same results, under .edgecheck/results
    assert again.err == "h.jsonl: 0 figures of 1 report added.\n"
    done = edgecheck(
        "history", "show", "--file", "h.jsonl", "--format", "csv=h.csv", "--format", "html=h.html", cwd=here
    )
    assert done.code == 0
    assert (here / "h.csv").read_text(encoding="utf-8").count("v1") == 3
    (here / "old.json").write_text('{"schema": "edgecheck-report", "version": 99}', encoding="utf-8")
    refused = edgecheck("history", "add", "old.json", "--file", "h.jsonl", cwd=here)
    assert refused.code == 2
    assert "is a report of version 99" in refused.err


def test_the_median_of_mains_last_results_is_a_baseline(here: Path) -> None:
    for number in range(3):
        check(here, commit=f"{number:040x}")
    with (here / "net.onnx").open("ab") as model:
        model.write(b"\x32\xa0\x9c\x01" + b"a" * 20_000)
    edgecheck("check", "net.yaml", "--format", "json=head.json", cwd=here)
    done = edgecheck("compare", *HISTORY, "head.json", cwd=here)
    assert done.code == 1, done.err
    assert "size vs baseline: it grew by 1.3% from 1.56 MB, the median of 3; 1% is allowed" in done.out
    allowed = edgecheck("compare", *HISTORY, "head.json", "--growth", "size=5%", cwd=here)
    assert allowed.code == 0
    elsewhere = edgecheck("compare", *HISTORY, "head.json", "--branch", "other", cwd=here)
    assert "no-baseline: The history has no earlier result" in elsewhere.out
    for arguments in ([*HISTORY, "head.json", "head.json"], ["head.json"]):
        wrong = edgecheck("compare", *arguments, cwd=here)
        assert (wrong.code, wrong.out) == (2, "")


def test_a_metric_that_creeps_is_named_before_it_fails(here: Path) -> None:
    check(here)
    (row,) = [row for row in rows(here) if row["metric"] == "size"]
    size = float(str(row["value"]))
    crept = [
        row
        | {"at": f"2026-{month:02}-01T00:00:00+00:00", "commit": f"{month:040x}", "run": f"{month:016x}"}
        | {"value": size * (0.5 + 0.045 * month), "limit": 1.65e6}
        for month in range(1, 11)
    ]
    (here / "history.jsonl").write_text("".join(f"{json.dumps(one)}\n" for one in crept), encoding="utf-8")
    text = (here / "net.yaml").read_text(encoding="utf-8").replace("2 MB", "1.65 MB")
    (here / "net.yaml").write_text(text, encoding="utf-8")
    done = check(here)
    assert done.code == 0  # a caveat fails nothing
    assert "creeping: size grew from" in done.out
    assert "in 10 steps since January 2026, each within the limit of 1.65 MB" in " ".join(done.out.split())


def test_a_damaged_history_is_read_and_a_read_only_one_changes_no_verdict(here: Path) -> None:
    check(here)
    place = here / "history.jsonl"
    place.write_bytes(place.read_bytes()[:-30])
    done = check(here, commit="b" * 40)
    assert done.code == 0
    assert done.err == "edgecheck: history.jsonl: line 3 is cut off or damaged and left out.\n"
    refused = edgecheck("check", "net.yaml", "--history", "/proc/history.jsonl", cwd=here)
    assert refused.code == 0
    assert "edgecheck: the history is not kept: /proc/history.jsonl could not be written: " in refused.err
    endless = edgecheck("check", "net.yaml", "--history", "/dev/zero", cwd=here)
    assert endless.code == 2
    shutil.rmtree(here / ".edgecheck")
    nothing = edgecheck("history", "add", cwd=here)
    assert (nothing.code, nothing.err.splitlines()[0]) == (
        2,
        "edgecheck: There are no results under .edgecheck/results.",
    )
    none = edgecheck("history", "show", cwd=here)
    assert none.code == 2
    assert "Begin one: edgecheck history add" in none.err


def test_parquet_needs_a_file(here: Path) -> None:
    check(here)
    done = edgecheck("history", "show", "--file", "history.jsonl", "--format", "parquet", cwd=here)
    assert (done.code, done.out) == (2, "")
    assert "Parquet is not text: it needs a file." in done.err
    pytest.importorskip("pyarrow")
    assert edgecheck("history", "show", "--file", "history.jsonl", "--format", "parquet=h.parquet", cwd=here).code == 0
    assert (here / "h.parquet").stat().st_size > 500
