"""The keys of a budget."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from edgecheck.config.kinds import (
    SECONDS,
    SHARE,
    TEXT,
    TRUTH,
    Either,
    ListOf,
    MappingOf,
    OrNothing,
    TakesError,
    Value,
    list_or,
    mapping_or,
    one_of,
    text_like,
    whole_number,
)
from edgecheck.config.limit_model import DeviceLimits, Limits, Regressions
from edgecheck.config.problems import did_you_mean, nearest
from edgecheck.config.schema import Kind, Section, key
from edgecheck.config.tree import ListNode, MappingNode, Node, text_of
from edgecheck.core.accelerator import CPU, DELEGATE, PROVIDERS, TAKES, accelerator
from edgecheck.core.budget import Effort
from edgecheck.core.units import shown

if TYPE_CHECKING:
    from edgecheck.config.schema import Definitions

_NAME = one_of("as-is", "float32", "float16", "int8-dynamic", "int8-weights", "int8")
_TRUSTED = text_like(r"sha256:[0-9a-f]{64}", "sha256: and 64 hexadecimal digits, which `sha256sum FILE` prints")
_ABOUT_TRUSTED = "The sha256 of a file that may execute code when it is loaded; any other file is refused."


class ModelKeys(Section):
    """A network that code builds, and its weights."""

    factory: str = key(
        text_like(r"[A-Za-z_][\w.]*:[A-Za-z_]\w*", "package.module:function, such as nets.face:build"),
        "The function that builds the network.",
        "package.module:build",
    )
    weights: str = key(TEXT, "The file of its weights, relative to the budget.", "net.pth")
    trusted: str = key(_TRUSTED, _ABOUT_TRUSTED, "sha256:…", default="")


class VariantKeys(Section):
    """A variant with its weights pruned."""

    variant: str = key(_NAME, "How the model is converted.", "int8")
    prune: float = key(SHARE, "Share of the weights set to zero, the smallest first.", 0.5, default=0.0)


def most_time(seconds: Mapping[str, float | None]) -> float:
    """`max_time` where it is not given: enough for `min_time`, and for a limit that is not decided by then."""
    return max(Effort().max_time, 2 * (seconds["min_time"] or 0.0))


def _read_provider(raw: object) -> str:
    if not isinstance(raw, str):
        raise TakesError(TAKES)
    if raw not in (CPU, *PROVIDERS) and not re.fullmatch(DELEGATE, raw):
        raise ValueError(f"found {shown(raw)}{did_you_mean(raw, (CPU, *PROVIDERS)) or f'; expected {TAKES}'}")
    return raw


_PROVIDER = Value(_read_provider, {"type": "string", "pattern": f"^(?:{'|'.join((CPU, *PROVIDERS))}|{DELEGATE})$"})
_PRECISIONS = tuple(dict.fromkeys(each for provider in PROVIDERS.values() for each in provider.precisions))


class AcceleratorChoiceKeys(Section):
    """What the model runs on besides the CPU, and in which precision."""

    also: ClassVar[dict[str, Any]] = {
        "allOf": [
            {
                "if": {"properties": {"provider": {"const": name}}, "required": ["provider"]},
                "then": {
                    "properties": {"precision": {"enum": list(provider.precisions)} if provider.precisions else False}
                },
            }
            for name, provider in PROVIDERS.items()
        ]
        + [
            {
                "if": {"properties": {"provider": {"not": {"enum": list(PROVIDERS)}}}, "required": ["provider"]},
                "then": {"properties": {"precision": False}},
            }
        ]
    }

    provider: str = key(_PROVIDER, f"What runs the model: {TAKES}.", "tensorrt")
    precision: str = key(
        one_of(*_PRECISIONS),
        "What it computes in, where the provider can choose; by default it decides.",
        "fp16",
        default="",
    )

    def problem(self) -> str:
        """That the provider has no such precision."""
        try:
            accelerator(self.provider, self.precision)
        except ValueError as error:
            return str(error)
        return ""


class MeasureKeys(Section):
    """How long a latency is measured."""

    warmup_count: int = key(
        whole_number(0, 1_000_000), "Least number of inferences before measuring; by default 1.", 1, default=1
    )
    warmup_time: float = key(SECONDS, "Least time before measuring; by default 500 ms.", "500 ms", default=0.5)
    min_count: int = key(
        whole_number(1, 1_000_000), "Least number of inferences to measure; by default 50.", 50, default=50
    )
    min_time: float | None = key(
        SECONDS,
        "Time measured before a limit may pass; by default 9.5 s, or max_time if less.",
        "10 s",
        default=None,
    )
    max_time: float | None = key(
        SECONDS,
        "Time after which an undecided limit is unknown; by default 30 s, or twice min_time if more.",
        "30 s",
        default=None,
        at_least="min_time",
        follows=most_time,
    )
    deadline: float | None = key(
        SECONDS,
        "Time for all processes of one check; by default 10 min, or 4 times max_time if more.",
        "10 min",
        default=None,
        at_least="max_time",
    )
    sustained: float | None = key(
        SECONDS,
        "Run without a pause for this long, report clock, temperature and throttling over time, and judge latencies by "
        "the last minute.",
        "5 min",
        default=None,
    )
    cooling_time: float = key(
        SECONDS,
        "How long a phone that is hot is waited for; after it, limits in seconds are unknown. By default 5 min.",
        "5 min",
        default=300.0,
    )


_AUTO = one_of("auto")
_SEVERAL = ListOf(mapping_or(_NAME, VariantKeys))


def _variants(node: Node) -> Kind:
    return _AUTO if nearest(text_of(node), ["auto"]) else _SEVERAL


_MODELS = ListOf(TEXT)


def _model(node: Node) -> Kind:
    if isinstance(node, ListNode):
        return _MODELS
    return ModelKeys if isinstance(node, MappingNode) else TEXT


class BudgetKeys(Section):
    """A model or several, the variants, and the devices that each must fit, with the limits there."""

    title: ClassVar[str] = "edgecheck budget"

    model: str | list[str] | ModelKeys = key(
        Either((TEXT, _MODELS, ModelKeys), _model),
        "The model file or folder, relative to the budget; a list or a pattern of them; or factory and weights.",
        "net.tflite",
    )
    trusted: str = key(_TRUSTED, _ABOUT_TRUSTED, "sha256:…", default="")
    format: str = key(
        one_of("tflite", "onnx"), "What to ship; by default what the device's runtimes can run.", "tflite", default=""
    )
    signature: str = key(
        TEXT,
        "Which signature of the model to run, where a .tflite or SavedModel has several; by default the first of a "
        ".tflite, and serving_default of a SavedModel.",
        "encode",
        default="",
    )
    samples: str = key(
        TEXT,
        "Real inputs (.npz), relative to the budget: an array per model input, its first axis the sample.",
        "../samples/faces.npz",
        default="",
    )
    inputs: dict[str, list[int]] = key(
        MappingOf(TEXT, ListOf(whole_number(1, 2**31 - 1))),
        "Shapes of inputs that have open dimensions.",
        {"image": [1, 128, 128, 3]},
        default={},
    )
    variants: Literal["auto"] | list[str | VariantKeys] | None = key(
        OrNothing(Either((_AUTO, _SEVERAL), _variants)),
        "How to convert the model; by default as-is for .tflite and .onnx, else float32; auto: least lossy first.",
        ["float32", "int8"],
        default=None,
    )
    threads: int = key(whole_number(1, 1024), "Threads of the runtime.", 1, default=1)
    accelerator: str | AcceleratorChoiceKeys = key(
        mapping_or(_PROVIDER, AcceleratorChoiceKeys),
        "What the model runs on instead of the CPU; that it does not is a failure. By default cpu.",
        {"provider": "tensorrt", "precision": "fp16"},
        default=CPU,
    )
    cluster: str = key(
        one_of("big", "middle", "little", "any"),
        "Of a device with several kinds of cores, those to run on; by default the big ones of a phone, else any.",
        "big",
        default="",
    )
    bundle: str = key(
        one_of("system", "profile"),
        "Which runtime runs the model: the device's, or the one that its profile pins; by default the target decides.",
        "profile",
        default="",
    )
    measure: MeasureKeys = key(
        MeasureKeys,
        "How long latencies are measured.",
        {"max_time": "30 s"},
        default=MeasureKeys(),
    )
    limits: Section | None = key(
        OrNothing(Limits), "Limits for every device.", {"size": "1 MB", "ram_peak": "80 MiB"}, default=None
    )
    regression: Section | None = key(
        OrNothing(Regressions),
        "How much each metric may grow from the baseline that --baseline names.",
        {"size": "1%", "latency_p50": {"growth": "10%", "atleast": "2 ms"}},
        default=None,
    )
    devices: list[str] | dict[str, Section | None] = key(
        list_or(MappingOf(TEXT, OrNothing(DeviceLimits)), ListOf(TEXT)),
        "The devices, each with its own limits or none; these override `limits:`.",
        {"raspberry-pi-4-2gb": {"latency_p50": "50 ms"}},
    )
    extends: str = key(
        TEXT,
        "Another budget, relative to this one: what it has holds here too, unless it is here.",
        "../shared/limits.yaml",
        default="",
    )
    shared: bool = key(TRUTH, "`true`: this file is only for others to extend, and not checked itself.", default=False)

    @classmethod
    def described(cls, definitions: Definitions) -> dict[str, Any]:
        """See `Section.described`; the required keys may be in the file that this one extends."""
        schema = super().described(definitions)
        elsewhere = [
            {"required": ["extends"]},
            {"required": ["shared"], "properties": {"shared": {"const": True}}},
        ]
        return {**schema, "anyOf": [{"required": schema.pop("required")}, *elsewhere]}
