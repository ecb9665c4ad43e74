"""What was seen on a target: raw and complete, before anything is decided from it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import Enum

from edgecheck.core.counted import Counted
from edgecheck.core.placement import Placement, SpentTime


class Phase(Enum):
    """The boundaries between the phases of a worker, in order."""

    START = "start"
    RUNTIME_READY = "runtime-ready"
    MODEL_LOADED = "model-loaded"
    FIRST_INFERENCE = "first-inference"
    STEADY = "steady"


class Activity(Enum):
    """What a worker was doing when it ended; the values are the agent's words."""

    START = "start"
    RUNTIME = "runtime"
    LOAD = "load"
    FIRST_INFERENCE = "first-inference"
    STEADY = "steady"
    EXIT = "exit"


class Purpose(Enum):
    """What a worker process was started for."""

    LATENCY = "latency"
    DETERMINISTIC = "deterministic"
    """The latency pass where the clock counts instructions."""
    LOAD = "load"
    CACHED_LOAD = "cached-load"
    """As `LOAD`, but with what the accelerator kept in a cache."""
    MEMORY = "memory"
    OUTPUTS = "outputs"
    PROFILE = "profile"
    """The pass with the runtime's own profiler on."""


class Outcome(Enum):
    """How a worker ended. All but the first are answers too: the model does not run there."""

    COMPLETED = "completed"
    CRASHED = "crashed"
    KILLED_FOR_MEMORY = "killed-for-memory"
    KILLED = "killed"
    TIMEOUT = "timeout"
    REFUSED = "refused"


@dataclass(frozen=True, slots=True, kw_only=True)
class PhaseMark:
    """The worker's reading at a phase boundary; bytes, and seconds since the worker's start."""

    phase: Phase
    at: float
    rss: int | None
    peak_rss: int | None
    """The kernel's high-water mark (VmHWM); None where the kernel keeps none."""
    pss: int | None = None
    uss: int | None = None
    major_faults: int | None = None
    swap: int | None = None
    waited: float | None = None
    """Seconds that the worker's threads had waited for a processor by then; None where that is not known."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LookCount:
    """The agent's last count for one limit on a percentile."""

    limit: str
    """The limit's key in the job: `latency_p90:error`."""
    inferences: int
    exceedances: int
    """Inferences slower than the bound."""
    block: int
    """Consecutive inferences that count as one observation."""
    decision: str
    """`pass`, `fail`, or empty."""
    left_out: int = 0
    """Inferences that waited for a processor and are not counted, where the others decided."""
    seconds: float = 0.0
    """Seconds measured until then, which the decision is about; 0 where the agent did not report them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Contention:
    """What a worker and the machine's processors did while latencies were measured."""

    waited: float
    """Seconds of the timed inferences in which the worker was ready to run and had no processor."""
    processor: float
    """Seconds of processor time that the worker used, by all of its threads."""
    switches: int
    """How often it was taken off a processor although it had more to do."""
    stolen: float | None = None
    """Share of the machine's processor time that the host of a virtual machine took; None where it is not known."""
    others: float | None = None
    """The share that other processes used."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Ending:
    """The outcome of a worker, and what explains it."""

    outcome: Outcome
    during: Activity = Activity.EXIT
    reason: str = ""
    """A code such as `unsupported-operator`; empty where the worker completed."""
    message: str = ""
    """One clause: what happened, and in which phase where that matters."""
    signal: str = ""
    """`SIGSEGV`; empty where no signal ended the worker."""
    stderr: str = ""
    """The last lines that the worker wrote to stderr."""
    at: float | None = None
    """Seconds from the worker's start to its exit; None where an older agent did not report it."""


@dataclass(frozen=True, slots=True)
class Note:
    """An observation that is not a failure."""

    code: str
    """`nan-output`, `guessed-dimension`, `no-lock`, …"""
    message: str


@dataclass(frozen=True, slots=True, kw_only=True)
class StateMark:
    """One reading of the device during a sustained run."""

    at: float
    """Seconds since the first timed inference."""
    inferences: int
    """Latencies that had been taken by then."""
    clock: float | None
    """Hertz of the fastest core; None where the kernel does not report clocks."""
    temperature: float | None
    """Degrees Celsius of the hottest zone; None where there is none."""
    throttled: tuple[str, ...] = ()
    """Flags that were set at that moment."""


@dataclass(frozen=True, slots=True)
class AcceleratorMemory:
    """What a worker took on an accelerator, from before the model was loaded to after the first inference."""

    size: int
    """Bytes."""
    source: str
    """Who said so: `nvml`, `nvmap`, `available`, …"""
    words: str = ""
    """What exactly was read, in words."""


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkerRun:
    """One fresh inference process."""

    purpose: Purpose
    marks: tuple[PhaseMark, ...] = ()
    samples: tuple[tuple[float, int], ...] = ()
    """(Seconds since the worker's start, resident bytes) each."""
    sampler: str = ""
    """What took the samples: `psutil 7.2.2` or `/proc`."""
    available: tuple[tuple[float, int], ...] = ()
    """Each new minimum of the machine's MemAvailable, beginning before the worker's start: (seconds since that start,
    bytes). Empty where it was not sampled."""
    load_time: float | None = None
    first_inference: float | None = None
    latencies: Sequence[float] = ()
    """Seconds of each steady inference, in order."""
    span: float = 0.0
    """Seconds from the first steady inference's start to the last one's end; 0 where the agent did not report it."""
    waits: Sequence[float] = ()
    """Of that, what each waited for a processor; empty where none waited, or where it is not known."""
    contention: Contention | None = None
    counts: tuple[LookCount, ...] = ()
    batches: tuple[tuple[int, int], ...] = ()
    """(Inferences, nanoseconds) of each batch; where the clock counts instructions, a nanosecond is one instruction."""
    agreed: bool = False
    """Whether the last two batches agreed, or a single one with the first inference."""
    counted: Counted | None = None
    """None where no plugin counted."""
    notes: tuple[Note, ...] = ()
    ending: Ending = Ending(outcome=Outcome.COMPLETED)
    states: tuple[StateMark, ...] = ()
    """Of a sustained run, the first before its first timed inference; otherwise empty."""
    placement: Placement | None = None
    """Where the nodes ran; None where no accelerator was asked for, or the process did not get that far."""
    spent: tuple[SpentTime, ...] = ()
    """What each node took, in the profiling pass on an accelerator; otherwise empty."""
    accelerator_memory: AcceleratorMemory | None = None
    """None where no accelerator was asked for, or no source had a figure."""

    def mark(self, phase: Phase) -> PhaseMark | None:
        """The reading at `phase`; None where the worker did not get that far."""
        return next((mark for mark in self.marks if mark.phase is phase), None)

    @property
    def waited(self) -> float:
        """The share of its inferences' time in which the worker waited for a processor."""
        total = sum(self.latencies)
        return sum(self.waits) / total if total > 0 else 0.0

    @property
    def peak(self) -> int | None:
        """Highest resident bytes: the kernel's high-water mark, or a sample or a phase's reading if one is higher.

        None where there is neither a mark nor a sample: readings at phases alone miss what lies between them.
        """
        seen = [mark.peak_rss for mark in self.marks if mark.peak_rss is not None]
        seen += [rss for _, rss in self.samples]
        return max([*seen, *(mark.rss for mark in self.marks if mark.rss is not None)]) if seen else None


@dataclass(frozen=True, slots=True, kw_only=True)
class RuntimeFacts:
    """The inference runtime that ran, as the worker reported it."""

    name: str
    version: str
    python: str = ""
    numpy: str = ""

    def __str__(self) -> str:
        return f"{self.name} {self.version}"


@dataclass(frozen=True, slots=True, kw_only=True)
class PhoneState:
    """What Android reports; empty or None where it does not say."""

    android: str = ""
    """Its version: `14`."""
    soc: str = ""
    low_ram: bool = False
    """Whether it is of Android's low-RAM class (Android Go)."""
    heap: str = ""
    """What an app's managed heap may grow to without asking for more: `256m`."""
    thermal_status: int | None = None
    """`PowerManager.THERMAL_STATUS_*`: 0 where nothing is slowed down."""
    battery: float | None = None
    """Degrees Celsius."""
    battery_level: int | None = None
    """Percent."""
    battery_saver: bool | None = None
    awake: bool | None = None
    """Whether the screen is on."""
    locked: bool | None = None
    """Whether a code, a finger or a face would be needed to use it."""
    emulator: bool = False
    """Whether it is Android's emulator: a program on a computer."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ClockRange:
    """A clock of a Jetson, and the range that it may move in."""

    name: str
    """`gpu`, or `cpu` with the cores' numbers."""
    least: float
    """Hertz."""
    most: float
    now: float | None = None

    @property
    def held(self) -> bool:
        """Whether `jetson_clocks` holds it."""
        return self.least == self.most


@dataclass(frozen=True, slots=True, kw_only=True)
class JetsonState:
    """What a Jetson is set to and draws; empty where it does not say."""

    mode: str = ""
    """The name of its power mode: `MAXN`."""
    modes: tuple[tuple[str, int], ...] = ()
    """The modes that it has, each with its number."""
    clocks: tuple[ClockRange, ...] = ()
    rails: tuple[tuple[str, float], ...] = ()
    """Watts by rail."""

    @property
    def clocks_held(self) -> bool | None:
        """Whether `jetson_clocks` holds all clocks; None where none is known."""
        return all(clock.held for clock in self.clocks) if self.clocks else None

    @property
    def drawn(self) -> tuple[str, float] | None:
        """The rail of the module as a whole, and its watts; None where there is none."""
        return next(((name, watts) for name, watts in self.rails if name in ("VDD_IN", "POM_5V_IN")), None)


@dataclass(frozen=True, slots=True, kw_only=True)
class DeviceState:
    """What the target reported about itself; empty or None where it cannot be read."""

    model: str = ""
    """The board's name, from the device tree or its firmware."""
    machine_id: str = ""
    """A hash of the number that the installed system has."""
    system: str = ""
    machine: str = ""
    kernel: str = ""
    python: str = ""
    libc: str = ""
    """As in `glibc 2.36`."""
    page_size: int | None = None
    cpu_kind: str = ""
    """The processor that the kernel runs on: `x86`, `aarch64`; `machine` is what programs see."""
    cpu_names: tuple[str, ...] = ()
    cpu_parts: tuple[str, ...] = ()
    cpu_features: tuple[str, ...] = ()
    cpu_count: int = 0
    affinity: tuple[int, ...] = ()
    governors: tuple[str, ...] = ()
    clocks: tuple[float | None, ...] = ()
    """Hertz, by core."""
    ram_total: int | None = None
    ram_available: int | None = None
    swap_used: int | None = None
    storage_free: int | None = None
    temperatures: tuple[tuple[str, float], ...] = ()
    """Degrees Celsius by thermal zone."""
    throttled: tuple[str, ...] = ()
    """What `vcgencmd get_throttled` says, decoded: `under-voltage`, `throttling has occurred`, …"""
    power_mode: str = ""
    load_average: float | None = None
    """Over the last minute."""
    pressure: float | None = None
    """Seconds since its start in which some process waited for a processor; of `at`, the same machine's clock."""
    at: float | None = None
    phone: PhoneState | None = None
    """None where it is not Android."""
    jetson: JetsonState | None = None
    """None where it is not a Jetson."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """Everything that was seen of one artifact on one target."""

    target: str
    """The address: `local`, `ssh://…`, `qemu`."""
    workers: tuple[WorkerRun, ...] = ()
    runtime: RuntimeFacts | None = None
    before: DeviceState = field(default_factory=DeviceState)
    after: DeviceState = field(default_factory=DeviceState)
    notes: tuple[Note, ...] = ()
    """The agent's notes; those of workers are theirs."""
    fit: tuple[WorkerRun, ...] = ()
    """The workers of a second run in a machine with just the device's RAM, where `workers` had more."""
    throttled: str = ""
    """What throttled the device both in this run and in the one before it; empty where nothing did."""
    broken: str = ""
    """Why the run is incomplete: the connection broke, the agent was lost; empty where it is complete."""
    emulated: bool = False

    @property
    def still_hot(self) -> str:
        """That the device was hot when the run began, after it had been waited for; empty where it was not."""
        return next((note.message for note in self.notes if note.code == "hot"), "")

    @property
    def placement(self) -> Placement | None:
        """Where the nodes ran, by the process that shows the fewest on the accelerator; None where none shows it."""
        found = [worker.placement for worker in self.workers if worker.placement is not None]
        return min(found, key=lambda placement: placement.share, default=None)

    @property
    def spent(self) -> tuple[SpentTime, ...]:
        """What each node took, by the runtime's own profiler; empty where it was not profiled."""
        return next((worker.spent for worker in self.workers if worker.spent), ())

    @property
    def memory_workers(self) -> tuple[WorkerRun, ...]:
        """The workers that show the memory: those of the memory pass, or the one process of an emulated machine."""
        return self.of(Purpose.MEMORY) or self.of(Purpose.DETERMINISTIC)

    def of(self, *purposes: Purpose) -> tuple[WorkerRun, ...]:
        """The workers that were started for any of `purposes`."""
        return tuple(worker for worker in self.workers if worker.purpose in purposes)
