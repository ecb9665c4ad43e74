"""`edgecheck check --resume` after a real Ctrl-C, and what keeps it from reusing a result."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import subprocess
from dataclasses import replace
from pathlib import Path

import onnx
import pytest

from edgecheck.cli.results import PLACE, Results
from edgecheck.cli.resume import TAKEN_OVER, interrupted
from edgecheck.core.report import CheckResult, Report
from edgecheck.core.run import Run
from examples.real_models import fetch
from tests.cli.command import EDGECHECK, edgecheck
from tests.reports.sample import SEEN, report, result

BUDGET = """\
model: ../net.onnx
measure: {{min_count: 10, min_time: {time}, warmup_time: 10 ms}}
devices: {{this-machine: {{latency_p50: 1 s}}}}
"""


@pytest.fixture(scope="module")
def stopped(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path, str]:
    """Three budgets, the last of which takes its time, interrupted then; a copy; and what was written to stderr."""
    folder = tmp_path_factory.mktemp("stopped") / "here"
    (folder / "budgets").mkdir(parents=True)
    (folder / "net.onnx").write_bytes(fetch("mtcnn_onet.onnx").read_bytes())
    for name, time in (("a", "50 ms"), ("b", "50 ms"), ("c", "60 s")):
        (folder / "budgets" / f"{name}.yaml").write_text(BUDGET.format(time=time), encoding="utf-8")
    errors = interrupt(folder, 2)
    return folder, shutil.copytree(folder, folder.with_name("as it was")), errors


@pytest.fixture
def here(stopped: tuple[Path, Path, str]) -> Path:
    """The folder as it was when the check was interrupted."""
    folder, copy, _ = stopped
    shutil.rmtree(folder)
    return shutil.copytree(copy, folder)


def interrupt(folder: Path, after: int, *options: str) -> str:
    """Ctrl-C once `after` checks are printed; gives what was written to stderr."""
    process = subprocess.Popen(
        [EDGECHECK, "check", "-v", *options],
        cwd=folder,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=os.environ | {"PYTHONUNBUFFERED": "1"},
        text=True,
    )
    assert process.stdout is not None
    for line in process.stdout:
        after -= "not limited" in line
        if not after:
            break
    process.send_signal(signal.SIGINT)
    _, errors = process.communicate(timeout=120)
    assert process.returncode == 130, errors
    return errors


def hurry(folder: Path) -> None:
    """Nothing has to run for the last budget any more, which makes it another one."""
    files_only = "model: ../net.onnx\ndevices: {this-machine: {size: 2 MB, ram_peak: off}}\n"
    (folder / "budgets" / "c.yaml").write_text(files_only, encoding="utf-8")


def with_metadata(model: Path) -> bytes:
    """The model with another documentation string, which computes the same."""
    whole = onnx.load(model)
    whole.doc_string = "trained again"
    data: bytes = whole.SerializeToString()
    return data


def test_it_goes_on_after_an_interruption(here: Path, stopped: tuple[Path, Path, str]) -> None:
    assert stopped[-1].startswith(
        "edgecheck: 2 of 3 checks are done and saved: run the same command with --resume to continue after them.\n"
    )
    (kept,) = (here / PLACE).iterdir()
    assert kept.name.endswith(".part.json")
    before = json.loads(kept.read_text(encoding="utf-8"))
    hurry(here)
    done = edgecheck("check", "--verbose", "--resume", "--format", "json=all.json", cwd=here)
    assert (done.code, done.err) == (
        0,
        f"edgecheck: reusing the results of 2 of 3 checks, the latest from .edgecheck/results/{kept.name}.\n",
    )
    assert (
        done.out.count(f"{TAKEN_OVER}: This result is from the interrupted check that started at {before['started']}")
        == 2
    )
    checks = json.loads((here / "all.json").read_text(encoding="utf-8"))["checks"]
    assert [check["budget"] for check in checks] == ["budgets/a.yaml", "budgets/b.yaml", "budgets/c.yaml"]
    assert len(before["checks"]) == 2
    for old, new in zip(before["checks"], checks, strict=False):
        assert {**new, "caveats": new["caveats"][:-1]} == old
    assert [path.name for path in (here / PLACE).glob("*.part.json")] == []
    # All of it is done: another time there is nothing to go on with.
    again = edgecheck("check", "budgets/c.yaml", "--resume", cwd=here)
    assert "nothing to resume" in again.err


def test_twice_interrupted(here: Path) -> None:
    shutil.rmtree(here / PLACE)
    interrupt(here, 1)
    errors = interrupt(here, 2, "--resume")
    assert errors.startswith("edgecheck: reusing the results of 1 of 3 checks")
    assert "edgecheck: 2 of 3 checks are done and saved" in errors
    hurry(here)
    done = edgecheck("check", "-v", "--resume", cwd=here)
    assert re.search("the results of 2 of 3 checks", done.err)
    assert done.out.count(f"{TAKEN_OVER}: ") == 2


@pytest.mark.parametrize(
    ("change", "taken"),
    [
        (lambda here: (here / "net.onnx").write_bytes(with_metadata(fetch("mtcnn_onet.onnx"))), 0),
        (lambda here: (here / "budgets" / "a.yaml").write_text(BUDGET.format(time="40 ms"), encoding="utf-8"), 1),
        (lambda here: (here / "budgets" / "d.yaml").write_text(BUDGET.format(time="40 ms"), encoding="utf-8"), 2),
    ],
    ids=["model", "budget", "one more"],
)
def test_what_changed_is_done_again(change: object, taken: int, here: Path) -> None:
    assert callable(change)
    change(here)
    hurry(here)
    done = edgecheck("check", "-v", "--resume", cwd=here)
    assert done.code == 0, done.err
    assert ("reusing" in done.err) is bool(taken)
    assert done.out.count(f"{TAKEN_OVER}: ") == taken


@pytest.mark.parametrize("options", [["--on-unknown", "warn"], ["--target", "local"], ["--trust"]])
def test_other_options_are_other_checks_where_they_decide(options: list[str], here: Path) -> None:
    hurry(here)
    done = edgecheck("check", "budgets/a.yaml", "--resume", *options, cwd=here)
    # Without an option this machine is the target already.
    assert ("reusing" in done.err) is (options[0] == "--target")


def kept(folder: Path, *results: CheckResult) -> None:
    keeper = Results(folder, len(results))
    with keeper:
        for count in range(len(results)):
            keeper.keep(report(*results[: count + 1]))


def named(name: str, seen: Run | None = SEEN, problem: str = "") -> CheckResult:
    return replace(result(seen, problem), fingerprint=name)


def test_what_could_not_be_done_is_done_again(tmp_path: Path) -> None:
    kept(tmp_path, named("good"), named("failed", None, "no route"), named("broken", replace(SEEN, broken="lost")))
    assert set(interrupted(tmp_path, ["good", "failed", "broken", "other"]).results) == {"good"}


def test_torn_and_foreign_files_are_passed_over(tmp_path: Path) -> None:
    kept(tmp_path, named("good"))
    (whole,) = (tmp_path / PLACE).glob("*.part.json")
    text = whole.read_text(encoding="utf-8")
    (tmp_path / PLACE / "9-torn.part.json").write_text(text[: len(text) // 2], encoding="utf-8")
    (tmp_path / PLACE / "9-binary.part.json").write_bytes(b"\xff\x00")
    (tmp_path / PLACE / "9-folder.part.json").mkdir()
    assert interrupted(tmp_path, ["good"]).files == (whole,)


def test_what_still_grows_is_left_alone(tmp_path: Path) -> None:
    keeper = Results(tmp_path, 2)
    with keeper:
        keeper.keep(report(named("good")))
        assert not interrupted(tmp_path, ["good"]).results
    assert interrupted(tmp_path, ["good"]).results


def test_a_growing_file_is_complete_after_each_check(tmp_path: Path) -> None:
    from edgecheck.reports.reading import read_report

    whole = Report(results=(), version="0.1.0", host="ci", started="2026-01-01T00:00:00+00:00", seconds=0.0)
    with Results(tmp_path, 12) as keeper:
        for count in range(12):
            whole = replace(whole, results=(*whole.results, named(str(count))), seconds=10.0**-count)
            keeper.keep(whole)
            (place,) = (tmp_path / PLACE).iterdir()
            read = read_report(place.read_text(encoding="utf-8"), "kept")
            assert [each.fingerprint for each in read.results] == [str(at) for at in range(count + 1)]
            assert read.seconds == whole.seconds
        keeper.finish()
    assert [path.suffixes for path in (tmp_path / PLACE).iterdir()] == [[".json"]]
