"""What a check over SSH sends, how often it waits for the other end, and what it costs beyond the agent itself.

    python benchmarks/ssh.py [ROUNDS]

The device is a real sshd on loopback, with a Python that has nothing installed: the runtime is brought along. Every
figure is printed with the aim it is held to. Noisy machines: the median of the rounds counts, of pairs run in turns.

Last, what sampling does to latencies: those of a check that samples memory too, which it does in other processes, and
those of processes that are sampled while they are timed, over those of a check that does not sample at all.
"""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
import tempfile
import threading
import time
import venv
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT))

import psutil  # noqa: E402 - as the next lines, after the path is set

from edgecheck.checks.session import SAMPLING  # noqa: E402
from edgecheck.core.address import parse  # noqa: E402
from edgecheck.targets import Workload  # noqa: E402
from edgecheck.targets.shell.cache import clear_device_cache, device_cache  # noqa: E402
from edgecheck.targets.shell.target import ShellTarget  # noqa: E402
from edgecheck.targets.ssh import OpenSsh  # noqa: E402
from examples.real_models import fetch  # noqa: E402
from tests.targets import sshd  # noqa: E402
from tests.targets.tcp_relay import TcpRelay, relayed  # noqa: E402

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.targets.sshd import Board

RUNTIME = ("onnxruntime==1.32.0",)
#: What edgecheck waits for: the greeting, what is missing, and that the agent has started.
OWN_TURNS = 3
LATENCY = {"warmup_count": 1, "warmup_s": 0, "min_count": 50, "min_s": 0, "max_s": 30}


@dataclass(frozen=True, slots=True)
class Check:
    """One check, as seen from the desk."""

    seconds: float
    """From nothing to everything cleared up."""
    laid_out: float
    """Of these, until the agent was started."""
    sending: float
    """Of these, while bytes that the device did not have were on their way."""
    sent: int
    received: int
    turns: int
    """Times that the device answered before the agent was started."""


def check(target: ShellTarget, workload: Workload, relay: TcpRelay) -> Check:
    relay.sent = relay.received = relay.turns = 0
    marks: list[tuple[float, str]] = []
    begun = time.perf_counter()
    with target.launch(workload, lambda words: marks.append((time.perf_counter(), words))) as lines:
        laid_out, turns = time.perf_counter(), relay.turns
        assert [json.loads(line)["event"] for line in lines][-1] == "done"
    first = next((at for at, words in marks if words.startswith("sending")), laid_out)
    return Check(time.perf_counter() - begun, laid_out - begun, laid_out - first, relay.sent, relay.received, turns)


def by_hand(target: ShellTarget, board: Board, workload: Workload) -> float:
    """Seconds of `ssh board python3 supervisor.py job.json` with everything in its place already."""
    trees = board.cache / "device" / "trees"
    agent, runtime = (
        next(path.parent for path in trees.glob(f"*/{name}")) for name in ("edgecheck_agent", "edgecheck-bundle.json")
    )
    job = board.folder / "job.json"
    job.write_text(json.dumps({**workload.job, "model": str(workload.model[0]), "python_path": [str(runtime)]}))
    argv = OpenSsh(target.address).argv(["python3", str(agent / "edgecheck_agent" / "supervisor.py"), str(job)])
    begun = time.perf_counter()
    done = subprocess.run(argv, check=True, capture_output=True)
    assert b'"done"' in done.stdout
    return time.perf_counter() - begun


def latencies(target: ShellTarget, workload: Workload, *, meanwhile: float = 0.0) -> list[float]:
    """Sorted seconds of the steady inferences; `meanwhile`: seconds between two readings of the memory, if any."""
    seen: list[float] = []
    with target.launch(workload, lambda _words: None) as lines, ExitStack() as stack:
        for line in lines:
            event = json.loads(line)
            if meanwhile and event["event"] == "start":
                stack.enter_context(sampled(event["pid"], meanwhile))
            if event["event"] == "latencies":
                seen += [ns / 1e9 for ns in event["values_ns"]]
    return sorted(seen)


@contextmanager
def sampled(pid: int, interval: float) -> Iterator[None]:
    """Read the memory of the process from outside, as the agent does; the board is this machine."""
    over = threading.Event()

    def sample() -> None:
        with suppress(psutil.NoSuchProcess):
            process = psutil.Process(pid)
            while not over.wait(interval):
                process.memory_info()
                psutil.virtual_memory()

    thread = threading.Thread(target=sample)
    thread.start()
    yield
    over.set()
    thread.join()


def effect_of_sampling(target: ShellTarget, workload: Workload, rounds: int) -> None:
    """Print ratios of the p50 and the p99."""
    timed = replace(workload, job={**workload.job, "latency": LATENCY | {"min_count": 1000, "max_s": 10}})
    both = replace(timed, job={**timed.job, "memory": {"processes": [2, 2], "interval_s": SAMPLING}})
    ratios: dict[str, list[tuple[float, float]]] = {"in a separate process": [], "of the timed process": []}
    for _ in range(rounds):
        plain = latencies(target, timed)
        for name, other in (
            ("in a separate process", latencies(target, both)),
            ("of the timed process", latencies(target, timed, meanwhile=SAMPLING)),
        ):
            ratios[name].append((middle(other) / middle(plain), tail(other) / tail(plain)))
    for name, pairs in ratios.items():
        p50, p99 = (statistics.median(each) for each in zip(*pairs, strict=True))
        aim = "aim: 1.00" if name.startswith("in a") else "shown for comparison"
        print(f"latency with sampling {name:<29} p50 {p50:.3f}, p99 {p99:.2f} times   {aim}")


def middle(values: list[float]) -> float:
    return statistics.median(values)


def tail(values: list[float]) -> float:
    return values[int(0.99 * len(values))]


def main() -> None:
    """Measure and print."""
    rounds = int(sys.argv[1]) if len(sys.argv) > 1 else 7
    workload = Workload(
        job={"protocol": 1, "format": "onnx", "latency": LATENCY},
        model=(fetch("mtcnn_onet.onnx"),),
        requirements=RUNTIME,
    )
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        venv.create(folder / "bare", symlinks=True, with_pip=False)
        board = stack.enter_context(sshd.started(folder / "board", PATH=f"{folder / 'bare' / 'bin'}:/usr/bin:/bin"))
        relay = stack.enter_context(relayed(board.port))
        board.know(relay.port)
        os.environ["EDGECHECK_SSH"] = board.ssh
        address = f"ssh://{sshd.USER}@127.0.0.1:{relay.port}"
        target = ShellTarget(opener=OpenSsh(parse(address)))
        firsts, seconds, hands = [], [], []
        for _ in range(rounds):
            clear_device_cache(address)
            firsts.append(check(target, workload, relay))
            hands.append(by_hand(target, board, workload))
            seconds.append(check(target, workload, relay))
        kept = {one.label: one.size for one in device_cache(address).kept}
        report(firsts, seconds, hands)
        effect_of_sampling(target, workload, rounds)
    for label, size in kept.items():
        print(f"on the device: {size / 1e6:.2f} MB, {label}")
    print(f"load average {os.getloadavg()[0]:.1f}, {os.cpu_count()} CPUs, {rounds} rounds, medians")


def report(firsts: list[Check], seconds: list[Check], hands: list[float]) -> None:
    """Print figures and aims."""
    hand, sending = statistics.median(hands), statistics.median(one.sending for one in firsts)
    over_first = [one.seconds - one.sending - other for one, other in zip(firsts, hands, strict=True)]
    over_second = [one.seconds - other for one, other in zip(seconds, hands, strict=True)]
    first, second = firsts[-1], seconds[-1]
    print(f"sent by a first check               {first.sent / 1e6:.2f} MB, received {first.received / 1e3:.1f} kB")
    print(f"sent by a second check              {second.sent / 1e3:.1f} kB   aim: under 100 kB")
    print(f"answers a second check waits for    {second.turns}, of which {second.turns - OWN_TURNS} are SSH's own")
    print(f"the agent by hand, over ssh         {hand:.2f} s")
    print(f"a first check sends and unpacks for {sending:.2f} s")
    print(
        f"overhead of a first check           {statistics.median(over_first):.2f} s   aim: under 1.5 s, without sending"
    )
    print(f"overhead of a second check          {statistics.median(over_second):.2f} s   aim: under 0.5 s")


if __name__ == "__main__":
    main()
