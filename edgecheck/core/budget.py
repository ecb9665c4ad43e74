"""A budget: a model, its variants, and the devices with the limits on each."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import PurePath

from edgecheck.core.accelerator import Accelerator
from edgecheck.core.device import DeviceProfile
from edgecheck.core.limits import Growths, Limit


@dataclass(frozen=True, slots=True)
class Model:
    """The user's model."""

    path: PurePath
    """The model file or folder; with a `factory`, its weights."""
    factory: str = ""
    """`package.module:function` that builds the network; empty where the file holds it."""
    trusted: str = ""
    """`sha256:…` of a file whose code may run; empty: none."""
    signature: str = ""
    """Which of several signatures of a `.tflite` or SavedModel runs; empty: the first, or the one that serves."""


@dataclass(frozen=True, slots=True)
class Variant:
    """How the model is to be converted."""

    name: str
    """`as-is`, `float32`, `float16`, `int8-dynamic`, `int8-weights` or `int8`."""
    prune: float = 0.0
    """Share of the weights set to zero, the smallest first; 0: none."""

    def __str__(self) -> str:
        return f"{self.name} pruned {self.prune:.0%}" if self.prune else self.name


@dataclass(frozen=True, slots=True, kw_only=True)
class Effort:
    """How long a latency is measured; seconds and counts of inferences."""

    warmup_count: int = 1
    warmup_time: float = 0.5
    min_count: int = 50
    min_time: float | None = None
    """None: as long as the limits need (`looks.LEAST_TIME`)."""
    max_time: float = 30.0
    """A limit that is not decided by then is unknown."""
    deadline: float = 600.0
    """For all processes of one check together."""
    pin: bool = False
    """Whether to hold the device's clock and cores meanwhile."""
    sustained: float = 0.0
    """How long to run without a pause, to judge the last minute of that; 0: until the limits are decided."""
    cooling_time: float = 300.0
    """How long a phone that is hot is waited for."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Budget:
    """One model, its variants, and the devices that it must fit, with the limits on each."""

    name: str
    path: str
    """The file it was read from; empty for a budget made from the command line."""
    model: Model
    variants: tuple[Variant, ...]
    """Empty: `auto`, the least lossy that fits."""
    format: str
    """The artifact's format; empty: one that the profile's runtimes can run."""
    samples: PurePath | None
    inputs: Mapping[str, tuple[int, ...]]
    """Shapes for the inputs that leave a dimension open."""
    threads: int
    effort: Effort
    devices: tuple[tuple[DeviceProfile, tuple[Limit, ...]], ...]
    """Each device with the limits that apply there: the profile's, overridden by the budget's."""
    regression: Growths = field(default_factory=Growths)
    """How much each metric may grow from a baseline."""
    bundle: str = ""
    """`system`: the runtime on the device; `profile`: the one that its profile pins; empty: the target's default."""
    cluster: str = ""
    """Of a device with several kinds of cores, those to run on (`big`, `middle`, `little`, `any`); empty: the big ones
    of a phone, elsewhere any."""
    accelerator: Accelerator | None = None
    """What the model is to run on; None: the CPU."""
    runtime: str = ""
    """The runtime to use, such as `ai-edge-litert==2.3.0` or a name alone; empty: the first that works."""
