"""How long the formats take to render a result of a thousand checks; all together they must stay under two seconds.

    python benchmarks/reports.py [CHECKS]

The checks are like real ones: a hundred memory samples, five hundred latencies, five limits of which some do not hold.
"""

from __future__ import annotations

import sys
import time
from dataclasses import replace
from pathlib import Path

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT))

from edgecheck.core.report import Report  # noqa: E402
from edgecheck.reports import FORMATS, Style, render  # noqa: E402
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
        results.append(replace(result(CRASH if at % 10 == 0 else seen), seconds=float(at)))
    return Report(tuple(results), "0.1.0", "Linux x86_64 ci", "2026-01-01T00:00:00+00:00", 4.5)


def main() -> int:
    """The exit code is 1 where it took too long."""
    whole = report(int(sys.argv[1]) if sys.argv[1:] else 1000)
    total, text = 0.0, {}
    for name in FORMATS:
        started = time.process_time()
        text[name] = render(name, whole, Style())
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
