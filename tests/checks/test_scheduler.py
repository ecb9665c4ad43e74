"""Checks on the workers of a real Dask scheduler, three processes on loopback, each a device of its own.

Also covers `edgecheck/checks/travel.py`.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from tests.cli.command import EDGECHECK, Done, edgecheck
from tests.targets.workloads import comes_true, with_weights_beside

pytestmark = [pytest.mark.dask, pytest.mark.timeout(180)]

DASK = str(Path(sys.executable).parent / "dask")
DEVICE = "jetson-nano"
BUDGET = """\
model: net.onnx
measure: {{min_time: {seconds} s, max_time: {seconds} s}}
limits: {{latency_p50: 10 s, ram_peak: off, footprint: off, latency_p90: off, size: 1 MB}}
devices: {{jetson-nano: }}
"""


@dataclass(frozen=True, slots=True)
class Lab:
    """A scheduler, and what starts its workers."""

    address: str
    folder: Path
    stack: ExitStack
    workers: dict[str, subprocess.Popen[bytes]] = field(default_factory=dict)
    """By name."""

    def worker(self, name: str, *options: str, resource: str = f"device={DEVICE}") -> None:
        """Start a worker whose checks are on a device of its own."""
        home = self.folder / name
        home.mkdir()
        environment = os.environ | {
            "DASK_DISTRIBUTED__WORKER__RESOURCES": json.dumps({resource: 1}),
            "EDGECHECK_LOCK": str(home / "measuring.lock"),
            "XDG_CACHE_HOME": str(home / "cache"),
        }
        argv = [DASK, "worker", self.address, "--nthreads", "1", "--no-nanny", "--no-dashboard", "--name", name]
        self.workers[name] = self.stack.enter_context(running([*argv, *options], home, environment))


class running:  # noqa: N801 - a context manager
    """A process of Dask, in a session of its own, killed at the end."""

    def __init__(self, argv: list[str], folder: Path, environment: dict[str, str]) -> None:
        self._log = (folder / "log").open("wb")
        self._process = subprocess.Popen(
            argv, cwd=folder, env=environment, stdout=self._log, stderr=self._log, start_new_session=True
        )

    def __enter__(self) -> subprocess.Popen[bytes]:
        return self._process

    def __exit__(self, *_: object) -> None:
        if self._process.poll() is None:
            os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()
        self._log.close()


@pytest.fixture(scope="module")
def scheduler(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[[], Lab]]:
    """Makes labs; their processes end with the module's tests."""
    with ExitStack() as every:

        def start() -> Lab:
            folder = tmp_path_factory.mktemp("lab")
            file = folder / "scheduler.json"
            argv = [DASK, "scheduler", "--host", "127.0.0.1", "--port", "0", "--no-dashboard", "--no-show"]
            every.enter_context(running([*argv, "--scheduler-file", str(file)], folder, dict(os.environ)))
            assert comes_true(lambda: file.exists() and file.read_text().endswith("}")), (folder / "log").read_text()
            return Lab(json.loads(file.read_text())["address"], folder, every)

        yield start


@pytest.fixture(scope="module")
def lab(scheduler: Callable[[], Lab]) -> Lab:
    """A scheduler with three workers."""
    found = scheduler()
    for name in ("one", "two", "three"):
        found.worker(name)
    return found


@pytest.fixture
def here(tmp_path: Path) -> Path:
    with_weights_beside(tmp_path / "net.onnx", "net.data")
    return tmp_path


def budgets(folder: Path, count: int, seconds: float = 0.2) -> None:
    for at in range(count):
        (folder / f"{at}.yaml").write_text(BUDGET.format(seconds=seconds))


def options(lab: Lab, count: int) -> list[str]:
    return [
        *(f"{at}.yaml" for at in range(count)),
        *("--target", "local", "--scheduler", lab.address, "--format", "json=report.json"),
    ]


def checks_in(folder: Path) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads((folder / "report.json").read_text())["checks"]
    return found


def on_scheduler(address: str, function: Callable[..., Any]) -> Any:
    from distributed import Client

    with Client(address, set_as_default=False) as client:
        return client.run_on_scheduler(function)


def workers(dask_scheduler: Any = None) -> int:
    return len(dask_scheduler.workers)


def computed(dask_scheduler: Any = None) -> dict[str, int]:
    """How often each file's content was made on a worker."""
    counts: dict[str, int] = {}
    for key, _, finish, *_ in dask_scheduler.transition_log:
        if str(key).startswith("edgecheck-") and finish == "memory":
            counts[str(key)] = counts.get(str(key), 0) + 1
    return counts


def test_checks_run_on_the_workers_and_each_file_travels_once(lab: Lab, here: Path) -> None:
    assert comes_true(lambda: on_scheduler(lab.address, workers) == 3)
    budgets(here, 4)
    done = edgecheck("check", *options(lab, 4), cwd=here)
    assert done.code == 3, done.err  # this machine is no Jetson
    checks = checks_in(here)
    assert [check["budget"] for check in checks] == [f"{at}.yaml" for at in range(4)]
    assert [check["model"] for check in checks] == ["net.onnx"] * 4
    assert all(len(check["run"]["workers"][0]["latencies"]) > 10 for check in checks)
    used = [name for name in ("one", "two", "three") if (lab.folder / name / "measuring.lock").exists()]
    assert used == ["one", "two", "three"]
    for name in used:
        received = sorted(path.name for path in (lab.folder / name / "cache").rglob("net.*"))
        assert received == ["net.data", "net.onnx"]
    assert sorted(on_scheduler(lab.address, computed).values()) == [1, 1]


def refused(done: Done) -> str:
    assert (done.code, done.out) == (3, "")
    return done.err


def test_a_resource_that_no_worker_has_is_an_error(lab: Lab, here: Path) -> None:
    budgets(here, 1)
    text = (here / "0.yaml").read_text()
    (here / "0.yaml").write_text(text.replace(DEVICE, "raspberry-pi-4-2gb"))
    said = refused(edgecheck("check", *options(lab, 1), cwd=here))
    assert f"No worker of {lab.address} has the resource device=raspberry-pi-4-2gb (1)" in said
    assert f"the workers have device={DEVICE}." in said
    emulated = edgecheck("check", "0.yaml", "--target", "qemu", "--scheduler", lab.address, cwd=here)
    assert "has the resource memory (2.14748e+09)" in refused(emulated)


def test_no_scheduler_no_worker_and_one_of_another_version_are_told(scheduler: Callable[[], Lab], here: Path) -> None:
    budgets(here, 1)
    nobody = Lab("tcp://127.0.0.1:9", here, ExitStack())
    assert "No scheduler answers at tcp://127.0.0.1:9." in refused(edgecheck("check", *options(nobody, 1), cwd=here))
    lab = scheduler()
    assert "has no worker" in refused(edgecheck("check", *options(lab, 1), cwd=here))
    (lab.folder / "older.py").write_text("import edgecheck.version\n\nedgecheck.version.VERSION = '0.0.1'\n")
    lab.worker("older", "--preload", str(lab.folder / "older.py"))
    assert comes_true(lambda: on_scheduler(lab.address, workers) == 1)
    said = refused(edgecheck("check", *options(lab, 1), cwd=here))
    assert "Versions differ: edgecheck is " in said
    assert "0.0.1 on the worker tcp://127.0.0.1:" in said


def test_a_worker_that_is_killed_loses_nothing(lab: Lab, here: Path) -> None:
    """The last test here, since there is one worker less then."""
    assert comes_true(lambda: on_scheduler(lab.address, workers) == 3)
    budgets(here, 4, seconds=1)
    begun = lab.folder / "one" / "measuring.lock"
    begun.unlink(missing_ok=True)
    argv = [EDGECHECK, "check", *options(lab, 4)]
    with subprocess.Popen(argv, cwd=here, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert comes_true(begun.exists)
        time.sleep(0.5)
        os.kill(lab.workers["one"].pid, signal.SIGKILL)
        _, err = process.communicate(timeout=120)
    assert process.returncode == 3, err
    assert on_scheduler(lab.address, workers) == 2
    checks = checks_in(here)
    assert len(checks) == 4
    assert all(check["run"] is not None and check["run"]["broken"] == "" for check in checks)
