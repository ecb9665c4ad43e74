"""A budget's keys: what each takes, and what it means."""

from typing import Annotated, ClassVar

from pydantic import ConfigDict, Discriminator, Tag, ValidationInfo, field_validator

from edgecheck.config.fields import FileKeys, Seconds, Section, Share, Text, key, one_of, quantity, text_like, whole
from edgecheck.config.limit_model import Limits
from edgecheck.config.problems import nearest
from edgecheck.config.regression_model import Regressions
from edgecheck.core.units import Unit, show

_Trusted = Annotated[
    str, text_like(r"sha256:[0-9a-f]{64}", "sha256: and 64 hexadecimal digits, which `sha256sum FILE` prints")
]
_Name = Annotated[str, one_of("as-is", "float32", "float16", "int8-dynamic", "int8-weights", "int8")]
_Size = Annotated[int, whole(1, 2**31 - 1)]
_Count = Annotated[int, whole(0, 1_000_000)]
_MaybeSeconds = Annotated[float | None, quantity(Unit.SECONDS)]
_TRUSTED = "The sha256 of a file that may run code when it is loaded; others are refused."


class ModelKeys(Section):
    """A network that code builds, and its weights."""

    factory: Annotated[
        str, text_like(r"[A-Za-z_][\w.]*:[A-Za-z_]\w*", "package.module:function, such as nets.face:build")
    ] = key("The function that builds the network.", "package.module:build")
    weights: Text = key("The file of its weights, relative to the budget.", "net.pth")
    trusted: _Trusted = key(_TRUSTED, "sha256:…", default="")


class VariantKeys(Section):
    """A variant with its weights pruned."""

    variant: _Name = key("How the model is converted.", "int8")
    prune: Share = key("Share of the weights set to zero, the smallest first.", 0.5, default=0.0)


class MeasureKeys(Section):
    """How long a latency is measured."""

    warmup_count: _Count = key("Inferences before measuring, at least; by default 1.", 1, default=1)
    warmup_time: Seconds = key("Time before measuring, at least; by default 500 ms.", "500 ms", default=0.5)
    min_count: Annotated[int, whole(1, 1_000_000)] = key(
        "Inferences measured, at least; by default 50.", 50, default=50
    )
    min_time: _MaybeSeconds = key("Time measured, at least; by default 1 s, or max_time if less.", "1 s", default=None)
    max_time: Seconds = key(
        "Time after which a limit that is not decided is unknown; by default 30 s.", "30 s", default=30.0
    )
    deadline: _MaybeSeconds = key(
        "For all processes of one check; by default 10 min, or 4 times max_time if more.", "10 min", default=None
    )

    @field_validator("max_time")
    @classmethod
    def _is_after_min_time(cls, value: float, others: ValidationInfo) -> float:
        min_time = others.data.get("min_time")
        if min_time is not None and min_time > value:
            raise ValueError(f"is shorter than min_time, {show(min_time, Unit.SECONDS)}")
        return value

    @field_validator("deadline")
    @classmethod
    def _is_after_max_time(cls, value: float, others: ValidationInfo) -> float:
        max_time = others.data.get("max_time", 0.0)
        if value < max_time:
            raise ValueError(f"is shorter than max_time, {show(max_time, Unit.SECONDS)}")
        return value


_Model = Annotated[
    Annotated[Text, Tag("<value>")] | Annotated[ModelKeys, Tag("<mapping>")],
    Discriminator(lambda raw: "<mapping>" if isinstance(raw, dict) else "<value>"),
]
_Variant = Annotated[
    Annotated[_Name, Tag("<value>")] | Annotated[VariantKeys, Tag("<mapping>")],
    Discriminator(lambda raw: "<mapping>" if isinstance(raw, dict) else "<value>"),
]
_Variants = Annotated[
    Annotated[Annotated[str, one_of("auto")], Tag("<value>")] | Annotated[list[_Variant], Tag("<list>")],
    Discriminator(
        lambda raw: "<value>" if raw == "auto" or (isinstance(raw, str) and nearest(raw, ["auto"])) else "<list>"
    ),
]
_Devices = Annotated[
    Annotated[list[Text], Tag("<list>")] | Annotated[dict[Text, Limits | None], Tag("<mapping>")],  # type: ignore[valid-type] # made from the table of metrics
    Discriminator(lambda raw: "<list>" if isinstance(raw, list) else "<mapping>"),
]


class BudgetKeys(FileKeys):
    """One model, its variants, and the devices that it must fit with the limits on each."""

    model_config: ClassVar[ConfigDict] = ConfigDict(title="edgecheck budget")

    model: _Model = key("The model file or folder, relative to the budget; or factory and weights.", "net.tflite")
    trusted: _Trusted = key(_TRUSTED, "sha256:…", default="")
    format: Annotated[str, one_of("tflite", "onnx")] = key(
        "What to ship; by default what the device's runtimes can run.", "tflite", default=""
    )
    samples: Text = key(
        "Real inputs (.npz), relative to the budget: an array per model input, its first axis the sample.",
        "../samples/faces.npz",
        default="",
    )
    inputs: dict[Text, list[_Size]] = key(
        "Shapes, for the inputs that leave a dimension open.", {"image": [1, 128, 128, 3]}, default={}
    )
    variants: _Variants | None = key(
        "How to convert the model; by default as-is for .tflite and .onnx, else float32; auto: least lossy first.",
        ["float32", "int8"],
        default=None,
    )
    threads: Annotated[int, whole(1, 1024)] = key("Threads of the runtime.", 1, default=1)
    bundle: Annotated[str, one_of("system", "profile")] = key(
        "What runs the model: what the device has, or what its profile pins; by default as the target does.",
        "profile",
        default="",
    )
    measure: MeasureKeys = key(
        "How long latencies are measured, and what that may take.", {"max_time": "30 s"}, default=MeasureKeys()
    )
    limits: Limits | None = key("For every device below.", {"size": "1 MB", "ram_peak": "80 MiB"}, default=None)  # type: ignore[valid-type] # made from the table of metrics
    regression: Regressions | None = key(  # type: ignore[valid-type] # made from the table of metrics
        "How much each metric may grow from the baseline that --baseline names.",
        {"size": "1%", "latency_p50": {"growth": "10%", "atleast": "2 ms"}},
        default=None,
    )
    devices: _Devices = key(
        "The devices, each with limits of its own or none; they win over `limits:`.",
        {"raspberry-pi-4-2gb": {"latency_p50": "50 ms"}},
    )
