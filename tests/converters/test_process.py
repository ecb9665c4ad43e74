"""Each conversion runs alone in a process: however it ends is reported, and nothing is left behind. Covers `child`.

Also covers `interface.py`.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

import psutil
import pytest

from edgecheck import seal, sealing
from edgecheck.converters import cache, process
from edgecheck.converters.interface import Answer, Request, Task
from edgecheck.errors import ConversionError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

HERE = Path(__file__).parent
ROOT = HERE.parents[1]


@pytest.fixture(autouse=True)
def _makers_are_found(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTHONPATH", str(HERE))


def task(maker: str, model: Path) -> Task:
    request = Request(model=model, source="onnx", format="onnx", variant="int8")
    return Task(maker=f"misbehaving:{maker}", request=request, extra="onnx", doing=f"doing {maker}", makes_model=False)


def perform(maker: str, folder: Path, deadline: float = 60.0, said: list[str] | None = None) -> Answer:
    progress = said.append if said is not None else (lambda _: None)
    with cache.making(folder / "artifacts" / "key") as scratch:
        return process.perform(task(maker, folder / "model"), scratch, deadline, progress).answer


def gone(pid: int) -> bool:
    """Whether a process has ended, or is a zombie that nobody has collected yet."""
    try:
        return psutil.Process(pid).status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True


def wait_until(true: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 30
    while not true():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def test_an_answer_says_what_was_made_and_what_that_took(tmp_path: Path) -> None:
    said: list[str] = []
    answer = perform("well", tmp_path, said=said)
    assert answer.files == ("made.bin",)
    assert answer.route == "by hand"
    assert answer.notes == ("a note",)
    assert answer.seconds > 0
    assert said[0] == "doing well"


def test_a_framework_that_crashes_on_exit_does_no_harm(tmp_path: Path) -> None:
    assert perform("crash_afterwards", tmp_path).files == ("made.bin",)


def test_it_is_waited_for_if_the_system_has_no_pidfd(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refused(_pid: int) -> int:
        raise OSError(38, "Function not implemented")

    monkeypatch.setattr(os, "pidfd_open", refused)
    assert perform("well", tmp_path).files == ("made.bin",)
    with pytest.raises(ConversionError, match="took over 1 s and was stopped"):
        perform("slow", tmp_path, deadline=1.0)


def test_the_peak_is_that_of_the_child_alone(tmp_path: Path) -> None:
    plain, hungry = perform("well", tmp_path).peak_memory, perform("hungry", tmp_path).peak_memory
    assert 5 * 2**20 < plain < 150 * 2**20
    assert hungry - plain > 250 * 2**20


def test_nothing_is_left_in_any_temporary_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TMPDIR", str(tmp_path / "tmp"))
    (tmp_path / "tmp").mkdir()
    for maker in ("well", "crash", "raised"):
        try:
            perform(maker, tmp_path)
        except ConversionError:
            assert maker != "well"
    assert list((tmp_path / "tmp").iterdir()) == []
    assert list((tmp_path / "artifacts").iterdir()) == []


@pytest.mark.parametrize(
    ("maker", "kind", "message"),
    [
        ("crash", process.RouteError, "The converter crashed with SIGSEGV."),
        (
            "aborted",
            process.RouteError,
            "The converter crashed with SIGABRT: F0000 tensor.cc:12] Check failed: rank == 4.",
        ),
        ("exited", process.RouteError, "The converter ended with exit code 7: license not found."),
        ("raised", process.RouteError, "The converter failed: ValueError: loc(somewhere): the axis is wrong"),
        ("absent", process.RouteError, "surely_not_installed is not installed here."),
        ("refused", ConversionError, "The model is upside down."),
    ],
)
def test_how_it_ends_is_reported(tmp_path: Path, maker: str, kind: type[Exception], message: str) -> None:
    with pytest.raises(ConversionError) as caught:
        perform(maker, tmp_path)
    assert type(caught.value) is kind
    assert caught.value.message == message


@pytest.fixture(params=["landlock", "bubblewrap"])
def _kind(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Both kinds of seal: for bubblewrap, the kernel is taken to have no Landlock."""
    if request.param == "bubblewrap":
        monkeypatch.setattr(sealing, "version", lambda: 0)
    seal.kind.cache_clear()
    yield
    monkeypatch.undo()
    seal.kind.cache_clear()


@pytest.mark.usefixtures("_kind")
def test_it_is_sealed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GITHUB_TOKEN", "ghp_secret")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "aws secret")
    monkeypatch.setenv("EDGECHECK_TESTER", str(os.getpid()))
    (tmp_path / "model").write_bytes(b"before")
    with cache.making(tmp_path / "artifacts" / "key") as scratch:
        out, answer = process.perform(task("reaching_out", tmp_path / "model"), scratch, 60.0, lambda _: None)
        environment = (out / "environ").read_bytes()
    assert answer.notes == ()
    assert (tmp_path / "model").read_bytes() == b"before"
    assert b"secret" not in environment
    assert b"ORT_DISABLE_TELEMETRY=1" in environment.split(b"\0")


@pytest.mark.usefixtures("_kind")
def test_a_crash_is_seen_through_the_seal(tmp_path: Path) -> None:
    with pytest.raises(process.RouteError, match=r"The converter crashed with SIGSEGV\."):
        perform("crash", tmp_path)


@pytest.mark.usefixtures("_kind")
def test_the_end_of_its_time_ends_all_that_it_started(tmp_path: Path) -> None:
    with pytest.raises(ConversionError, match="took over 2 s and was stopped"):
        perform("slow", tmp_path, deadline=2.0)
    assert [each for each in psutil.process_iter() if str(tmp_path) in " ".join(command_line(each))] == []


def command_line(of: psutil.Process) -> list[str]:
    try:
        return of.cmdline()
    except psutil.Error:
        return []


def test_an_artifact_says_that_nothing_sealed_its_making(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(seal, "kind", lambda: "")
    assert perform("well", tmp_path).notes == (
        "a note",
        "Opened without a seal: this system has neither Landlock nor a bubblewrap that works.",
    )


def test_it_may_not_start_any_number_of_processes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(process, "_MOST_PROCESSES", 10)
    with pytest.raises(ConversionError, match=r"was stopped: it had started \d+ processes"):
        perform("many", tmp_path)


def test_it_may_not_take_all_memory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(process, "_MOST_MEMORY", 1e-6)
    with pytest.raises(ConversionError, match=r"was stopped at \d\.\d GiB"):
        perform("slow", tmp_path)


def test_a_missing_package_names_the_extra(tmp_path: Path) -> None:
    with pytest.raises(ConversionError) as caught:
        perform("absent", tmp_path)
    assert caught.value.hint == "pip install 'edgecheck-ml[onnx]'"


def test_a_kill_for_memory_is_final(tmp_path: Path) -> None:
    with pytest.raises(ConversionError) as caught:
        perform("killed", tmp_path)
    assert type(caught.value) is ConversionError
    assert "most likely this machine ran out of memory" in caught.value.message


class Listening(list[str]):
    """What a task says about its progress; at each word, the processes that it wrote down are noted."""

    def __init__(self, folder: Path) -> None:
        super().__init__()
        self.folder = folder
        self.pids: list[int] = []

    def append(self, said: str) -> None:
        super().append(said)
        self.pids = pids_in(self.folder) or self.pids


def pids_in(folder: Path) -> list[int]:
    """The processes that a task in the cache `folder` wrote down."""
    return [int(pid) for file in folder.glob("*/out/pids") for pid in file.read_text(encoding="utf-8").split()]


@pytest.mark.parametrize("maker", ["slow", "in_another_session"])
def test_the_deadline_ends_everything_that_it_started(tmp_path: Path, maker: str) -> None:
    said = Listening(tmp_path / "artifacts")
    with pytest.raises(ConversionError, match=r"took over 3 s and was stopped"):
        perform(maker, tmp_path, deadline=3.0, said=said)
    assert len(said.pids) == 2
    wait_until(lambda: all(gone(pid) for pid in said.pids))
    assert any(each.startswith(f"doing {maker}, ") and each.endswith(" s") for each in said)
    assert list((tmp_path / "artifacts").iterdir()) == []


_PARENT = """
import sys
from pathlib import Path
sys.path.insert(0, {root!r})
from edgecheck import seal, sealing
from edgecheck.converters import cache, process
from edgecheck.converters.interface import Request, Task
request = Request(model=Path("model"), source="onnx", format="onnx", variant="int8")
task = Task(maker="misbehaving:slow", request=request, extra="onnx", doing="doing", makes_model=False)
with cache.making(Path({folder!r}, "key")) as scratch:
    process.perform(task, scratch, 300.0, lambda said: None)
"""


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGKILL])
def test_ending_edgecheck_ends_the_conversion_too(tmp_path: Path, how: signal.Signals) -> None:
    folder = tmp_path / "artifacts"
    code = _PARENT.format(root=str(ROOT), folder=str(folder))
    parent = subprocess.Popen([sys.executable, "-c", code], stderr=subprocess.DEVNULL)
    wait_until(lambda: bool(pids_in(folder)))
    started = pids_in(folder)
    os.kill(parent.pid, how)
    parent.wait(30)
    wait_until(lambda: gone(started[0]))
    if how is signal.SIGINT:
        assert list(folder.iterdir()) == []
    else:
        for pid in started:
            if not gone(pid):
                os.kill(pid, signal.SIGKILL)


_CLEANING = """
import os, signal, sys, threading
from pathlib import Path
sys.path.insert(0, {root!r})
from edgecheck.converters import cache
with cache.making(Path({folder!r}, "key")) as scratch:
    for number in range(20_000):
        (scratch / str(number)).touch()
    threading.Timer(0.02, os.kill, (os.getpid(), signal.SIGINT)).start()
"""


def test_an_interruption_while_it_cleans_up_leaves_nothing(tmp_path: Path) -> None:
    code = _CLEANING.format(root=str(ROOT), folder=str(tmp_path / "artifacts"))
    done = subprocess.run([sys.executable, "-c", code], check=False, capture_output=True, text=True)
    assert "KeyboardInterrupt" in done.stderr
    assert list((tmp_path / "artifacts").iterdir()) == []


def test_files_in_the_current_folder_are_not_imported(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "json.py").write_text("raise SystemExit('imported')", encoding="utf-8")
    (tmp_path / "onnx").mkdir()
    monkeypatch.chdir(tmp_path)
    with cache.making(tmp_path / "artifacts" / "key") as scratch:
        out, _ = process.perform(task("where", tmp_path / "model"), scratch, 60.0, lambda _: None)
        found = (out / "made.bin").read_text(encoding="utf-8").splitlines()
    assert str(tmp_path) not in found
    assert "" not in found


def test_edgecheck_itself_never_imports_a_framework(run_in: Callable[[str], str]) -> None:
    heavy = "'tensorflow', 'torch', 'keras', 'onnx', 'onnxruntime', 'sklearn', 'ai_edge_litert', 'joblib'"
    code = (
        f"import sys; sys.path.insert(0, {str(ROOT)!r});"
        "import edgecheck.converters.agreement, edgecheck.converters.convert, edgecheck.checks.auto;"
        "import edgecheck.cli.check, edgecheck.cli.convert, edgecheck.cli.fit;"
        f"print([name for name in ({heavy}) if name in sys.modules])"
    )
    assert run_in(code) == "[]"
