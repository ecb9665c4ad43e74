from __future__ import annotations

import os
import socket
import subprocess
import sys
import venv
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path

import psutil
import pytest

from edgecheck.bundles import DevicePlatform, bundle_for
from edgecheck.bundles.pip_process import Pip
from edgecheck.deadline import Deadline
from edgecheck.errors import BundleError

PI = DevicePlatform("3.11", "aarch64")


def pip(
    folder: Path,
    platform: DevicePlatform = PI,
    patience: float = 300,
    progress: Callable[[str], None] = lambda _: None,
) -> Pip:
    return Pip(markers=platform.markers, scratch=folder, deadline=Deadline.after(patience), progress=progress)


def children() -> set[psutil.Process]:
    """Everything below this process, which other tests may have left running for each other."""
    return set(psutil.Process().children(recursive=True))


@pytest.mark.parametrize(("python", "needs_more"), [("3.10", True), ("3.11", False), ("3.13", False)])
def test_markers_are_evaluated_for_the_device_and_not_for_this_machine(
    tmp_path: Path, python: str, *, needs_more: bool
) -> None:
    """pytest needs exceptiongroup before 3.11, whichever Python runs pip here."""
    platform = DevicePlatform(python, "aarch64")
    arguments = ["download", "--only-binary=:all:", "--python-version", python, "--dest", str(tmp_path / "out")]
    assert pip(tmp_path, platform).run(*arguments, "pytest==8.3.3").succeeded
    names = {path.name.partition("-")[0] for path in (tmp_path / "out").iterdir()}
    assert ("exceptiongroup" in names, "tomli" in names) == (needs_more, needs_more)
    assert "pluggy" in names


def test_an_index_that_never_answers_is_given_up_in_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = children()
    monkeypatch.setenv("PIP_CONFIG_FILE", os.devnull)
    with socket.create_server(("127.0.0.1", 0)) as server:
        monkeypatch.setenv("PIP_INDEX_URL", f"http://127.0.0.1:{server.getsockname()[1]}/simple")
        with pytest.raises(BundleError, match="pip did not finish in the time allowed") as caught:
            pip(tmp_path, patience=2).run("download", "psutil")
    assert caught.value.hint
    assert children() <= before


def test_ctrl_c_ends_pip(tmp_path: Path) -> None:
    def interrupt(_: str) -> None:
        raise KeyboardInterrupt

    before = children()
    with pytest.raises(KeyboardInterrupt):
        pip(tmp_path, progress=interrupt).run("download", "--dest", str(tmp_path), "psutil")
    assert children() <= before


def test_progress_says_what_is_downloaded(tmp_path: Path) -> None:
    said: list[str] = []
    arguments = ["download", "--no-cache-dir", "--no-deps", "--dest", str(tmp_path / "out")]
    assert pip(tmp_path, progress=said.append).run(*arguments, "idna==3.10").succeeded
    assert said[0] in {"resolving idna==3.10", "resolving idna"}  # the latter from an index on this disk
    assert said[-1].startswith("downloading idna 3.10 (") or len(said) == 1


def test_the_users_settings_do_not_change_what_is_downloaded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in {
        "PIP_NO_DEPS": "1",
        "PIP_REQUIRE_VIRTUALENV": "1",
        "PIP_NO_BINARY": ":all:",
        "PIP_QUIET": "3",
    }.items():
        monkeypatch.setenv(name, value)
    arguments = ["download", "--only-binary=:all:", "--dest", str(tmp_path / "out")]
    finished = pip(tmp_path).run(*arguments, "pytest==8.3.3")
    assert finished.succeeded
    assert "Collecting pluggy" in finished.output


def test_an_environment_without_pip_uses_pythons(tmp_path: Path, bare: Path) -> None:
    """uv makes such environments."""
    script = (
        "import importlib.util, pathlib; from edgecheck.bundles import *\n"
        "assert importlib.util.find_spec('pip') is None\n"
        f"cache = pathlib.Path({str(tmp_path)!r})\n"
        "made = bundle_for(['psutil==7.0.0'], DevicePlatform('3.9', 'aarch64'), cache=cache)\n"
        "print(*made.pins)"
    )
    done = subprocess.run([bare, "-c", script], capture_output=True, text=True, check=False)
    assert (done.stdout, done.stderr) == ("psutil==7.0.0\n", "")


def test_no_pip_at_all(tmp_path: Path, bare: Path) -> None:
    script = (
        "import sys, pathlib, edgecheck.bundles.pip_process as p; from edgecheck.bundles import *\n"
        "p.find_spec = lambda name: None\n"  # neither pip nor ensurepip, as on a Debian without python3-venv
        "p.Path.glob = lambda *_: iter(())\n"
        f"bundle_for(['psutil'], DevicePlatform('3.9', 'aarch64'), cache=pathlib.Path({str(tmp_path)!r}))\n"
    )
    done = subprocess.run([bare, "-c", script], capture_output=True, text=True, check=False)
    assert done.stderr.splitlines()[-1] == (
        "edgecheck.errors.BundleError: Making a runtime bundle needs pip, and the Python that runs edgecheck has none."
    )


@pytest.fixture
def bare(tmp_path: Path) -> Path:
    """The Python of a new environment that holds what bundles import, and no pip."""
    folder = tmp_path / "venv"
    venv.create(folder, with_pip=False, symlinks=True)
    site = next((folder / "lib").glob("python*/site-packages"))
    for name in ("edgecheck", "packaging", "platformdirs"):
        spec = find_spec(name)
        assert spec is not None
        assert spec.origin is not None
        (site / name).symlink_to(Path(spec.origin).parent)
    return folder / "bin/python"


@pytest.mark.usefixtures("_offline")
def test_this_python_is_left_alone(tmp_path: Path, here: Callable[..., DevicePlatform]) -> None:
    """Nothing is installed, and nothing is written outside of the cache."""
    before = sorted(sys.path)
    with pytest.raises(BundleError):
        bundle_for(["psutil"], here(), cache=tmp_path / "cache")
    assert sorted(sys.path) == before
    assert {path.name for path in tmp_path.iterdir()} == {"cache"}
    assert [path.name for path in (tmp_path / "cache/archives").iterdir()] == [".locks"]
