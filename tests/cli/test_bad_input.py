"""What real files do to a check: a clear sentence, the right exit code, no traceback, the other checks unharmed.

Covers `errors.py`.
"""

from __future__ import annotations

import os
import pickle
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from examples.real_models import fetch
from tests.agent import small_models
from tests.agent.test_endings import damaged
from tests.cli.command import Done, edgecheck

EFFORT = "measure: {min_count: 5, min_time: 20 ms, warmup_time: 0 s, deadline: 60 s}\n"
EASY = "devices: {this-machine: {ram_peak: 8 GiB, size: 100 MB}}\n"


def check(folder: Path, name: str, extra: str = "", limits: str = EASY) -> Done:
    """Check `name` next to a model that is fine, which must pass whatever becomes of the other."""
    done = check_both(folder, name, extra, limits)
    assert done.code != 2, done.err
    assert re.search(r"fine\.tflite · as-is .*\n.*\n  ✔ pass  size .*\n  ✔ pass  ram_peak", done.out), done.out
    return done


def check_both(folder: Path, name: str, extra: str = "", limits: str = EASY) -> Done:
    """Check `name` next to a model that is fine."""
    shutil.copyfile(fetch("okay_nabu.tflite"), folder / "fine.tflite")
    (folder / "a.yaml").write_text(f"model: {name!r}\n{EFFORT}{extra}{limits}", encoding="utf-8")
    (folder / "b.yaml").write_text(f"model: fine.tflite\n{EFFORT}{EASY}", encoding="utf-8")
    done = edgecheck("check", "-v", "a.yaml", "b.yaml", cwd=folder)
    assert "Traceback" not in done.out + done.err
    return done


def test_an_open_dimension_is_asked_for_and_the_model_is_never_called_broken(tmp_path: Path) -> None:
    shutil.copyfile(fetch("mtcnn_pnet.onnx"), tmp_path / "pnet.onnx")
    asked = check(tmp_path, "pnet.onnx")
    assert asked.code == 3
    assert re.search(r"Write `inputs: \{input_1: \[1, .*\]\}` into ", " ".join(asked.out.split()))
    assert not re.search(r"broken|damaged|invalid", asked.out)
    assert check(tmp_path, "pnet.onnx", "inputs: {input_1: [1, 128, 128, 3]}\n").code == 0


def test_a_small_file_that_needs_much_memory(tmp_path: Path) -> None:
    shutil.copyfile(fetch("light_squeezenet.onnx"), tmp_path / "light.onnx")
    done = check(tmp_path, "light.onnx", limits="devices: {this-machine: {size: 100 kB, ram_model: 4 MiB}}\n")
    assert done.code == 1
    assert re.search(r"✔ pass  size +[\d.]+ kB", done.out)
    assert re.search(r"✘ fail  ram_model +\d\d\.\d MiB", done.out)


def test_a_stateful_model_runs(tmp_path: Path) -> None:
    shutil.copyfile(fetch("hey_jarvis.tflite"), tmp_path / "state.tflite")
    assert check(tmp_path, "state.tflite").code == 0


def test_the_bytes_decide_and_not_the_name(tmp_path: Path) -> None:
    shutil.copyfile(fetch("okay_nabu.tflite"), tmp_path / "really_tflite.onnx")
    done = check(tmp_path, "really_tflite.onnx")
    assert done.code == 0
    assert "tflite, as it is; ran on" in done.out


@pytest.mark.parametrize(("custom", "words"), [("MaxUnpooling2D", "MaxUnpooling2D"), ("FlexErf", "TensorFlow")])
def test_an_operator_that_the_runtime_has_not_is_an_answer(custom: str, words: str, tmp_path: Path) -> None:
    small_models.one_operator(tmp_path / "net.tflite", 32, custom)
    done = check(tmp_path, "net.tflite")
    assert done.code == 1
    assert re.search(rf"ram_peak: refused by the runtime while the model was loaded: .*{words}", done.out, re.DOTALL)


@pytest.mark.parametrize(
    ("at", "byte", "words"),
    [(32618, 1, "died of SIGSEGV while the model was loaded"), (31952, 1, "died of SIGSEGV in the first inference")],
)
def test_a_damaged_file_that_kills_the_worker_is_a_verdict_with_its_phase(
    at: int, byte: int, words: str, tmp_path: Path
) -> None:
    damaged(tmp_path, "hey_jarvis.tflite", at, byte)
    done = check(tmp_path, "hey_jarvis.tflite")
    assert done.code == 1
    assert words in done.out


def _html(folder: Path) -> str:
    (folder / "m.onnx").write_text("<html><body>Not found</body></html>", encoding="utf-8")
    return "m.onnx"


def _pointer(folder: Path) -> str:
    text = "version https://git-lfs.github.com/spec/v1\noid sha256:" + "0" * 64 + "\nsize 12345\n"
    (folder / "m.onnx").write_text(text, encoding="utf-8")
    return "m.onnx"


def _empty(folder: Path) -> str:
    (folder / "m.tflite").touch()
    return "m.tflite"


def _truncated(folder: Path) -> str:
    (folder / "m.tflite").write_bytes(fetch("okay_nabu.tflite").read_bytes()[:5])
    return "m.tflite"


def _folder(folder: Path) -> str:
    (folder / "m").mkdir()
    (folder / "m" / "notes.txt").touch()
    return "m"


def _loop(folder: Path) -> str:
    (folder / "m.onnx").symlink_to(folder / "n.onnx")
    (folder / "n.onnx").symlink_to(folder / "m.onnx")
    return "m.onnx"


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (_html, "a web page"),
        (_pointer, "git-lfs|Git LFS"),
        (_empty, "empty"),
        (_truncated, "m.tflite"),
        (_folder, "folder"),
        (_loop, "m.onnx"),
    ],
)
def test_what_is_not_a_model_is_wrong_usage(make: object, words: str, tmp_path: Path) -> None:
    assert callable(make)
    done = check_both(tmp_path, make(tmp_path))
    assert done.code == 2, done.out
    assert re.search(words, done.err)
    assert done.out == ""


def test_external_data_that_is_missing_or_outside(tmp_path: Path) -> None:
    beside = small_models.with_external_weights(tmp_path / "net.onnx")
    assert check(tmp_path, "net.onnx").code == 0
    beside.unlink()
    missing = edgecheck("check", "net.onnx", cwd=tmp_path)
    assert missing.code == 2, "as where the model itself is missing"
    assert missing.err == (
        "edgecheck: net.onnx is incomplete: it keeps weights in net.data, which is missing from its folder.\n"
        "  Copy net.data next to it.\n"
    )


def test_an_unknown_domain_and_an_unknown_opset(tmp_path: Path) -> None:
    rows = [small_models.value(name, small_models.FLOAT, [1, 4]) for name in ("x", "y")]
    small_models.one_node(tmp_path / "domain.onnx", "Frobnicate", *rows, domain="com.example", domains=["com.example"])
    small_models.one_node(tmp_path / "opset.onnx", "Identity", *rows, opset=999)
    for name in ("domain.onnx", "opset.onnx"):
        done = check(tmp_path, name)
        assert done.code == 1
        assert "refused by the runtime" in done.out


def test_weights_that_are_not_numbers_run_and_are_reported(tmp_path: Path) -> None:
    small_models.with_nan_weights(tmp_path / "nan.onnx")
    done = check(tmp_path, "nan.onnx")
    assert done.code == 0
    assert "nan-output: Output y holds NaN." in done.out


def test_odd_names_are_fine(tmp_path: Path) -> None:
    name = "ein Modell, größer; $(touch pwned) 'x'.tflite"
    shutil.copyfile(fetch("okay_nabu.tflite"), tmp_path / name)
    done = edgecheck("check", name, cwd=tmp_path)
    assert done.code == 0, done.err
    assert not (tmp_path / "pwned").exists()


class _Payload:
    def __reduce__(self) -> tuple[object, tuple[str]]:
        return os.system, ("touch pwned",)


def test_a_pickle_that_would_run_code_never_does(tmp_path: Path) -> None:
    (tmp_path / "evil.pt").write_bytes(pickle.dumps(_Payload()))
    done = check(tmp_path, "evil.pt", "variants: [float32]\n")
    assert done.code == 3
    assert "evil.pt is a pickle that would import and run posix.system." in done.out
    assert not list(tmp_path.rglob("pwned"))


@pytest.mark.skipif(os.getuid() != 0, reason="only root can mount the small disk that fills up")
def test_a_full_disk_under_the_results(tmp_path: Path) -> None:
    shutil.copyfile(fetch("okay_nabu.tflite"), tmp_path / "fine.tflite")
    disk = tmp_path / ".edgecheck"
    disk.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=16k", "tmpfs", str(disk)], check=True)
    try:
        (disk / "filler").write_bytes(bytes(8 * 1024))
        done = edgecheck("check", "fine.tflite", cwd=tmp_path)
        assert done.code == 0
        assert "results are not saved" in done.err
        assert "No space left on device" in done.err
        assert not list((disk / "results").glob(".*"))
    finally:
        subprocess.run(["umount", str(disk)], check=True)
