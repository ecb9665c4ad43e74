"""One report with every kind of verdict in it, for the reporters' tests."""

from __future__ import annotations

from dataclasses import replace

from edgecheck.core.budget import Effort, Variant
from edgecheck.core.caveats import caveats
from edgecheck.core.device_match import match
from edgecheck.core.finding import Evidence, Measurement
from edgecheck.core.limits import OnUnknown, Source
from edgecheck.core.measurement import measure_all
from edgecheck.core.metrics import METRICS, Provenance
from edgecheck.core.report import CheckResult, Part, Report, Tiles, WayOut
from edgecheck.core.run import Activity, DeviceState, Ending, Outcome, Phase, PhaseMark, Purpose, Run
from edgecheck.core.verdict import judge
from tests.builders import ARTIFACT, MIB, budget, died, latency_worker, limit, memory_worker, profile, run

PROFILE = profile()
LIMITS = (
    limit("size", 1_000_000),
    limit("download", error=2_000_000, warn=1_100_000, source=Source("profile", "pi.yaml", 9)),
    limit("ram_peak", 80 * MIB),
    limit("load_time", 1.0, on_unknown=OnUnknown.IGNORE, source=Source("command line")),
)
SEEN = run(
    latency_worker(*[0.010] * 30),
    *[latency_worker(purpose=Purpose.LOAD)] * 4,
    memory_worker(40 * MIB, 60 * MIB, ((0.1, 60 * MIB),)),
    memory_worker(40 * MIB, 61 * MIB, ((0.1, 61 * MIB),)),
)
CRASH = run(
    died(
        Purpose.MEMORY,
        Ending(
            outcome=Outcome.CRASHED,
            during=Activity.FIRST_INFERENCE,
            reason="",
            message="the process died of SIGSEGV in the first inference",
        ),
    )
)
TILES = Tiles(
    parent=(-1, 0, 0, 1, 1),
    name=("net.onnx", "conv", "(structure)", "kernel", "bias"),
    size=(1_500_000, 1_400_000, 100_000, 1_390_000, 10_000),
    group=("weight", "weight", "structure", "weight", "weight"),
    detail=("2 tensors", "2 tensors", "", "Conv, float32, 64 x 3 x 3 x 3", "Conv, float32, 64"),
)
PC = replace(SEEN, before=DeviceState(system="Linux", machine="x86_64"))


def result(seen: Run | None, problem: str = "") -> CheckResult:
    findings = measure_all(Evidence(artifact=ARTIFACT, run=seen))
    place = match(PROFILE, seen)
    return CheckResult(
        budget=budget((PROFILE, LIMITS)),
        variant=Variant("as-is"),
        profile=PROFILE,
        target="local" if seen else "",
        verdicts=tuple(judge(one, findings[one.metric.name], place) for one in LIMITS),
        artifact=ARTIFACT,
        run=seen,
        findings=findings,
        caveats=caveats(seen, PROFILE, "onnx", Effort()) if seen else (),
        problem=problem,
        seconds=1.5,
        tiles=TILES,
    )


def report(*results: CheckResult) -> Report:
    return Report(
        results=results, version="0.1.0", host="Linux x86_64 ci", started="2026-01-01T00:00:00+00:00", seconds=4.5
    )


EVERYTHING = report(result(SEEN), result(CRASH), result(PC), result(None))

PROJECTED = Measurement(
    metric=METRICS["latency_p50"],
    value=0.0123,
    provenance=Provenance.PROJECTED,
    low=0.0098,
    high=0.0154,
    interval=True,
    basis="15.4M instructions",
)
P90 = Measurement(metric=METRICS["latency_p90"], value=0.0115, provenance=Provenance.MEASURED)
SEEN_AT = zip(Phase, (0.0, 0.1, 0.15, 0.16, 0.3), (8, 40, 50, 60, 61), strict=True)
MARKS = tuple(PhaseMark(phase=phase, at=at, rss=rss * MIB, peak_rss=rss * MIB) for phase, at, rss in SEEN_AT)
MEMORY = replace(
    memory_worker(40 * MIB, 61 * MIB), marks=MARKS, samples=tuple((at / 1000, (8 + at // 6) * MIB) for at in range(300))
)
RICH = run(latency_worker(*(0.01 + at % 17 * 1e-4 for at in range(400)), 0.9), MEMORY, MEMORY)


def rich() -> CheckResult:
    """A check with every drawing in it."""
    checked = result(RICH)
    verdicts = (
        *checked.verdicts,
        judge(limit("latency_p50", 0.014, 0.011), PROJECTED),
        judge(limit("latency_p90", 5.0), P90),
    )
    way_out = WayOut(
        metrics=("size",),
        parts=(Part("dense_3", 1_180_000, "float32"),),
        savings=(Part("int8", 900_000, "a byte each"),),
        notes=("Note.",),
    )
    return replace(
        checked,
        findings={**(checked.findings or {}), "latency_p50": PROJECTED},
        verdicts=verdicts,
        ways_out=(way_out,),
    )
