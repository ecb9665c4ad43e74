"""Which operators of a compiled `.tflite` the Edge TPU runs, by the file alone and by the model it was compiled from.

The Edge TPU compiler puts one custom operator, `edgetpu-custom-op`, in place of those that it takes, up to the first
that it cannot take; from there on they stay as they were, for the CPU (https://coral.ai/docs/edgetpu/compiler/). How
many it took is not in the file: what it holds is an executable for the TPU. So the share is known without anything else
only if nothing is left for the CPU; otherwise it takes the model before compiling.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from edgecheck.anatomy.tflite.tables import EDGE_TPU
from edgecheck.anatomy.values import Anatomy

#: What the compiler adds to the name of a model: `mobilenet.tflite` becomes `mobilenet_edgetpu.tflite`.
SUFFIX = "_edgetpu"


@dataclass(frozen=True, slots=True, kw_only=True)
class Placement:
    """Where the operators of a compiled model run. Static: read from files."""

    parts: int
    """Custom operators for the TPU."""
    on_cpu: Mapping[str, int]
    """How many of each type are left for the CPU."""
    on_tpu: Mapping[str, int] | None = None
    """How many of each type it took; None where the model before compiling is not known."""
    source: str = ""
    """The path of that model; empty without one."""
    doubt: str = ""
    """Why that model cannot be the one; empty where it can."""

    @property
    def share(self) -> float | None:
        """The share of the operators that run on the TPU; None where it is not known."""
        if not self.on_cpu:
            return 1.0
        if self.on_tpu is None:
            return None
        taken = sum(self.on_tpu.values())
        return taken / (taken + sum(self.on_cpu.values()))


def is_compiled(anatomy: Anatomy) -> bool:
    """Whether the Edge TPU compiler has made this model."""
    return EDGE_TPU in anatomy.operators


def placement(compiled: Anatomy, source: Anatomy | None = None) -> Placement | None:
    """Where the operators of `compiled` run; None where it was not compiled for an Edge TPU.

    Args:
        compiled: The model with custom operators for the TPU.
        source: The model that it may have been compiled from.
    """
    if not is_compiled(compiled):
        return None
    on_cpu = {name: count for name, count in sorted(compiled.operators.items()) if name != EDGE_TPU}
    parts = compiled.operators[EDGE_TPU]
    if source is None or is_compiled(source):
        return Placement(parts=parts, on_cpu=on_cpu)
    left = {name: source.operators.get(name, 0) - count for name, count in on_cpu.items()}
    if lacking := [name for name, rest in left.items() if rest < 0]:
        doubt = f"it has fewer {', '.join(lacking)} than are left on the CPU"
        return Placement(parts=parts, on_cpu=on_cpu, source=source.path, doubt=doubt)
    on_tpu = {name: left.get(name, count) for name, count in sorted(source.operators.items())}
    taken = {name: count for name, count in on_tpu.items() if count}
    if not taken:
        return Placement(parts=parts, on_cpu=on_cpu, source=source.path, doubt="it has no operator beyond those left")
    return Placement(parts=parts, on_cpu=on_cpu, on_tpu=taken, source=source.path)
