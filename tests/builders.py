"""Values for tests of the pure parts, with defaults for what a test does not care about."""

from __future__ import annotations

from dataclasses import replace
from pathlib import PurePath

from edgecheck.core.artifact import Artifact
from edgecheck.core.budget import Budget, Effort, Model, Variant
from edgecheck.core.device import Capacity, Cpu, DeviceProfile, Identity
from edgecheck.core.limits import Limit, OnUnknown, Source
from edgecheck.core.metrics import METRICS
from edgecheck.core.run import DeviceState, Ending, Phase, PhaseMark, Purpose, Run, RuntimeFacts, WorkerRun

MIB = 2**20

ARTIFACT = Artifact(
    model="net.onnx",
    variant="as-is",
    format="onnx",
    path=PurePath("net.onnx"),
    files=(PurePath("net.onnx"),),
    size=1_500_000,
    download=1_200_000,
    sha256="0" * 64,
)


def limit(
    metric: str,
    error: float | None = None,
    warn: float | None = None,
    on_unknown: OnUnknown = OnUnknown.UNKNOWN,
    source: Source = Source("budget", "b.yaml", 3),  # noqa: B008 - frozen
) -> Limit:
    return Limit(metric=METRICS[metric], error=error, source=source, warn=warn, on_unknown=on_unknown)


def profile(device: str = "raspberry-pi-4-2gb", **changes: object) -> DeviceProfile:
    default = DeviceProfile(
        id=device,
        name="Raspberry Pi 4 Model B (2 GB)",
        kind="single-board-computer",
        soc="Broadcom BCM2711",
        identity=Identity("Raspberry Pi 4 Model B", "0xd08"),
        cpu=Cpu(core="cortex-a72", count=4, clock=1.8e9, features=("asimd", "crc32")),
        ram=Capacity(2 * 2**30, 180 * MIB),
        storage=Capacity(16 * 10**9, 4 * 10**9),
        limits=(),
        python="3.11",
        runtimes={"onnx": ("onnxruntime==1.32.0",)},
    )
    return replace(default, **changes)  # type: ignore[arg-type]


def budget(*devices: tuple[DeviceProfile, tuple[Limit, ...]]) -> Budget:
    return Budget(
        name="net",
        path="b.yaml",
        model=Model(PurePath("net.onnx")),
        variants=(Variant("as-is"),),
        format="",
        samples=None,
        inputs={},
        threads=1,
        effort=Effort(),
        devices=devices,
    )


def mark(phase: Phase, rss: int, peak: int | None = None, at: float = 0.0) -> PhaseMark:
    return PhaseMark(phase=phase, at=at, rss=rss, peak_rss=peak)


def memory_worker(ready: int, peak: int, samples: tuple[tuple[float, int], ...] = ()) -> WorkerRun:
    """A worker of the memory pass: bytes with the runtime ready, bytes at the peak."""
    return WorkerRun(
        purpose=Purpose.MEMORY,
        marks=(
            mark(Phase.START, 8 * MIB, 8 * MIB),
            mark(Phase.RUNTIME_READY, ready, ready),
            mark(Phase.STEADY, peak, peak),
        ),
        samples=samples,
        sampler="psutil 7.2.2",
    )


def latency_worker(*latencies: float, **changes: object) -> WorkerRun:
    default = WorkerRun(
        purpose=Purpose.LATENCY,
        marks=(mark(Phase.START, 8 * MIB), mark(Phase.STEADY, 60 * MIB, 61 * MIB)),
        load_time=0.01,
        first_inference=0.02,
        latencies=latencies,
    )
    return replace(default, **changes)  # type: ignore[arg-type]


def died(purpose: Purpose, ending: Ending) -> WorkerRun:
    return WorkerRun(purpose=purpose, marks=(mark(Phase.START, 8 * MIB),), ending=ending)


def run(*workers: WorkerRun, **changes: object) -> Run:
    default = Run(
        target="local",
        workers=workers,
        runtime=RuntimeFacts(name="onnxruntime", version="1.32.0"),
        before=DeviceState(model="Raspberry Pi 4 Model B Rev 1.5", machine="aarch64", system="Linux"),
    )
    return replace(default, **changes)  # type: ignore[arg-type]
