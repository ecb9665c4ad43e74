"""A device profile's keys: what each takes, and what it means."""

from typing import Annotated, ClassVar

from pydantic import ConfigDict

from edgecheck.config.fields import Bytes, FileKeys, Hertz, Number, Section, Text, Truth, key, text_like, whole
from edgecheck.config.fields import one_of as word
from edgecheck.config.limit_model import Limits

_Requirement = Annotated[
    str,
    text_like(
        r"[A-Za-z0-9][A-Za-z0-9._-]*(\[[A-Za-z0-9._, -]+\])?( *(==|!=|<=|>=|<|>|~=) *[A-Za-z0-9.*+!_-]+ *,?)*",
        'a requirement as pip takes it, such as "numpy<2"',
    ),
]


class IdentityKeys(Section):
    """How an instance of the device is recognised."""

    model: Text = key("What the board's own name (/proc/device-tree/model) starts with.", "Raspberry Pi 5", default="")
    cpu_part: Annotated[str, text_like(r"0x[0-9a-f]{3}", 'a CPU part in quotes, such as "0xd08"')] = key(
        "The `CPU part` of /proc/cpuinfo, in quotes.", "0xd08", default=""
    )


class CpuKeys(Section):
    """The core that runs a single-thread inference, and how many cores there are in all."""

    core: Text = key("The fastest core's name.", "cortex-a72")
    count: Annotated[int, whole(1, 1024)] = key("Cores in all.", 4)
    clock: Hertz = key("The core's highest clock, without overclocking.", "1.8 GHz")
    features: list[Text] = key(
        "What the core can do beyond Armv8.0, as /proc/cpuinfo lists it.", ["asimd", "crc32"], default=[]
    )


class CapacityKeys(Section):
    """Bytes in all, and what of them the system keeps."""

    total: Bytes = key("All of it.", "2 GiB")
    reserved: Bytes = key("What the system and its services hold.", "180 MiB", default=0.0)


class RuntimesKeys(Section):
    """Requirements to install on the device, by artifact format."""

    tflite: list[_Requirement] = key("For .tflite files.", ["tflite-runtime==2.14.0", "numpy<2"], default=[])
    onnx: list[_Requirement] = key("For .onnx files.", ["onnxruntime==1.32.0"], default=[])


class EmulationKeys(Section):
    """How the device is emulated."""

    cpu: Annotated[str, text_like(r"[a-z0-9][A-Za-z0-9_.,=-]*", "a core as QEMU takes it, such as cortex-a72")] = key(
        "The core of the emulated machine, as QEMU calls it: the one that the projection's constants were counted on.",
        "cortex-a72",
    )


class ConstantKeys(Section):
    """What turns counted instructions into latency."""

    ns_per_instruction: Number = key("Nanoseconds per instruction, for one thread.", 0.80)
    spread: Number = key("Standard deviation of its logarithm over the networks that it was measured on.", 0.14)
    runtime: Text = key("The runtime that it was measured with.", "ncnn")


class ScalingKeys(Section):
    """How much faster several threads are than one."""

    factor: Number = key("How many times as fast.", 2.4)
    spread: Number = key("Standard deviation of its logarithm over the networks that it was measured on.", 0.24)


class ProjectionKeys(Section):
    """Constants by the kind of weights; without them no latency is projected."""

    float: ConstantKeys | None = key("For float32 and float16 weights.", {"ns_per_instruction": 0.8}, default=None)
    int8: ConstantKeys | None = key("For int8 weights.", {"ns_per_instruction": 0.66}, default=None)
    thread_scaling: dict[Annotated[str, text_like(r"[1-9]\d?", "a number of threads")], ScalingKeys] = key(
        "By number of threads: used where a budget asks for them.", {"4": {"factor": 2.4, "spread": 0.24}}, default={}
    )
    derived_from: Text = key("The device whose constants these are, and how they were scaled.", "a device", default="")


class ProfileKeys(FileKeys):
    """What a device has, what it allows, and how it is emulated and projected."""

    model_config: ClassVar[ConfigDict] = ConfigDict(title="edgecheck device profile")

    extends: Text = key("Another profile whose keys hold where this one has none.", "raspberry-pi-4", default="")
    family: Truth = key("Whether this is no device but what several share; it may be incomplete.", True, default=False)  # noqa: FBT003 - the example is a value, not a flag
    name: Text = key("The device's name for people.", "Raspberry Pi 4 Model B (2 GB)")
    kind: Annotated[str, word("single-board-computer", "jetson", "phone", "computer")] = key(
        "What kind of device it is.", "single-board-computer", alias="class"
    )
    soc: Text = key("The chip.", "Broadcom BCM2711")
    identity: IdentityKeys = key("How it is recognised.", {"cpu_part": "0xd08"}, default=IdentityKeys())
    cpu: CpuKeys = key("Its core.", {"core": "cortex-a72", "count": 4, "clock": "1.8 GHz"})
    ram: CapacityKeys = key("Its RAM.", {"total": "2 GiB", "reserved": "180 MiB"})
    storage: CapacityKeys = key("Its storage.", {"total": "16 GB", "reserved": "4 GB"})
    limits: Limits = key(  # type: ignore[valid-type] # made from the table of metrics
        "What it allows; a budget overrides it.",
        {"ram_peak": "512 MiB", "footprint": "500 MB", "latency_p50": "100 ms"},
    )
    python: Annotated[str, text_like(r"3\.[0-9]{1,2}", 'a version of Python in quotes, such as "3.11"')] = key(
        "The Python that runs there, in quotes.", "3.11"
    )
    runtimes: RuntimesKeys = key("What runs the model there.", {"onnx": ["onnxruntime==1.32.0"]})
    emulation: EmulationKeys | None = key(
        "How it is emulated; absent: not at all.", {"cpu": "cortex-a72"}, default=None
    )
    projection: ProjectionKeys = key(
        "What turns counted instructions into its latency.", {"float": {}}, default=ProjectionKeys()
    )
    sources: list[Text] = key("Where the facts are from.", ["the board's data sheet"], default=[])
