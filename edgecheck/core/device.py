"""What a device has, what it allows, and how it is emulated and projected."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from edgecheck.core.accelerator import PROVIDERS
from edgecheck.core.limits import Limit

#: The id of the profile that describes the machine edgecheck runs on.
THIS_MACHINE = "this-machine"

#: What kinds of device there are.
CLASSES = ("single-board-computer", "jetson", "phone", "computer")


#: What a device may hand a part of a model to. No check runs on a Hailo: it is only named.
ACCELERATORS = (*PROVIDERS, "hailo")

#: The types of number that an accelerator computes with.
PRECISIONS = ("fp32", "fp16", "bf16", "int8")

#: Where an accelerator's library comes from: NVIDIA's system for Jetsons, a Python wheel, a repository of packages,
#: Android itself.
LIBRARY_SOURCES = ("jetpack", "wheel", "apt", "android")


@dataclass(frozen=True, slots=True, kw_only=True)
class DeviceAccelerator:
    """One of a device's accelerators, as its profile describes it."""

    provider: str
    """One of `ACCELERATORS`."""
    library: str
    """The file name of the library that reaches it: `libnvinfer.so.10`."""
    source: str
    """One of `LIBRARY_SOURCES`."""
    package: str = ""
    """The package that has the library; empty where the source says enough."""
    precision: tuple[str, ...] = ()
    """Of `PRECISIONS`."""

    def __str__(self) -> str:
        origin = f"{self.source}: {self.package}" if self.package else self.source
        return f"{self.provider}: {self.library} ({origin}), {' '.join(self.precision)}"


@dataclass(frozen=True, slots=True)
class Identity:
    """How a device is recognised as the profile's; an empty text is not compared."""

    model: str = ""
    """The start of the board's name: `/proc/device-tree/model`, or what its firmware calls it (DMI)."""
    cpu_part: str = ""
    """A `CPU part` of `/proc/cpuinfo`, such as `0xd08`."""
    machine_id: str = ""
    """A hash of the `/etc/machine-id` of one computer, for a kind of device that has no name."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Cpu:
    """The core that runs a single-thread inference, and the number of cores."""

    core: str
    count: int
    clock: float
    """Hertz."""
    features: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Capacity:
    """Total bytes, and how many of them the system keeps for itself."""

    total: int
    reserved: int

    @property
    def available(self) -> int:
        """Bytes available to a deployment."""
        return self.total - self.reserved


@dataclass(frozen=True, slots=True)
class AppShare:
    """What a phone lets one app take."""

    heap: int
    """Bytes that an app's managed heap may grow to; what a runtime allocates itself is not on it."""
    download: int = 0
    """Bytes of compressed download that its store allows an app; 0 where that is not known."""
    low_ram: bool = False
    """Whether the phone is of Android's low-RAM class."""


@dataclass(frozen=True, slots=True)
class Constant:
    """Nanoseconds per instruction, and the standard deviation of its logarithm over models."""

    ns_per_instruction: float
    spread: float
    runtime: str
    """The runtime it was calibrated with."""


@dataclass(frozen=True, slots=True)
class Scaling:
    """The speed-up of some number of threads, and the standard deviation of its logarithm over models."""

    factor: float
    spread: float


@dataclass(frozen=True, slots=True, kw_only=True)
class CostSet:
    """What each counted event costs; the latency of one thread is the sum over the events."""

    work: float
    """Of each cycle of LLVM's model, or of each instruction that multiplies and accumulates: cycles of the clock."""
    instruction: float
    """Of each instruction that does not multiply and accumulate: cycles of the clock, on top."""
    l1: float
    """Of each miss of the first level: cycles of the clock."""
    store: float
    """Of each store among them: seconds, on top."""
    l2: float
    """Of each miss of the second level: seconds."""
    within: float
    """Nine of ten networks that it was not fitted on took at most this many times as long as projected, or as short."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Costs:
    """What turns the counts of one inference into this device's latency."""

    l2_size: int
    """Bytes of the second level of cache that one core uses."""
    runtime: str
    """The runtime that the networks ran with."""
    networks: int
    """How many there were."""
    source: str
    model: str = ""
    """LLVM's name of the core for `modelled`; empty without it."""
    modelled: CostSet | None = None
    """With cycles of LLVM's model as the work; None where there are none."""
    counted: CostSet | None = None
    """With instructions that multiply and accumulate as the work."""
    spread: float = 0.0
    """Standard deviation of the logarithm of this device's own factor, where it is not known; 0 where it is."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Projection:
    """The constants that turn counts into this device's latency."""

    float: Constant | None = None
    int8: Constant | None = None
    costs: Costs | None = None
    """What is used instead of both where cache misses were counted."""
    thread_scaling: Mapping[int, Scaling] = field(default_factory=dict)
    """By number of threads, from two on."""
    derived_from: str = ""
    """The device whose constants were scaled to this one's clock; empty where they were measured on this one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DeviceProfile:
    """One device, as its YAML file describes it."""

    id: str
    name: str
    kind: str
    """`single-board-computer`, `jetson`, `phone` or `computer`."""
    soc: str
    identity: Identity
    cpu: Cpu
    ram: Capacity
    storage: Capacity
    limits: tuple[Limit, ...]
    python: str
    runtimes: Mapping[str, tuple[str, ...]]
    """Requirements to install, by artifact format; see `holding`."""
    app: AppShare | None = None
    """None where it is not a phone, or not known."""
    accelerators: tuple[DeviceAccelerator, ...] = ()
    power_mode: str = ""
    """The name of a Jetson's power mode (`nvpmodel`) that the figures are about; empty elsewhere."""
    emulation_cpu: str = ""
    """QEMU's name for the core; empty where the device cannot be emulated."""
    projection: Projection = field(default_factory=Projection)
    sources: tuple[str, ...] = ()
    path: str = ""
    """The file it was read from; empty for `this-machine`."""

    @property
    def is_this_machine(self) -> bool:
        """Whether this is the profile that is generated for the machine edgecheck runs on."""
        return self.id == THIS_MACHINE


def holding(requirements: Iterable[str], python: str) -> tuple[str, ...]:
    """The requirements that hold under a version of Python, such as `3.13.5`, without their markers.

    A profile may name a runtime for each Python: `tflite-runtime==2.14.0; python_version < '3.12'`. Where the version
    is not known, all of them hold.
    """
    version = ".".join(python.split(".")[:2])
    return tuple(text.partition(";")[0].strip() for text in requirements if not version or _holds(text, version))


def _holds(requirement: str, version: str) -> bool:
    if ";" not in requirement:
        return True
    from packaging.requirements import InvalidRequirement, Requirement

    try:
        marker = Requirement(requirement).marker
    except InvalidRequirement:  # of a report that was read: it was checked when it was made
        return True
    return marker is None or marker.evaluate({"python_version": version})
