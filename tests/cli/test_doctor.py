"""`edgecheck doctor`.

Also covers `accelerators_here.py`.
"""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from edgecheck.cli import accelerators_here, doctor
from edgecheck.cli.doctor import _SOURCES
from edgecheck.converters.routes import ROUTES
from edgecheck.emulator import programs
from tests.agent.jetson_trees import laid_out
from tests.cli.command import edgecheck


def test_every_source_of_a_route_has_a_name_that_people_know() -> None:
    assert {source for route in ROUTES for source in route.sources} == set(_SOURCES)


@pytest.fixture(scope="module")
def printed(tmp_path_factory: pytest.TempPathFactory) -> str:
    """What it prints where nothing has been built yet."""
    folder = tmp_path_factory.mktemp("empty")
    done = edgecheck("doctor", cwd=folder, XDG_CACHE_HOME=str(folder))
    assert done.code == 0, done.err
    return done.out


def test_each_extra_says_what_it_converts_and_how_to_get_it(printed: str) -> None:
    lines = printed.partition("Converters\n")[2].partition("\n\n")[0].splitlines()
    assert len(lines) == len({route.extra for route in ROUTES})
    assert any(re.match(r"  . \.onnx to \.onnx +onnxruntime [\d.]+, onnx [\d.]+$", line) for line in lines)
    assert any(re.match(r"  . Keras \.keras, \.h5, SavedModel to \.tflite and \.onnx ", line) for line in lines)
    for line in lines:
        assert line.startswith("  ✔") or "missing: pip install 'edgecheck-ml[" in line
        if "litert-torch" in line and line.startswith("  ✘"):
            assert line.endswith("pip install 'edgecheck-ml[litert-torch]', in a separate environment")


def test_the_emulated_device_is_named_with_what_it_needs(printed: str, tmp_path: Path) -> None:
    lines = printed.partition("Emulated devices\n")[2].partition("\n\n")[0].splitlines()
    assert [line.split()[1] for line in lines] == ["qemu-system-aarch64", "mke2fs", "C", "llvm-mca", "system"]
    assert re.search(r"built on first use: \d+ packages, \d+ MB, from the mirror of Debian", lines[4])

    done = edgecheck("doctor", cwd=tmp_path, PATH="/nowhere", EDGECHECK_DEBIAN_MIRRORS="http://127.0.0.1:9/debian")
    assert re.search(r"✘ qemu-system-aarch64 .* not found: (sudo|brew) .*qemu", done.out)
    assert re.search(r"✘ C compiler .* not found, so that projected latencies .*: .* gcc\n", done.out)
    assert re.search(r"✘ llvm-mca .* none of version 19 or later, .*: .* llvm-19\n", done.out)


def test_each_accelerator_runs_a_model_or_says_what_is_missing(tmp_path: Path) -> None:
    """On a machine whose root has a Coral with an empty library, and a Hailo: XNNPACK is what works here."""
    files = ("dev/apex_0", "usr/lib/x86_64-linux-gnu/libedgetpu.so.1", "dev/hailo0")
    laid_out(tmp_path / "root", dict.fromkeys(files, ""))
    found = {line.what: (line.works, line.found) for line in _with_root(tmp_path / "root")}
    assert set(found) == {"tensorrt", "cuda", "openvino", "nnapi", "gpu", "xnnpack", "edgetpu", "hailo"}
    assert found["xnnpack"] == (True, "ran a model (XNNPACK, by the interpreter's list of delegated operators)")
    works, words = found["edgetpu"]
    assert not works
    assert words.startswith("the delegate libedgetpu.so.1 cannot be loaded on the device (")
    assert words.endswith("(found /dev/apex_0, /usr/lib/x86_64-linux-gnu/libedgetpu.so.1)")
    works, words = found["openvino"]
    assert works or "install onnxruntime-openvino" in words
    assert found["hailo"] == (False, "/dev/hailo0 is here, but no runtime of edgecheck's uses it")


def _with_root(root: Path) -> list[accelerators_here.Line]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("EDGECHECK_SYSTEM_ROOT", str(root))
        return list(accelerators_here.findings())


@pytest.mark.parametrize(
    ("version", "works", "words"),
    [
        ("QEMU emulator version 10.0.13 (Debian 1:10.0.13)", True, "10.0.13"),
        ("QEMU emulator version 7.2.22", True, "7.2.22; QEMU 10 takes a fifth less time"),
        ("QEMU emulator version 6.1.0", False, "6.1.0 is too old; 6.2 or later is needed"),
        ("what?", False, "its version is unknown: what?"),
    ],
)
def test_the_version_of_qemu(
    monkeypatch: pytest.MonkeyPatch,
    version: str,
    works: bool,  # noqa: FBT001 - a column of the table
    words: str,
) -> None:
    monkeypatch.setattr(programs, "find", lambda name: name)
    monkeypatch.setattr(programs, "run", lambda _argv: version)

    found = doctor._qemu()
    assert found.works is works
    assert found.found.startswith(words)


def test_a_runtime_that_hangs_has_a_line_like_any_other(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Importing it, which both the trial and the accelerators' tiny model do, takes an hour."""
    for package in ("onnxruntime", "numpy"):
        (tmp_path / f"{package}.py").write_text("import time\ntime.sleep(3600)\n", encoding="utf-8")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    monkeypatch.setattr(doctor, "_TIMEOUT", 1)
    monkeypatch.setattr(accelerators_here, "_PATIENCE", 1.0)
    (line,) = (line for line in doctor._runtimes() if line.what == "onnxruntime")
    assert not line.works
    assert line.found.endswith(" is installed, but did not finish within 1 s")
    assert accelerators_here._tiny("onnx", tmp_path) is None


def test_a_qemu_that_does_not_start_has_a_line_like_any_other(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    broken = tmp_path / programs.QEMU
    broken.write_text("#!/bin/sh\necho missing library >&2; exit 127\n", encoding="utf-8")
    broken.chmod(0o755)
    monkeypatch.setattr(programs, "find", lambda _name: str(broken))
    line = doctor._qemu()
    assert not line.works
    assert "missing library" in line.found


def test_a_cache_that_cannot_be_written_to_does_not_work(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "file"))
    (line,) = doctor._cache()
    assert not line.works
    assert "cannot be written to: Not a directory. Make it writable, or set XDG_CACHE_HOME" in line.found
