"""Does contention fool the gate? An unchanged model, judged again and again, idle and under busy loops.

    python benchmarks/contention.py net.onnx                           # 200 verdicts of each kind: hours
    python benchmarks/contention.py net.onnx --runs 8 --seconds 3      # a look

The first check, with nothing else running, gives the median and the baseline. Then come `--runs` checks idle and as
many under `--loops` busy loops. Each has a limit on p50 at 0.9, 1.15, 1.5 or 2 times that median and a rule of 5, 10 or
20 % growth, in turn. A pass is wrong at 0.9 times; a fail is wrong at the others, and for every rule. Run it on a
machine that does nothing else: a first check that was slowed says so, and limits are then those of a slower machine.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
from collections import Counter
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

sys.path.insert(0, str(Path(__file__).parents[1]))

from edgecheck import __version__, api
from edgecheck.checks.invocation import now, this_host
from edgecheck.core.report import Report
from edgecheck.core.verdict import Status

if TYPE_CHECKING:
    from collections.abc import Iterator

    from edgecheck.core.report import CheckResult

FACTORS = (0.9, 1.15, 1.5, 2.0)
GROWTHS = ("5%", "10%", "20%")
METRIC = "latency_p50"


@contextmanager
def busy(loops: int) -> Iterator[None]:
    """Processes that use all the processor time they get."""
    running = [subprocess.Popen([sys.executable, "-c", "while True: pass"]) for _ in range(loops)]
    try:
        yield
    finally:
        for process in running:
            process.kill()
            process.wait()


def checked(model: Path, folder: Path, seconds: float, rules: str, baseline: Path | None = None) -> CheckResult:
    """One check of the model on this machine."""
    budget = folder / "contention.yaml"
    budget.write_text(
        f"model: {model.resolve()}\nmeasure: {{min_time: {seconds:g} s}}\ndevices:\n  this-machine:\n    {rules}",
        "utf-8",
    )
    return api.check(budget, baseline=baseline).results[0]


def first(model: Path, folder: Path, seconds: float) -> tuple[float, Path]:
    """The median of a check with nothing else running, and its report as a file."""
    result = checked(model, folder, seconds, f"{METRIC}: 60 min\n")
    verdict = next(verdict for verdict in result.verdicts if verdict.metric.name == METRIC)
    middle = verdict.found
    if middle is None:
        raise SystemExit(f"the first check measured nothing: {result.problem or verdict.reason}")
    report = Report(results=(result,), version=__version__, host=this_host(), started=now(), seconds=0.0)
    baseline = folder / "baseline.json"
    baseline.write_text(api.render(report, "json"), "utf-8")
    slowed = [caveat.message for caveat in result.caveats if caveat.code == "contended"]
    print(f"median {middle * 1e3:.3g} ms; {' '.join(slowed) or 'nothing slowed it.'}\n", flush=True)
    return middle, baseline


def verdicts(
    model: Path, folder: Path, base: tuple[float, Path], given: tuple[int, float]
) -> Iterator[tuple[str, str]]:
    """What was judged, and how; `given` are the number of checks and the least time of each."""
    (middle, baseline), (runs, seconds) = base, given
    for run in range(runs):
        factor, growth = FACTORS[run % len(FACTORS)], GROWTHS[run % len(GROWTHS)]
        rules = f"{METRIC}: {middle * factor * 1e6:.3f} us\nregression: {{{METRIC}: {growth}}}\n"
        for verdict in checked(model, folder, seconds, rules, baseline).verdicts:
            if verdict.metric.name.startswith(METRIC):
                what = f"growth {growth}" if "baseline" in verdict.metric.name else f"limit {factor:g} x"
                if verdict.status is (Status.PASS if factor < 1 and what.startswith("limit") else Status.FAIL):
                    print(f"{what}: {verdict.status.value}: {verdict.reason}", file=sys.stderr)
                yield what, verdict.status.value


def main() -> None:
    """Print a table: how often each limit and each rule passed, failed and stayed undecided."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model", type=Path)
    parser.add_argument("--runs", type=int, default=200)
    parser.add_argument("--loops", type=int, default=6)
    parser.add_argument("--seconds", type=float, default=9.5, help="least time of each measurement")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        base = first(given.model, folder, given.seconds)
        print("| | pass | fail | unknown | wrong |\n| --- | --- | --- | --- | --- |")
        for name, loops in (("idle", 0), (f"{given.loops} busy loops", given.loops)):
            with busy(loops):
                found = Counter(verdicts(given.model, folder, base, (given.runs, given.seconds)))
            for what in sorted({what for what, _ in found}):
                wrong = "pass" if what == "limit 0.9 x" else "fail"
                counts = [found[what, status] for status in ("pass", "fail", "unknown")]
                print(f"| {name}, {what} | {' | '.join(map(str, counts))} | {found[what, wrong]} |", flush=True)


if __name__ == "__main__":
    main()
