"""How long the formats take to render a result of a thousand checks; all together they must stay under two seconds.

    python benchmarks/reports.py [CHECKS]

The checks are like real ones: a hundred memory samples, five hundred latencies, ninety parts of a file that no other
check has, five limits of which some do not hold.
"""

from __future__ import annotations

import sys
import time
from dataclasses import replace
from pathlib import Path

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT))

from edgecheck.core.report import Report, Tiles  # noqa: E402
from edgecheck.reports import FORMATS, render  # noqa: E402
from edgecheck.reports.reading import read_report  # noqa: E402
from tests.builders import MIB, latency_worker, memory_worker, run  # noqa: E402
from tests.reports.sample import CRASH, result  # noqa: E402

ALLOWED = 2.0


def report(checks: int) -> Report:
    """Every tenth check crashed; no two share a value that a cache could keep."""
    results = []
    for at in range(checks):
        latencies = (0.01 + (at * 31 + each * 17) % 97 * 1e-5 for each in range(500))
        samples = tuple((each / 100, (20 + each % 40) * MIB) for each in range(100))
        seen = run(latency_worker(*latencies), *[memory_worker(40 * MIB, 61 * MIB, samples)] * 2)
        whole = result(CRASH if at % 10 == 0 else seen)
        assert whole.artifact is not None
        artifact = replace(whole.artifact, sha256=f"{at:064x}")
        results.append(replace(whole, seconds=float(at), artifact=artifact, tiles=tiles()))
    return Report(
        results=tuple(results),
        version="0.1.0",
        host="Linux x86_64 ci",
        started="2026-01-01T00:00:00+00:00",
        seconds=4.5,
    )


def tiles() -> Tiles:
    """As many tiles as a small network has."""
    layers = range(30)
    sizes = [900 - 20 * at for at in layers]
    return Tiles(
        parent=(-1, *[0] * 30, *[at + 1 for at in layers for _ in range(2)]),
        name=("net.onnx", *(f"conv_{at}" for at in layers), *["kernel", "bias"] * 30),
        size=(sum(sizes), *sizes, *(part for size in sizes for part in (size - 100, 100))),
        group=("weight",) * 91,
        detail=("60 tensors", *["2 tensors"] * 30, *["Conv, float32, 64 x 3 x 3 x 3", "Conv, float32, 64"] * 30),
    )


def main() -> int:
    """Measure and print; the exit code is 1 if it took too long."""
    whole = report(int(sys.argv[1]) if sys.argv[1:] else 1000)
    total, text = 0.0, {}
    for name in FORMATS:
        started = time.process_time()
        text[name] = render(name, whole)
        took = time.process_time() - started
        total += took
        print(f"{name:<10} {took:6.2f} s   {len(text[name].encode()) / 1e6:8.2f} MB")
    started = time.process_time()
    read_report(text["json"], "json")
    print(f"reading it back {time.process_time() - started:.2f} s")
    print(f"{total:.2f} s for {len(whole.results):,} checks in {len(FORMATS)} formats; {ALLOWED:g} s are allowed")
    return int(total > ALLOWED)


if __name__ == "__main__":
    sys.exit(main())
