"""docs/explanation/security.md: each statement names the tests that check it; the rest is tested here, in real runs."""

from __future__ import annotations

import os
import re
import shutil
from pathlib import Path

import pytest

from edgecheck import seal
from edgecheck.core.budget import Effort
from edgecheck.core.caveats import caveats
from edgecheck.core.events import RunReader
from edgecheck.targets.local import LocalTarget
from examples.real_models import fetch
from tests.builders import profile
from tests.cli.command import edgecheck
from tests.targets.workloads import LONG, events, identity, silent, workload

ROOT = Path(__file__).parents[1]
PAGE = "docs/explanation/security.md"
TESTED = re.compile(r"`(tests/[\w/]+\.py)(?:::(\w+))?`")


def test_every_statement_names_tests_that_exist() -> None:
    rows = [line for line in text_of(PAGE).splitlines() if line.startswith("| ") and "`tests/" in line]
    assert len(rows) >= 15
    for row in rows:
        for file, name in TESTED.findall(row):
            assert (ROOT / file).is_file(), row
            assert not name or f"def {name}(" in text_of(file), row


def test_each_row_of_what_holds_names_a_test() -> None:
    table = text_of(PAGE).partition("| what holds |")[2].partition("\n\n")[0]
    rows = table.splitlines()[2:]
    assert len(rows) >= 15
    assert [row for row in rows if not TESTED.search(row)] == []


def test_every_format_that_is_examined_has_its_row() -> None:
    from edgecheck.converters.safety.gate import _EXAMINERS

    page = text_of("docs/reference/conversion.md").partition("## Whose code may run")[2].partition("\n## ")[0]
    shown = {
        "pickle": ".pkl", "joblib": ".joblib", "skops": ".skops", "torch-zip": ".pth", "torch-legacy": ".pth",
        "pt2": ".pt2", "torchscript": "TorchScript", "savedmodel": "SavedModel", "keras": ".keras", "hdf5": ".h5",
    }  # fmt: skip
    assert set(shown) == set(_EXAMINERS)
    assert [name for name in shown.values() if name not in page] == []


def text_of(path: str) -> str:
    return (ROOT / path).read_text(encoding="utf-8")


@pytest.fixture
def _secrets(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("GITHUB_TOKEN", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "EDGECHECK_API_TOKEN", "MY_PASSWORD"):
        monkeypatch.setenv(name, "a secret")


@pytest.mark.usefixtures("_secrets")
def test_neither_supervisor_nor_worker_sees_a_secret(tmp_path: Path) -> None:
    work = workload(identity(tmp_path / "model.onnx"), latency=LONG)
    with LocalTarget().launch(work, silent) as lines:
        started = (events([line])[0] for line in lines)
        worker = next(event["pid"] for event in started if event["event"] == "start")
        next(event for event in started if event["event"] == "phase" and event["phase"] == "model-loaded")
        status = Path(f"/proc/{worker}/status").read_text(encoding="ascii")
        fields = dict(re.findall(r"^(\w+):\s+(\d+)", status, re.MULTILINE))
        environments = [Path(f"/proc/{pid}/environ").read_bytes() for pid in (worker, fields["PPid"])]
    assert len(environments) == 2
    for each in environments:
        assert b"PATH=" in each
        assert b"secret" not in each
    assert b"ORT_DISABLE_TELEMETRY=1" in environments[0]
    assert fields["Seccomp"] == "2", "the worker has a filter of system calls"


def test_a_run_without_a_seal_has_one_caveat(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    work = workload(identity(tmp_path / "model.onnx"))
    found = []
    for kind in ("landlock", "bubblewrap", ""):
        monkeypatch.setattr(seal, "kind", lambda kind=kind: kind)
        with LocalTarget().launch(work, silent) as lines:
            reader = RunReader("local:")
            for line in lines:
                reader.hear(line)
        assert reader.done
        seen = caveats(reader.run(), profile(runtimes={}), "onnx", Effort())
        found.append([each.message for each in seen if each.code == "unsealed"])
    said = "The model ran without a seal, since this system has no Landlock: it could write files and connect."
    assert found == [[], [said], [said]]


@pytest.mark.usefixtures("_secrets")
def test_what_a_sealed_process_may_see() -> None:
    seen = seal.environment(os.environ)
    assert "PATH" in seen
    assert "a secret" not in seen.values()


@pytest.mark.convert
def test_no_runtime_leaves_telemetry(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """onnxruntime keeps `deviceid` in the cache folder and `onnxruntime.db` among temporary files."""
    shutil.copyfile(fetch("mtcnn_onet.onnx"), tmp_path / "net.onnx")
    for variable, name in (("HOME", "home"), ("XDG_CACHE_HOME", "cache"), ("TMPDIR", "tmp")):
        (tmp_path / name).mkdir()
        monkeypatch.setenv(variable, str(tmp_path / name))
    done = edgecheck("convert", "net.onnx", "--variant", "int8-dynamic", "-o", "out", cwd=tmp_path)
    assert done.code == 0, done.err
    (tmp_path / "net.yaml").write_text(
        "model: net.onnx\nlimits: {size: 10 MB, latency_p50: 10 s}\ndevices: {this-machine: {}}\n"
        "measure: {warmup_time: 0 s, min_count: 5, min_time: 10 ms, max_time: 1 s}\n",
        encoding="utf-8",
    )
    checked = edgecheck("check", "net.yaml", cwd=tmp_path)
    assert checked.code == 0, checked.err
    left = [path.name for path in tmp_path.rglob("*")]
    assert "net.int8-dynamic.onnx" in left
    assert [name for name in left if "deviceid" in name or "onnxruntime" in name] == []
