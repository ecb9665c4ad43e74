"""The machines that the tests start: built once in the user's cache, so that only the first session builds."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from edgecheck.emulator import build, machine, programs, saved
from edgecheck.emulator.cache import Cache, default_cache
from edgecheck.emulator.hardware import Image, MachineSpec
from edgecheck.emulator.running import Ending, Running

Script = Callable[..., tuple[list[str], Ending]]
MIB = 1 << 20


@pytest.fixture(scope="session")
def cache() -> Cache:
    """The user's cache."""
    return default_cache()


@pytest.fixture(scope="session")
def image(cache: Cache) -> Image:
    """The system, built from this host's packages if the cache has none."""
    if any(programs.find(name) is None for name in (programs.QEMU, programs.MKE2FS)):
        pytest.skip("QEMU or mke2fs is not installed")
    return build.ensure(print, cache=cache)


@pytest.fixture(scope="session")
def plain(image: Image) -> MachineSpec:
    """A small machine in which a shell waits for a script."""
    return MachineSpec(image=image, cpu="cortex-a72", available_bytes=192 * MIB, disks={}, command=("busybox", "sh"))


@pytest.fixture
def start(cache: Cache, tmp_path: Path) -> Callable[..., contextlib.AbstractContextManager[Running]]:
    """Start a script in a machine; what the context gives is running."""

    @contextlib.contextmanager
    def started(spec: MachineSpec, script: str, seconds: float = 60) -> Iterator[Running]:
        state = saved.ensure(spec, cache, print)
        folder = tmp_path / "job"
        folder.mkdir(exist_ok=True)
        job = machine.Job(folder, f"{script}\nexit\n".encode(), seconds)
        with machine.run(spec, state, job) as running:
            yield running

    return started


@pytest.fixture
def script(start: Callable[..., contextlib.AbstractContextManager[Running]]) -> Script:
    """Run a script in a machine to its end; its lines, and how it ended."""

    def ran(spec: MachineSpec, text: str, seconds: float = 60) -> tuple[list[str], Ending]:
        with start(spec, text, seconds) as running:
            return list(running.lines()), running.ending()

    return ran
