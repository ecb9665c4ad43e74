"""Checks on the workers of a Dask scheduler: each goes to a worker that has its device.

A worker says what it has by its resources: `device=raspberry-pi-4-2gb`, or `memory` in bytes for emulated machines.
Checks that must stay on one board travel together. Everything is behind the interface of a rack, so that `perform` does
not know the difference.
"""

from __future__ import annotations

import threading
import time
import warnings
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Executor, Future
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any

from platformdirs import user_cache_path

from edgecheck.checks.boards import ONE, Boards, Place
from edgecheck.checks.check import Check
from edgecheck.checks.perform import perform, perform_elsewhere
from edgecheck.checks.travel import Packed, contents, packed, unpacked
from edgecheck.config import load_project
from edgecheck.converters.interface import ConversionSettings
from edgecheck.core.report import CheckResult, LostBoard
from edgecheck.errors import TargetError, UsageError
from edgecheck.interrupts import Stop
from edgecheck.version import VERSION

if TYPE_CHECKING:
    from distributed import Client

#: Seconds for the scheduler to answer, and between two looks at which workers there are.
_PATIENCE, _LOOK = 5, 1.0

#: Seconds for which a resource may be without a worker before its checks are given up: one that is started again, by a
#: nanny or by a person's script, is back by then.
GONE = 30.0

#: What must be the same everywhere: values travel as Python's pickles.
_SAME = ("edgecheck", "python", "dask", "distributed", "cloudpickle")


def perform_on_workers(
    checks: Sequence[Check], settings: ConversionSettings, progress: Callable[[str], None], address: str
) -> Iterator[CheckResult]:
    """As `perform`, on the workers of the scheduler at `address`.

    Raises:
        TargetError: the scheduler does not answer, versions differ, or no worker has a device.
        UsageError: Dask is not installed.
    """
    with connected(address) as client:
        _ensure_there(client, [check for check in checks if check.target is not None], address)
        yield from perform_elsewhere(checks, settings, progress, lambda run: Workers(client, progress, run))


def facts() -> dict[str, str]:
    """The versions on this host."""
    import platform
    from importlib.metadata import version

    python = ".".join(platform.python_version_tuple()[:2])
    return {"edgecheck": VERSION, "python": python, **{name: version(name) for name in _SAME[2:]}}


@contextmanager
def connected(address: str) -> Iterator[Client]:
    """A client of the scheduler at `address`, which has workers of these versions.

    Raises:
        UsageError: Dask is not installed, or the address is not one.
        TargetError: no scheduler answers, it has no worker, or versions differ.
    """
    try:
        from distributed import Client
    except ImportError as error:
        raise UsageError("--scheduler needs Dask.", "pip install 'edgecheck-ml[dask]'") from error
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # about versions, which are looked at below
            client = Client(address, timeout=_PATIENCE, set_as_default=False)
    except (OSError, ValueError) as error:
        raise TargetError(
            f"No scheduler answers at {address}.", f"Start one: dask scheduler; then: dask worker {address}"
        ) from error
    try:
        _ensure_same_versions(client, address)
        yield client
    finally:
        client.close(timeout=_PATIENCE)


def _ensure_same_versions(client: Client, address: str) -> None:
    """Check that every worker has the versions of this host.

    Raises:
        TargetError: one has not, or cannot say.
    """
    found: Mapping[str, Any] = client.run(facts, on_error="return")
    if not found:
        raise TargetError(f"The scheduler at {address} has no worker.", f"Start one: dask worker {address}")
    here = facts()
    for worker, theirs in found.items():
        if not isinstance(theirs, dict):
            raise TargetError(
                f"The worker {worker} cannot run edgecheck {VERSION}: {theirs}.",
                "Install the same version with the same extras there.",
            )
        for name in _SAME:
            if theirs.get(name) != here[name]:
                raise TargetError(
                    f"Versions differ: {name} is {here[name]} here and {theirs.get(name)} on the worker {worker}.",
                    "Install the same versions on all hosts: what is sent between them is Python's own values.",
                )


def _needs_of(check: Check) -> dict[str, float]:
    """The resources that a check takes while it runs."""
    if check.target is not None and check.target.kind.emulated:
        return {"memory": float(check.profile.ram.total)}
    return {f"device={check.profile.id}": 1.0}


def resources(client: Client) -> list[Mapping[str, float]]:
    """What each worker has."""
    workers = client.scheduler_info(n_workers=-1)["workers"].values()
    return [worker.get("resources") or {} for worker in workers]


def _is_there(needs: Mapping[str, float], found: Iterable[Mapping[str, float]]) -> bool:
    """Whether a worker has all of `needs`."""
    return any(all(each.get(name, 0.0) >= amount for name, amount in needs.items()) for each in found)


def _ensure_there(client: Client, checks: Sequence[Check], address: str) -> None:
    """Check that every check has a worker: Dask would wait for one without end.

    Raises:
        TargetError: a resource is not there.
    """
    found = resources(client)
    known = sorted({name for each in found for name in each})
    for check in checks:
        needs = _needs_of(check)
        if not _is_there(needs, found):
            name, amount = next(iter(needs.items()))
            has = ", ".join(known) or "no resources"
            raise TargetError(
                f"No worker of {address} has the resource {name} ({amount:g}): the workers have {has}.",
                f"Start one that has: DASK_DISTRIBUTED__WORKER__RESOURCES='{{\"{name}\": {amount:g}}}' "
                f"dask worker {address} --nthreads 1",
            )


def do_together(sent: Sequence[Packed], names: Sequence[str], *held: bytes) -> list[CheckResult]:
    """On a worker: the results of checks that stay together.

    Args:
        sent: The checks.
        names: The digests of what is `held`.
        held: The contents of their files.
    """
    by_digest = dict(zip(names, held, strict=True))
    folder = user_cache_path("edgecheck") / "received"
    checks = [_at_home(unpacked(each, by_digest, folder)) for each in sent]
    return list(perform(checks, ConversionSettings(user_cache_path("edgecheck")), _silent))


def _at_home(check: Check) -> Check:
    """The check at the address that this host's own edgecheck.yaml has for the device, if it has one."""
    project = load_project(Path.cwd())
    if check.profile.id not in project.targets or (check.target is not None and check.target.kind.emulated):
        return check
    addresses = project.addresses(check.profile.id)
    boards = Boards(addresses=addresses) if len(addresses) > 1 else ONE
    return replace(check, target=addresses[0], boards=boards)


def _silent(_words: str) -> None:
    """Report no progress."""


def content(data: bytes) -> bytes:
    """A file's content as a task: Dask sends it to each worker that needs it once, and makes it again if it is lost."""
    return data


@dataclass(slots=True)
class _Waiting:
    """Checks that are on their way."""

    checks: list[Check]
    futures: list[Future[CheckResult]]
    needs: Mapping[str, float]
    remote: Future[list[CheckResult]] | None = None
    missing_since: float | None = field(default=None)


class Workers:
    """The workers of a scheduler, behind the interface of a rack; a context manager.

    Args:
        client: Of the scheduler.
        progress: Called with a few words.
        alone: Does a check here, for which no worker is left.
    """

    def __init__(self, client: Client, progress: Callable[[str], None], alone: Callable[[Check], CheckResult]) -> None:
        self._client = client
        self._progress = progress
        self._alone = alone
        self._groups: dict[object, _Waiting] = {}
        self._held: dict[str, Any] = {}
        self._over = threading.Event()
        self._watch = threading.Thread(target=self._look_after, name="edgecheck scheduler", daemon=True)
        self._done = 0
        self._stop = Stop()

    def __enter__(self) -> Workers:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._over.set()
        self._stop.close()

    @property
    def stop(self) -> Stop:
        """See `AnyRack`."""
        return self._stop

    def queue(self, place: Place) -> _Queue:
        """An executor for checks that belong at `place`."""
        return _Queue(self, place)

    def add(self, place: Place, check: Check) -> Future[CheckResult]:
        """Take a check; it is sent when no more come."""
        key = place.group if place.group is not None else object()
        group = self._groups.setdefault(key, _Waiting([], [], _needs_of(check)))
        future: Future[CheckResult] = Future()
        group.checks.append(check)
        group.futures.append(future)
        return future

    def close(self) -> None:
        """Send everything; no more comes.

        Raises:
            ModelError, UsageError: as `travel.packed`.
        """
        known: dict[Path, str] = {}
        for group in self._groups.values():
            sent = [packed(check, known) for check in group.checks]
            files = {digest: self._sent(digest, path) for digest, path in contents(sent, known).items()}
            executor = self._client.get_executor(resources=dict(group.needs), pure=False)
            group.remote = executor.submit(do_together, sent, list(files), *files.values())
            group.remote.add_done_callback(partial(self._arrived, group))
        self._watch.start()

    def _sent(self, digest: str, path: Path) -> Any:
        """The content of a file, on its way; once for all checks that need it."""
        if digest not in self._held:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # that it is large: a model is
                self._held[digest] = self._client.submit(content, path.read_bytes(), key=f"edgecheck-{digest}")
        return self._held[digest]

    def _arrived(self, group: _Waiting, remote: Future[list[CheckResult]]) -> None:
        if remote.cancelled() or all(future.done() for future in group.futures):
            return
        error = remote.exception()
        if error is not None:
            if type(error).__name__ == "KilledWorker":
                self._give_up(group, "Worker after worker ended while this check ran on it (Dask's allowed-failures).")
                return
            for future in group.futures:
                future.set_exception(error)
            return
        for check, future, result in zip(group.checks, group.futures, remote.result(), strict=True):
            self._done += 1
            self._progress(f"{self._done} checks came back from workers")
            future.set_result(replace(result, budget=check.budget))

    def _look_after(self) -> None:
        """Give up checks whose resource has had no worker for a while."""
        while not self._over.wait(_LOOK):
            waiting = [each for each in self._groups.values() if not all(one.done() for one in each.futures)]
            if not waiting:
                return
            try:
                found = resources(self._client)
            except (OSError, RuntimeError):  # the scheduler is gone, or starts again: the client tries to come back
                found = []
            for group in waiting:
                if _is_there(group.needs, found):
                    group.missing_since = None
                    continue
                group.missing_since = group.missing_since or time.monotonic()
                if time.monotonic() - group.missing_since >= GONE:
                    name = next(iter(group.needs))
                    self._give_up(group, f"the last worker with the resource {name} is gone for {GONE:.0f} s.")

    def _give_up(self, group: _Waiting, reason: str) -> None:
        if group.remote is not None:
            group.remote.cancel()
        for check, future in zip(group.checks, group.futures, strict=True):
            lost = LostBoard(next(iter(group.needs)), reason)
            nowhere = replace(check, boards=Boards(lost=(lost,), is_without=True))
            if not future.done():
                future.set_result(self._alone(nowhere))

    def cancel(self) -> None:
        """Withdraw everything that is not done."""
        self._over.set()
        self._stop.set()
        for group in self._groups.values():
            if group.remote is not None:
                group.remote.cancel()
            for future in group.futures:
                future.cancel()

    @property
    def is_running(self) -> bool:
        """Whether something here still runs."""
        return False


class _Queue(Executor):
    """What a rack's queue is, for workers."""

    def __init__(self, workers: Workers, place: Place) -> None:
        self._workers = workers
        self._place = place

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        """Have a worker do the check that is the only argument; what `fn` is here, `do_together` is there."""
        del fn, kwargs
        (check,) = args
        return self._workers.add(self._place, check)
