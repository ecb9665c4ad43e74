"""What a conversion is asked for and what it answers; every route is one function in a module of its own.

A route's function is `convert(request: Request, folder: Path) -> Made`; its module is imported in a child process only.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

#: The variant of a ready file that nothing is done to.
AS_IS = "as-is"

#: What a model can be converted to, from the least lossy on.
VARIANTS = ("float32", "float16", "int8-weights", "int8-dynamic", "int8")

#: Formats that a device's runtime opens as they are.
READY = ("tflite", "onnx")

#: What to do where a converter fails.
ELSEWHERE = "Try another variant or another format."

#: `Request.trusted` when the command line says `--trust`.
TRUST_ALL = "all"


@dataclass(frozen=True, slots=True)
class Request:
    """One conversion."""

    model: Path
    """The file or folder; with a `factory`, the weights."""
    source: str
    """The source's format, by its bytes."""
    format: str
    """The artifact's format: `tflite` or `onnx`."""
    variant: str
    prune: float = 0.0
    """Share of each weight tensor set to zero, the smallest magnitudes first; 0 is none."""
    samples: Path | None = None
    """An .npz: one array per input of the source model, first axis the sample, in the source's layout."""
    inputs: Mapping[str, tuple[int, ...]] = field(default_factory=dict)
    """Shapes, batch included, for the inputs that leave a dimension open."""
    factory: str = ""
    """`package.module:function` that builds the network whose weights `model` holds."""
    home: Path = field(default_factory=Path)
    """Where the factory's package is looked for before Python's own path: the budget's folder."""
    trusted: str = ""
    """Whose code may run: `sha256:…` of it, `TRUST_ALL`, or empty for nobody's."""
    ordered: bool = False
    """Whether edgecheck wrote the `samples`, one array per input in the source's order: then place tells what a
    converter has renamed. Names that a person gave have to be the model's."""
    name: str = ""
    """What a person knows the model as, where `model` is a file between two steps."""

    @property
    def title(self) -> str:
        """The model's name for a person."""
        return self.name or self.model.name


@dataclass(frozen=True, slots=True)
class Made:
    """What a route wrote."""

    files: tuple[Path, ...]
    """The file to open first, then what lies beside it."""
    route: str
    """How, for a person: `onnxruntime 1.32.0 quantize_dynamic`."""
    notes: tuple[str, ...] = ()
    """What a person should know of it, a sentence each."""
