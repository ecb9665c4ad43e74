"""The keys of a device profile."""

from __future__ import annotations

from typing import ClassVar

from edgecheck.config.kinds import (
    BYTES,
    HERTZ,
    NUMBERS,
    TEXT,
    TRUTH,
    ListOf,
    MappingOf,
    OrNothing,
    one_of,
    text_like,
    whole_number,
)
from edgecheck.config.limit_model import Limits
from edgecheck.config.schema import Section, key
from edgecheck.core.device import ACCELERATORS, CLASSES, LIBRARY_SOURCES, PRECISIONS

_REQUIREMENT = text_like(
    r"[A-Za-z0-9][A-Za-z0-9._-]*(\[[A-Za-z0-9._, -]+\])?( *(==|!=|<=|>=|<|>|~=) *[A-Za-z0-9.*+!_-]+ *,?)*"
    r"( *; *python_version *(==|!=|<=|>=|<|>) *('3\.[0-9]{1,2}'|\"3\.[0-9]{1,2}\"))?",
    'a requirement as pip takes it, such as "numpy<2"',
)


class IdentityKeys(Section):
    """How an instance of the device is recognised."""

    model: str = key(TEXT, "How the board's name (/proc/device-tree/model) starts.", "Raspberry Pi 5", default="")
    cpu_part: str = key(
        text_like(r"0x[0-9a-f]{3}", 'a CPU part in quotes, such as "0xd08"'),
        "The `CPU part` of /proc/cpuinfo, in quotes.",
        "0xd08",
        default="",
    )
    machine_id: str = key(
        text_like(r"[0-9a-f]{16}", "16 hexadecimal digits in quotes, which `edgecheck devices probe` writes"),
        "One computer whose board has no name: a hash of its /etc/machine-id.",
        "0123456789abcdef",
        default="",
    )


class CpuKeys(Section):
    """The core that runs an inference with one thread, and the number of cores."""

    core: str = key(TEXT, "The fastest core's name.", "cortex-a72")
    count: int = key(whole_number(1, 1024), "Number of cores.", 4)
    clock: float = key(HERTZ, "The core's highest clock, without overclocking.", "1.8 GHz")
    features: list[str] = key(
        ListOf(TEXT), "What the core can do beyond Armv8.0, as /proc/cpuinfo lists it.", ["asimd", "crc32"], default=[]
    )


class CapacityKeys(Section):
    """Bytes in total, and how many of them the system uses."""

    total: float = key(BYTES, "Total size.", "2 GiB")
    reserved: float = key(BYTES, "What the system and its services use.", "180 MiB", default=0.0)


class AppKeys(Section):
    """What a phone lets one app take."""

    heap: float = key(BYTES, "What its managed heap may grow to (dalvik.vm.heapgrowthlimit).", "256 MiB")
    download: float = key(BYTES, "The compressed download that its store allows an app.", "200 MB", default=0.0)
    low_ram: bool = key(
        TRUTH, "Whether the phone is of Android's low-RAM class (Android Go).", example=True, default=False
    )


class AcceleratorKeys(Section):
    """What a runtime can hand a part of a model to."""

    provider: str = key(one_of(*ACCELERATORS), "What it is, as `accelerator:` in a budget calls it.", "tensorrt")
    library: str = key(
        text_like(r"[A-Za-z0-9._+-]*\.so[0-9.]*", "the file name of a library, such as libnvinfer.so.10"),
        "The library that reaches it.",
        "libnvinfer.so.10",
    )
    source: str = key(one_of(*LIBRARY_SOURCES), "Where the library comes from.", "jetpack")
    package: str = key(TEXT, "The package that has it, as its source calls it.", "libedgetpu1-std", default="")
    precision: list[str] = key(
        ListOf(one_of(*PRECISIONS)), "The types of number that it computes with.", ["fp32", "fp16"]
    )

    def problem(self) -> str:
        """An accelerator that computes nothing is a slip."""
        return "" if self.precision else "`precision` is empty; list at least one, such as [fp16]"


class RuntimesKeys(Section):
    """Requirements to install on the device, by artifact format; `; python_version < '3.12'` limits one to a Python."""

    tflite: list[str] = key(
        ListOf(_REQUIREMENT), "For .tflite files.", ["tflite-runtime==2.14.0", "numpy<2"], default=[]
    )
    onnx: list[str] = key(ListOf(_REQUIREMENT), "For .onnx files.", ["onnxruntime==1.32.0"], default=[])


class EmulationKeys(Section):
    """How the device is emulated."""

    cpu: str = key(
        text_like(r"[a-z0-9][A-Za-z0-9_.,=-]*", "a core as QEMU takes it, such as cortex-a72"),
        "The core of the emulated machine, as QEMU calls it; the projection's constants were counted on it.",
        "cortex-a72",
    )


class ConstantKeys(Section):
    """What turns counted instructions into latency."""

    ns_per_instruction: float = key(NUMBERS, "Nanoseconds per instruction, for one thread.", 0.80)
    spread: float = key(NUMBERS, "Standard deviation of its logarithm over the networks that it was measured on.", 0.14)
    runtime: str = key(TEXT, "The runtime that it was measured with.", "ncnn")


class CostSetKeys(Section):
    """What each counted event costs: one thread's latency is the sum."""

    work: float = key(NUMBERS, "Cycles for each cycle of LLVM's model, or for each instruction that multiplies.", 0.46)
    instruction: float = key(NUMBERS, "Cycles for each instruction that does not multiply.", 0.59)
    l1: float = key(NUMBERS, "Cycles for each miss of the first level of the data cache.", 14.8)
    store: float = key(NUMBERS, "Nanoseconds for each store among them, on top.", 8.1)
    l2: float = key(NUMBERS, "Nanoseconds for each miss of the second level.", 4.1)
    within: float = key(NUMBERS, "Nine of ten networks it was not fitted on are within this factor.", 1.09)


class CostsKeys(Section):
    """What turns counted instructions and cache misses into latency, whatever the runtime and the kind of weights."""

    l2_size: float = key(BYTES, "The second level of cache that one core uses.", "1 MiB")
    runtime: str = key(TEXT, "The runtime that the networks ran with.", "ncnn")
    networks: int = key(whole_number(1, 10000), "The number of networks that it was fitted on.", 34)
    source: str = key(TEXT, "Where their times are from.", "a published table")
    model: str = key(
        text_like(r"[a-z0-9-]*", "a core as LLVM takes it, such as cortex-a57"),
        "LLVM's name of the core, for `modelled`.",
        "cortex-a57",
        default="",
    )
    modelled: CostSetKeys | None = key(
        OrNothing(CostSetKeys), "With the cycles of LLVM's model as the work.", {"work": 0.46}, default=None
    )
    counted: CostSetKeys | None = key(
        OrNothing(CostSetKeys), "With the instructions that multiply as the work.", {"work": 1.1}, default=None
    )
    spread: float = key(
        NUMBERS,
        "Standard deviation of the logarithm of this device's own factor, where it is not known.",
        0.25,
        default=0,
    )


class ScalingKeys(Section):
    """How much faster several threads are than one."""

    factor: float = key(NUMBERS, "How many times as fast.", 2.4)
    spread: float = key(NUMBERS, "Standard deviation of its logarithm over the networks that it was measured on.", 0.24)


class ProjectionKeys(Section):
    """Constants by the kind of weights; without them no latency is projected."""

    float: ConstantKeys | None = key(
        OrNothing(ConstantKeys), "For float32 and float16 weights.", {"ns_per_instruction": 0.8}, default=None
    )
    int8: ConstantKeys | None = key(
        OrNothing(ConstantKeys), "For int8 weights.", {"ns_per_instruction": 0.66}, default=None
    )
    costs: CostsKeys | None = key(
        OrNothing(CostsKeys),
        "What counted instructions and cache misses cost; used instead of the constants where they are counted.",
        {"l2_size": "1 MiB"},
        default=None,
    )
    thread_scaling: dict[str, ScalingKeys] = key(
        MappingOf(text_like(r"[1-9]\d?", "a number of threads"), ScalingKeys),
        "By number of threads, for budgets that set `threads`.",
        {"4": {"factor": 2.4, "spread": 0.24}},
        default={},
    )
    derived_from: str = key(
        TEXT, "The device whose constants these are, and how they were scaled.", "a device", default=""
    )


class ProfileKeys(Section):
    """What a device has, its limits, and how it is emulated and projected."""

    title: ClassVar[str] = "edgecheck device profile"

    extends: str = key(TEXT, "Another profile, whose keys apply where this one has none.", "raspberry-pi-4", default="")
    family: bool = key(
        TRUTH,
        "Whether this is shared by several devices instead of being one; it may be incomplete.",
        example=True,
        default=False,
    )
    name: str = key(TEXT, "The device's name for people.", "Raspberry Pi 4 Model B (2 GB)")
    kind: str = key(
        one_of(*CLASSES),
        "What kind of device it is.",
        "single-board-computer",
        name="class",
    )
    soc: str = key(TEXT, "The chip.", "Broadcom BCM2711")
    identity: IdentityKeys = key(IdentityKeys, "How it is recognised.", {"cpu_part": "0xd08"}, default=IdentityKeys())
    cpu: CpuKeys = key(CpuKeys, "Its core.", {"core": "cortex-a72", "count": 4, "clock": "1.8 GHz"})
    ram: CapacityKeys = key(CapacityKeys, "Its RAM.", {"total": "2 GiB", "reserved": "180 MiB"})
    storage: CapacityKeys = key(CapacityKeys, "Its storage.", {"total": "16 GB", "reserved": "4 GB"})
    app: AppKeys | None = key(OrNothing(AppKeys), "What a phone lets one app take.", {"heap": "256 MiB"}, default=None)
    accelerators: list[AcceleratorKeys] = key(
        ListOf(AcceleratorKeys),
        "Its accelerators.",
        [{"provider": "cuda", "library": "libcudart.so.12", "source": "jetpack", "precision": ["fp32", "fp16"]}],
        default=[],
    )
    power_mode: str = key(
        text_like(r"[A-Za-z0-9_.-]+", 'the name of a power mode in quotes, such as MAXN or "15W"'),
        "A Jetson's power mode, by the name that `nvpmodel -q` prints; another one is a caveat.",
        "MAXN",
        default="",
    )
    limits: Section = key(
        Limits,
        "Its limits; a budget overrides them.",
        {"ram_peak": "512 MiB", "footprint": "500 MB", "latency_p50": "100 ms"},
    )
    python: str = key(
        text_like(r"3\.[0-9]{1,2}", 'a version of Python in quotes, such as "3.11"'),
        "Its version of Python, in quotes.",
        "3.11",
    )
    runtimes: RuntimesKeys = key(RuntimesKeys, "Its runtimes.", {"onnx": ["onnxruntime==1.32.0"]})
    emulation: EmulationKeys | None = key(
        OrNothing(EmulationKeys), "How it is emulated; without it, it cannot be.", {"cpu": "cortex-a72"}, default=None
    )
    projection: ProjectionKeys = key(
        ProjectionKeys, "What turns counted instructions into its latency.", {"float": {}}, default=ProjectionKeys()
    )
    sources: list[str] = key(ListOf(TEXT), "Sources of these facts.", ["the board's data sheet"], default=[])
