"""What the seal costs a process: time with and without it, one after the other in each round.

    python benchmarks/seal.py [ROUNDS]

The command is `python -c pass`, so that the difference is nothing but the seal. Prints the medians of the difference,
elapsed and of the processor; the second also means something on a busy machine.
"""

from __future__ import annotations

import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT))

from edgecheck import seal, sealing  # noqa: E402

COMMAND = [sys.executable, "-I", "-S", "-c", "pass"]
AIM = 50


def milliseconds(line: list[str]) -> tuple[float, float]:
    """Elapsed time of a command, start to end, and the time of the processor that it and its children took."""
    begun, before = time.perf_counter(), resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run(line, check=True)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    used = after.ru_utime - before.ru_utime + after.ru_stime - before.ru_stime
    return (time.perf_counter() - begun) * 1e3, used * 1e3


def lines(folder: str) -> dict[str, list[str]]:
    """By kind of seal: the command in it."""
    found_version = sealing.version
    found = {seal.kind(): seal.command(COMMAND, [folder])}
    seal.kind.cache_clear()
    try:
        sealing.version = lambda: 0  # as on a kernel without Landlock
        found.setdefault(seal.kind(), seal.command(COMMAND, [folder]))
    finally:
        sealing.version = found_version
        seal.kind.cache_clear()
    return {kind: line for kind, line in found.items() if kind}


def main() -> None:
    """Measure and print."""
    rounds = int(sys.argv[1]) if len(sys.argv) > 1 else 200
    with tempfile.TemporaryDirectory() as folder:
        sealed = lines(folder)
        differences: dict[str, list[tuple[float, float]]] = {kind: [] for kind in sealed}
        for each in (COMMAND, *sealed.values()):  # the first of each reads files that later ones find in memory
            milliseconds(each)
        for number in range(rounds):
            for kind, line in sealed.items():
                first, second = (COMMAND, line) if number % 2 else (line, COMMAND)
                took = {id(each): milliseconds(each) for each in (first, second)}
                with_it, without = took[id(line)], took[id(COMMAND)]
                differences[kind].append((with_it[0] - without[0], with_it[1] - without[1]))
    for kind, every in differences.items():
        elapsed, used = (statistics.median(column) for column in zip(*every, strict=True))
        busy = (
            f", {used:.1f} ms of the processor" if kind == "landlock" else ""
        )  # the kernel hides bubblewrap's children
        print(f"{kind:<11} {elapsed:5.1f} ms elapsed{busy}   aim: under {AIM} ms")
    print(f"load average {os.getloadavg()[0]:.1f}, {os.cpu_count()} CPUs, {rounds} rounds")


if __name__ == "__main__":
    main()
