"""Where output goes: closed, full and odd streams, devices, pipes and links; and what may come out of a message."""

from __future__ import annotations

import json
import os
import shlex
import stat
import subprocess
from pathlib import Path

import pytest

from examples.real_models import fetch
from tests.cli.command import EDGECHECK, edgecheck

CHECK = ("check", fetch("mtcnn_onet.onnx"), "--limit", "size=2MB", "--limit", "ram_peak=off")
SIZE = ("size", fetch("mtcnn_onet.onnx"))
LONG = "n" * 300
UNREADABLE = "é\u202e\x1b[31m"


def shell(*arguments: str | Path, redirected: str, cwd: Path, **environment: str) -> tuple[int, str]:
    """`edgecheck ARGUMENTS REDIRECTED` in a shell: the exit code, and what was printed to a stream that is left."""
    command = f"{shlex.join([EDGECHECK, *map(str, arguments)])} {redirected}"
    done = subprocess.run(
        ["bash", "-c", command], check=False, capture_output=True, cwd=cwd, env=os.environ | environment, timeout=300
    )
    assert b"Traceback" not in done.stdout + done.stderr
    return done.returncode, (done.stdout + done.stderr).decode()


@pytest.mark.parametrize("arguments", [("--help",), ("--version",), ("devices",), SIZE, CHECK], ids=lambda it: it[0])
@pytest.mark.parametrize(
    ("redirected", "code"),
    [(">&-", 0), ("2>&-", 0), (">&- 2>&- <&-", 0), ("2>/dev/full", 0), (">/dev/full", 2), (">/dev/full 2>&-", 2)],
)
def test_closed_and_full_streams(arguments: tuple[str | Path, ...], redirected: str, code: int, tmp_path: Path) -> None:
    found, printed = shell(*arguments, redirected=redirected, cwd=tmp_path)
    assert found == code, printed
    if redirected == ">/dev/full":
        assert printed.endswith("edgecheck: the output could not be written: No space left on device.\n")


@pytest.mark.parametrize("arguments", [("--help",), ("devices",), SIZE, CHECK], ids=lambda it: it[0])
def test_a_reader_that_goes_away_is_an_interruption_without_words(
    arguments: tuple[str | Path, ...], tmp_path: Path
) -> None:
    reading, writing = os.pipe()
    os.close(reading)
    done = subprocess.run(
        [EDGECHECK, *map(str, arguments)], check=False, stdout=writing, stderr=subprocess.PIPE, cwd=tmp_path
    )
    os.close(writing)
    assert (done.returncode, done.stderr) == (130, b"")


@pytest.mark.parametrize("encoding", ["ascii", "latin-1", "cp1252"])
def test_an_encoding_that_lacks_characters(encoding: str, tmp_path: Path) -> None:
    argv, environment = [EDGECHECK, *map(str, CHECK)], os.environ | {"PYTHONIOENCODING": encoding}
    done = subprocess.run(argv, check=False, capture_output=True, cwd=tmp_path, env=environment)
    assert done.returncode == 0, done.stderr
    assert "? pass  size" in done.stdout.decode(encoding)


def test_reports_for_programs_are_utf_8_whatever_the_encoding(tmp_path: Path) -> None:
    model = tmp_path / "modèle.onnx"
    model.write_bytes(fetch("mtcnn_onet.onnx").read_bytes())
    code, printed = shell("size", model, "--format", "json", redirected="", cwd=tmp_path, PYTHONIOENCODING="ascii")
    assert code == 0
    assert "modèle.onnx" in json.dumps(json.loads(printed), ensure_ascii=False)


def test_a_device_is_written_to_and_never_replaced(tmp_path: Path) -> None:
    """As root, who could replace it."""
    assert edgecheck(*SIZE, "--format", "json=/dev/null", cwd=tmp_path).code == 0
    assert stat.S_ISCHR(Path("/dev/null").stat().st_mode)


def test_pipes_are_written_to(tmp_path: Path) -> None:
    code, printed = shell(*SIZE, "--format", redirected="json=>(cat >&2) >/dev/null; wait $!", cwd=tmp_path)
    assert code == 0
    assert json.loads(printed)["schema"] == "edgecheck-size"
    code, printed = shell(*SIZE, "--format", "json=/dev/stdout", redirected="> out", cwd=tmp_path)
    assert (code, printed) == (0, "")
    assert json.loads((tmp_path / "out").read_text(encoding="utf-8"))["schema"] == "edgecheck-size"


def test_a_link_is_followed(tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()
    (tmp_path / "link.json").symlink_to("folder/report.json")
    for _ in range(2):  # absent, then there
        assert edgecheck(*SIZE, "--format", "json=link.json", cwd=tmp_path).code == 0
        assert (tmp_path / "link.json").is_symlink()
        assert json.loads((tmp_path / "folder/report.json").read_text(encoding="utf-8"))
    (tmp_path / "circle").symlink_to("circle")
    assert edgecheck(*SIZE, "--format", "json=circle", cwd=tmp_path).code in (0, 2)


@pytest.mark.parametrize(
    "arguments",
    [
        ("size", LONG),
        ("size", fetch("mtcnn_onet.onnx"), "--against", LONG),
        ("size", fetch("mtcnn_onet.onnx"), "--format", f"json={LONG}"),
        ("check", LONG),
        ("check", f"{LONG}.yaml"),
        ("check", LONG, "--limit", "size=1MB"),
        ("check", "budget.yaml"),
        ("convert", LONG),
        ("convert", fetch("mtcnn_onet.onnx"), "-o", LONG),
        ("report", LONG),
        ("compare", LONG, LONG),
        ("budget", "lint", LONG),
        ("budget", "init", LONG),
        ("devices", "show", LONG),
        ("devices", "show", f"{LONG}.yaml"),
        ("fit", LONG),
    ],
    ids=lambda it: " ".join(Path(each).name[:12] for each in it),
)
def test_a_path_that_no_file_can_have(arguments: tuple[str | Path, ...], tmp_path: Path) -> None:
    (tmp_path / "budget.yaml").write_text(
        f"model: {LONG}\nsamples: {LONG}\ndevices: {{this-machine: {{size: 1 MB}}}}\n"
    )
    done = edgecheck(*arguments, cwd=tmp_path)
    assert done.code == 2, done.out + done.err
    assert "Traceback" not in done.err
    assert done.err.strip()


@pytest.mark.parametrize(
    "arguments",
    [
        ("check", "budget.yaml"),
        ("check", fetch("mtcnn_onet.onnx"), "--limit", f"size={'9' * 5000}"),
        ("check", fetch("mtcnn_onet.onnx"), "--limit", f"size={'9' * 5000}MB"),
        ("size", fetch("mtcnn_onet.onnx"), "--top", "9" * 5000),
        ("size", fetch("mtcnn_onet.onnx"), "--depth", "9" * 5000),
        ("devices", "show", f"ssh://host:{'9' * 5000}"),
        ("check", fetch("mtcnn_onet.onnx"), "--limit", "size=1MB", "--target", f"ssh://host:{'9' * 5000}"),
        ("check", fetch("mtcnn_onet.onnx"), "--limit", "size=1MB", "--shard", f"1/{'9' * 5000}"),
    ],
    ids=lambda it: " ".join(str(each)[:12] for each in it),
)
def test_integers_without_an_end(arguments: tuple[str | Path, ...], tmp_path: Path) -> None:
    (tmp_path / "budget.yaml").write_text(
        f"model: m.onnx\nthreads: {'9' * 5000}\ninputs: {{x: [{'9' * 5000}]}}\n"
        f"devices: {{this-machine: {{size: {'9' * 5000}}}}}\n",
        encoding="utf-8",
    )
    done = edgecheck(*arguments, cwd=tmp_path)
    assert done.code == 2, done.out + done.err
    assert "Traceback" not in done.err


@pytest.mark.parametrize("command", ["size", "check", "convert", "report", "fit", "chek"])
def test_names_do_not_control_the_terminal(command: str, tmp_path: Path) -> None:
    name = f"model{UNREADABLE}.onnx"
    for present in (False, True):
        if present:
            (tmp_path / name).write_bytes(b"\x08\x07not a model")
        done = edgecheck(command if command != "chek" else UNREADABLE, name, cwd=tmp_path)
        assert done.code in (2, 3)
        assert not set("\x1b\u202e") & set(done.out + done.err)
