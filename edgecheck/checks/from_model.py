"""A budget for a model that is given without one: what the options of `check`, `fit` and `budget init` say."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import MappingProxyType

from edgecheck.anatomy.formats import identify
from edgecheck.config import shapes_from_texts
from edgecheck.converters.interface import AS_IS, READY
from edgecheck.core.accelerator import Accelerator, from_text
from edgecheck.core.budget import Budget, Effort, Model, Variant
from edgecheck.core.device import DeviceProfile
from edgecheck.core.limits import Limit
from edgecheck.errors import UsageError

#: By option, where a budget has it.
IN_A_BUDGET: Mapping[str, str] = MappingProxyType(
    {
        "--input": "Write `inputs:` into the budget file.",
        "--samples": "Write `samples:` into the budget file.",
        "--signature": "Write `signature:` into the budget file.",
        "--factory": "Write `model: {factory: …, weights: …}` into the budget file.",
        "--accelerator": "Write `accelerator:` into the budget file.",
        "--runtime": "Write it under `runtimes:` in the device's profile.",
        "--bundle": "Write `bundle:` into the budget file.",
        "--threads": "Write `threads:` into the budget file.",
    }
)

#: The formats that a runtime runs, as `edgecheck_agent/runtimes.py` tries them.
FORMATS = {
    "onnxruntime": "onnx",
    "ai-edge-litert": "tflite",
    "tflite-runtime": "tflite",
    "onnxruntime-gpu": "onnx",
    "onnxruntime-openvino": "onnx",
}
_RUNTIME = re.compile(r"([A-Za-z][\w.-]*?)\s*([=<>~!].*)?")


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelSettings:
    """What budgets say in YAML, for a model without one; empty: the default."""

    inputs: tuple[str, ...] = ()
    """`NAME=1,224,224,3`."""
    samples: Path | None = None
    signature: str = ""
    """Which of the model's signatures to run; empty: the default one."""
    factory: str = ""
    """`package.module:function`."""
    accelerator: str = ""
    """`openvino`, or `tensorrt:fp16`; empty: the CPU."""
    runtime: str = ""
    """A name, or a requirement such as `ai-edge-litert==2.3.0`."""
    bundle: str = ""
    """`system` or `profile`."""
    threads: int = 1
    effort: Effort = field(default_factory=Effort)

    def named(self) -> str:
        """An option that was given; empty if none was."""
        given = {
            "--input": self.inputs,
            "--samples": self.samples,
            "--signature": self.signature,
            "--factory": self.factory,
            "--accelerator": self.accelerator,
            "--runtime": self.runtime,
            "--bundle": self.bundle,
            "--threads": self.threads != 1,
        }
        return next((option for option, value in given.items() if value), "")

    def budget(
        self, path: Path, *, variants: tuple[Variant, ...], devices: tuple[tuple[DeviceProfile, tuple[Limit, ...]], ...]
    ) -> Budget:
        """The budget for the model at `path`.

        Raises:
            UsageError: an option's value is not one that it takes.
        """
        return Budget(
            name=path.name,
            path="",
            model=Model(path, self.factory, signature=self.signature),
            variants=variants,
            format="",
            samples=self.samples,
            inputs=shapes_from_texts(self.inputs),
            threads=self.threads,
            effort=self.effort,
            devices=devices,
            bundle=self._bundle,
            accelerator=self._accelerator,
            runtime=self.runtime,
        )

    @property
    def _accelerator(self) -> Accelerator | None:
        try:
            return from_text(self.accelerator)
        except ValueError as error:
            raise UsageError(f"--accelerator {self.accelerator}: {error}.") from error

    @property
    def _bundle(self) -> str:
        """A version that is asked for is brought along, and so is a package with an accelerator.

        A name alone may be what the device has.
        """
        is_pinned = bool(self.runtime) and self._requirement[1] != ""
        if is_pinned and self.bundle == "system":
            raise UsageError(
                f"--runtime {self.runtime} names a version, and --bundle system takes what the device has.",
                "Leave one of them out.",
            )
        has_accelerator = bool(self.runtime) and self._requirement[0].startswith("onnxruntime-")
        return "profile" if is_pinned or (has_accelerator and not self.bundle) else self.bundle

    @property
    def _requirement(self) -> tuple[str, str]:
        """The runtime's name and version."""
        match = _RUNTIME.fullmatch(self.runtime)
        name = match[1].lower().replace("_", "-") if match else ""
        if match is None or name not in FORMATS:
            known = ", ".join(FORMATS)
            raise UsageError(
                f"--runtime {self.runtime}: edgecheck runs models with {known}.", "Name one: --runtime ai-edge-litert"
            )
        return name, match[2] or ""

    def on(self, profile: DeviceProfile) -> DeviceProfile:
        """The profile, with the runtime that was asked for instead of the one that it names.

        Raises:
            UsageError: no such runtime is known.
        """
        if not self.runtime:
            return profile
        name, version = self._requirement
        return replace(profile, runtimes={**profile.runtimes, FORMATS[name]: (f"{name}{version}",)})


def usual_variant(path: Path) -> str:
    """A file that a device can open stays as it is; any other model is converted without loss."""
    return AS_IS if identify(path).value in READY else "float32"
