"""Does contention fool the gate? An unchanged model, judged again and again, idle and under busy loops.

    python benchmarks/contention.py examples/models/face_detection_short_range.tflite     # under 12 minutes
    python benchmarks/contention.py net.onnx --runs 3 --seconds 1                         # a look
    python benchmarks/contention.py net.onnx --runs 40 --seconds 9.5                      # as long as a check measures

Nine runs with nothing else running come first; the one in the middle is the baseline. Then come `--runs` runs idle and
as many under `--loops` busy loops. Each run is judged against limits on p50 of 0.9, 1.15, 1.5 and 2 times the
baseline's, against rules of 5, 10 and 20 % growth from the baseline, and against the same rules as if the baseline had
been faster by 1.3 times. A pass is wrong at 0.9 times and against the faster baseline; a fail is wrong elsewhere. Run
it on a machine that does nothing else: a baseline that was slowed is that of a slower machine, and says so.
"""

from __future__ import annotations

import argparse
import statistics
import subprocess
import sys
import time
from collections import Counter
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT))

from edgecheck import __version__  # noqa: E402
from edgecheck.checks.invocation import now, this_host  # noqa: E402
from edgecheck.checks.session import Needs, time_on  # noqa: E402
from edgecheck.config import Profiles  # noqa: E402
from edgecheck.core import contention  # noqa: E402
from edgecheck.core.address import parse  # noqa: E402
from edgecheck.core.artifact import Artifact  # noqa: E402
from edgecheck.core.budget import Budget, Effort, Model, Variant  # noqa: E402
from edgecheck.core.comparison import Side, judged_against  # noqa: E402
from edgecheck.core.device import THIS_MACHINE  # noqa: E402
from edgecheck.core.finding import Evidence, Measurement  # noqa: E402
from edgecheck.core.limits import Allowance, Limit, Source  # noqa: E402
from edgecheck.core.metrics import METRICS  # noqa: E402
from edgecheck.core.readers import ON_DEVICE  # noqa: E402
from edgecheck.core.report import CheckResult, Report  # noqa: E402
from edgecheck.core.run import Purpose, Run  # noqa: E402
from edgecheck.core.verdict import Status, judge  # noqa: E402
from edgecheck.targets import open_target  # noqa: E402

if TYPE_CHECKING:
    from collections.abc import Iterator

FACTORS = (0.9, 1.15, 1.5, 2.0)
GROWTHS = (0.05, 0.1, 0.2)
FASTER = 1.3
METRIC = METRICS["latency_p50"]
HERE = Source("benchmark")


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


@dataclass(frozen=True)
class Bench:
    """The model, and how long each run measures it."""

    model: Path
    seconds: float

    def run(self, limits: tuple[Limit, ...]) -> CheckResult:
        """One run on this machine, with its figure."""
        profile = Profiles().get(THIS_MACHINE)
        artifact = Artifact(
            model=self.model.stem,
            variant="as-is",
            format=self.model.suffix[1:],
            path=self.model,
            files=(self.model,),
            size=self.model.stat().st_size,
            sha256="",
        )
        budget = Budget(
            name="contention",
            path="",
            model=Model(self.model),
            variants=(Variant("as-is"),),
            format=artifact.format,
            samples=None,
            inputs={},
            threads=1,
            effort=Effort(min_time=self.seconds, max_time=self.seconds + 1),
            devices=((profile, limits),),
        )
        target = open_target(parse("local"), profile)
        seen = time_on(target, artifact, Needs(budget=budget, limits=limits), progress=lambda _words: None)
        result = CheckResult(
            budget=budget, variant=Variant("as-is"), profile=profile, target="local", verdicts=(), artifact=artifact
        )
        return with_run(result, seen)


def with_run(result: CheckResult, seen: Run) -> CheckResult:
    """The result of that run."""
    found = figure(replace(result, run=seen), METRIC.name)
    return replace(result, run=seen, findings={METRIC.name: found})


def figure(result: CheckResult, name: str) -> Measurement:
    """The median, with the counts of the limit of that name."""
    assert result.artifact is not None
    assert result.run is not None
    workers = result.run.of(Purpose.LATENCY)
    evidence = Evidence(artifact=result.artifact, profile=result.profile, run=result.run)
    found = ON_DEVICE[METRIC.name].read(replace(METRIC, name=name), workers, evidence) if workers else None
    if not isinstance(found, Measurement):
        raise SystemExit(f"a run measured nothing: {result.run.broken or workers}")
    return found


def faster(result: CheckResult) -> CheckResult:
    """The result as if the model had been faster, and had waited as much less."""
    assert result.run is not None
    workers = [
        replace(
            worker,
            latencies=tuple(value / FASTER for value in worker.latencies),
            waits=tuple(value / FASTER for value in worker.waits),
        )
        for worker in result.run.workers
    ]
    return with_run(result, replace(result.run, workers=tuple(workers)))


def limits(middle: float) -> tuple[Limit, ...]:
    """On the same percentile, each under a separate name: the agent counts for each of them."""
    return tuple(
        Limit(metric=replace(METRIC, name=f"limit {factor:g} x"), error=middle * factor, source=HERE)
        for factor in FACTORS
    )


def unwaited(result: CheckResult) -> float:
    """Seconds: the median without its waiting for a processor."""
    assert result.run is not None
    return statistics.median(contention.without_waiting(result.run.of(Purpose.LATENCY)[-1]))


def verdicts(bench: Bench, base: CheckResult, factors: list[float]) -> Iterator[tuple[str, str]]:
    """What one run was judged by, and how; `factors` gets its median without waiting, in baselines."""
    assert base.findings is not None
    middle = base.findings[METRIC.name]
    assert isinstance(middle, Measurement)
    result = bench.run(limits(middle.value))
    factors.append(unwaited(result) / unwaited(base))
    for limit in limits(middle.value):
        verdict = judge(limit, figure(result, limit.metric.name))
        yield told(limit.metric.name, verdict.status, verdict.reason)
    rules = [Allowance(metric=METRIC, growth=growth, source=HERE) for growth in GROWTHS]
    for name, before in (("growth", base), (f"growth, {FASTER:g} x faster before", faster(base))):
        report = Report(results=(before,), version=__version__, host=this_host(), started=now(), seconds=0.0)
        for rule, verdict in zip(rules, judged_against(Side(result, this_host()), rules, report).verdicts, strict=True):
            yield told(f"{name}, {rule}", verdict.status, verdict.reason)


def told(what: str, status: Status, reason: str) -> tuple[str, str]:
    """The verdict; one that is wrong is printed with its reason."""
    if status.value == wrong(what):
        print(f"{what}: {status.value}: {reason}", file=sys.stderr)
    return what, status.value


def wrong(what: str) -> str:
    """The verdict that would be wrong."""
    return Status.PASS.value if what.startswith("limit 0.9") or "faster" in what else Status.FAIL.value


def baseline(bench: Bench) -> CheckResult:
    """The run in the middle of nine with nothing else running: single ones differ by a tenth on a shared host."""
    results = [bench.run(limits(60.0)) for _ in range(9)]
    found = sorted(results, key=lambda result: figure(result, METRIC.name).value)[len(results) // 2]
    assert found.run is not None
    slowed = contention.cause(found.run.of(Purpose.LATENCY)[-1])
    middle = METRIC.show(figure(found, METRIC.name).value)
    print(f"median {middle}; {slowed or 'nothing slowed it'}.\n", flush=True)
    return found


def main() -> None:
    """Print a table: how often each limit and each rule passed, failed and stayed undecided; then the wrong ones."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model", type=Path)
    parser.add_argument("--runs", type=int, default=40)
    parser.add_argument("--loops", type=int, default=6)
    parser.add_argument("--seconds", type=float, default=3.0, help="least time that each run measures")
    given = parser.parse_args()
    bench = Bench(given.model.resolve(), given.seconds)
    base = baseline(bench)
    begun, totals, slower = time.monotonic(), Counter[tuple[str, bool]](), list[str]()
    print("| | pass | fail | unknown | wrong |\n| --- | --- | --- | --- | --- |")
    for name, loops in (("idle", 0), (f"{given.loops} busy loops", given.loops)):
        factors: list[float] = []
        with busy(loops):
            found = Counter(one for _ in range(given.runs) for one in verdicts(bench, base, factors))
        for what in dict.fromkeys(what for what, _ in found):
            counts = [found[what, status] for status in ("pass", "fail", "unknown")]
            missed = found[what, wrong(what)]
            totals[wrong(what), True] += missed
            totals[wrong(what), False] += sum(counts)
            print(f"| {name}, {what} | {' | '.join(map(str, counts))} | {missed} |", flush=True)
        slower.append(f"{name}: {min(factors):.2f} to {max(factors):.2f}, median {statistics.median(factors):.2f}")
    print(f"\nmedians without their waiting, in baselines: {'; '.join(slower)}")
    for kind in ("fail", "pass"):
        print(f"false {kind}: {totals[kind, True]} of {totals[kind, False]} verdicts of which it would be wrong")
    print(f"{time.monotonic() - begun:.0f} s")


if __name__ == "__main__":
    main()
