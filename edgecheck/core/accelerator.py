"""What runs a model besides the CPU: the accelerators that a budget may ask for, and what each of them takes."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType


@dataclass(frozen=True, slots=True, kw_only=True)
class Provider:
    """One way to have a model run elsewhere than on the CPU. Its module of the agent has the rest."""

    title: str
    formats: tuple[str, ...]
    """Of the artifacts that it runs."""
    precisions: tuple[str, ...] = ()
    """What it can compute in, if that can be chosen; empty: it decides by the model."""
    caches: bool = False
    """Whether it can keep what it compiles, so that later starts are quicker."""


#: By the name in a budget. Precisions are those that the runtime documents an option for; the agent's modules cite it.
PROVIDERS: Mapping[str, Provider] = MappingProxyType(
    {
        "cuda": Provider(title="an NVIDIA GPU", formats=("onnx",), precisions=("fp32", "tf32")),
        "tensorrt": Provider(
            title="an NVIDIA GPU with TensorRT",
            formats=("onnx",),
            precisions=("fp32", "fp16", "bf16", "int8"),
            caches=True,
        ),
        "openvino": Provider(
            title="OpenVINO, on an Intel CPU, GPU or NPU",
            formats=("onnx",),
            precisions=("fp32", "fp16", "accuracy"),
            caches=True,
        ),
        "nnapi": Provider(title="Android's NNAPI", formats=("onnx",)),
        "xnnpack": Provider(title="XNNPACK, on the CPU", formats=("tflite",)),
        "gpu": Provider(title="a GPU, by LiteRT", formats=("tflite",), precisions=("fp32", "fp16")),
        "edgetpu": Provider(title="a Coral Edge TPU", formats=("tflite",)),
    }
)

#: The name for no accelerator.
CPU = "cpu"

#: A delegate of TensorFlow Lite on the device: an absolute path, or the name of a library that its linker finds.
DELEGATE = r"/\S+|[\w.+-]+\.so(?:\.\d+)*"

#: What is taken where a provider is named.
TAKES = f"{', '.join((CPU, *PROVIDERS))}, or the absolute path of a delegate's library on the device"

_OF_A_DELEGATE = Provider(title="an external delegate", formats=("tflite",))


@dataclass(frozen=True, slots=True)
class Accelerator:
    """What a model is to run on, and in which precision."""

    provider: str
    """A name of `PROVIDERS`, or what `DELEGATE` matches."""
    precision: str = ""
    """Empty: the provider's own choice."""

    def __str__(self) -> str:
        return f"{self.provider} {self.precision}" if self.precision else self.provider

    @property
    def kind(self) -> Provider:
        """Its row of the table of providers."""
        return PROVIDERS.get(self.provider, _OF_A_DELEGATE)

    @property
    def typed(self) -> str:
        """As `--accelerator` takes it."""
        return f"{self.provider}:{self.precision}" if self.precision else self.provider


def accelerator(provider: str, precision: str = "") -> Accelerator | None:
    """The accelerator of that name; None for the CPU.

    Raises:
        ValueError: there is none, or it has no such precision; the message says what there is.
    """
    if provider == CPU:
        if precision:
            raise ValueError(f"{CPU} takes no precision: the model's own types decide")
        return None
    if provider not in PROVIDERS and not re.fullmatch(DELEGATE, provider):
        raise ValueError(f"there is no accelerator {provider!r}; expected {TAKES}")
    found = Accelerator(provider, precision)
    if precision and precision not in found.kind.precisions:
        known = ", ".join(found.kind.precisions)
        raise ValueError(
            f"{provider} has no precision {precision!r}; choose from {known}"
            if known
            else f"{provider} takes no precision: the model's own types decide"
        )
    return found


def from_text(text: str) -> Accelerator | None:
    """The accelerator that `openvino` or `tensorrt:fp16` names; None for `cpu`, and for no text.

    Raises:
        ValueError: as `accelerator`.
    """
    if not text:
        return None
    provider, colon, precision = text.rpartition(":")
    return accelerator(provider, precision) if colon else accelerator(text)
