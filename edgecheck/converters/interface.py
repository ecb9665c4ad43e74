"""What a conversion takes and returns: settings, request, what a route made, and the answer of its child process.

A route is a function `convert(request: Request, folder: Path) -> Made`; its module is imported in a child process only.
A task goes to the child as a JSON file and the answer comes back as one: both are written and read here.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

#: The variant of a ready file that is left unchanged.
AS_IS = "as-is"

#: What a model can be converted to, the least lossy first.
VARIANTS = ("float32", "float16", "int8-weights", "int8-dynamic", "int8")

#: Formats that a device's runtime opens without a conversion.
READY = ("tflite", "onnx")

#: The hint where a converter fails.
ELSEWHERE = "Try another variant or another format."

#: The file in which a child process leaves its answer; the cache keeps it with the artifact.
ANSWER = "answer.json"

#: `Request.trusted` when the command line says `--trust`.
TRUST_ALL = "all"


@dataclass(frozen=True, slots=True)
class ConversionSettings:
    """Where artifacts are cached, and how long one child process may take."""

    cache: Path
    deadline: float = 1800.0
    """Seconds."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """One conversion."""

    model: Path
    """The file or folder; with a `factory`, the weights."""
    source: str
    """The source's format, detected from its bytes."""
    format: str
    """The artifact's format: `tflite` or `onnx`."""
    variant: str
    prune: float = 0.0
    """Share of each weight tensor set to zero, the smallest magnitudes first; 0 prunes nothing."""
    samples: Path | None = None
    """An .npz: one array per input of the source model, first axis the sample, in the source's layout."""
    inputs: Mapping[str, tuple[int, ...]] = field(default_factory=dict)
    """Shapes, batch included, for the inputs that leave a dimension open."""
    signature: str = ""
    """Which signature of a `.tflite` or SavedModel, where it has several; empty: the default one."""
    factory: str = ""
    """`package.module:function` that builds the network whose weights `model` holds."""
    home: Path = field(default_factory=Path)
    """The budget's folder, searched for the factory's package before Python's own path."""
    trusted: str = ""
    """Whose code may run: `sha256:…` of it, `TRUST_ALL`, or empty for nobody's."""
    ordered: bool = False
    """Whether edgecheck wrote the `samples`, one array per input in the source's order: then inputs that a converter
    renamed are matched by position. Names written by a person have to be the model's."""
    name: str = ""
    """The name to show, where `model` is an intermediate file."""

    @property
    def title(self) -> str:
        """The model's name to show."""
        return self.name or self.model.name


@dataclass(frozen=True, slots=True, kw_only=True)
class Task:
    """What one child process does."""

    maker: str
    """`package.module:function`, which takes a request and a folder and returns a `Made`."""
    request: Request
    extra: str
    """The extra of edgecheck that installs what the function imports."""
    doing: str
    """What to show meanwhile: `converting to int8 with TensorFlow's converter`."""
    makes_model: bool = True
    """Whether the first file it makes is a model of the request's variant."""


@dataclass(frozen=True, slots=True)
class Made:
    """What a route wrote."""

    files: tuple[Path, ...]
    """The file to open first, then the files that it refers to."""
    route: str
    """How it was made, to show: `onnxruntime 1.32.0 quantize_dynamic`."""
    notes: tuple[str, ...] = ()
    """What the user should know about the artifact, one sentence each."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """A child process succeeded: what its route made, and what that took. Kept with the files in the cache."""

    files: tuple[str, ...]
    """Names relative to the folder of the answer, the file to open first in front."""
    route: str
    notes: tuple[str, ...]
    seconds: float
    peak_memory: int
    """Bytes."""
    params: int | None = None
    """How many weights the model stores; None where that is unknown or no model was made."""
    arithmetic: str = ""
    """The numbers of most of its multiplications; empty where no model was made."""
    model: str = ""
    """The source's name, noted when the answer is kept; so are the next two."""
    what: str = ""
    """`int8 .tflite`, or `outputs of .onnx`."""
    sha256: Mapping[str, str] = field(default_factory=dict)
    """The files' hashes by name."""


@dataclass(frozen=True, slots=True)
class Failure:
    """A child process failed in a way that it could explain."""

    message: str
    hint: str
    final: bool
    """Whether the cause is the model or the samples, so that trying another route is useless."""


def write_task(task: Task, file: Path) -> None:
    """Write what the child process shall do."""
    request = asdict(task.request) | {
        "model": str(task.request.model),
        "samples": str(task.request.samples) if task.request.samples is not None else None,
        "home": str(task.request.home),
    }
    file.write_text(json.dumps(asdict(task) | {"request": request}), encoding="utf-8")


def read_task(file: Path) -> Task:
    """Read what `write_task` wrote."""
    raw = json.loads(file.read_text(encoding="utf-8"))
    request = raw["request"]
    paths = {"model": Path(request["model"]), "home": Path(request["home"])}
    samples = Path(request["samples"]) if request["samples"] is not None else None
    inputs = {name: tuple(shape) for name, shape in request["inputs"].items()}
    return Task(**{**raw, "request": Request(**{**request, **paths, "samples": samples, "inputs": inputs})})


def write_answer(answer: Answer | Failure, folder: Path) -> None:
    """Write `answer.json`, next to what was made."""
    (folder / ANSWER).write_text(json.dumps(asdict(answer)), encoding="utf-8")


def read_answer(folder: Path) -> Answer | Failure:
    """Read what `write_answer` wrote.

    Raises:
        OSError: there is no answer.
        ValueError: it is damaged.
    """
    raw = json.loads((folder / ANSWER).read_text(encoding="utf-8"))
    try:
        return Failure(**raw) if "message" in raw else answer_of(raw)
    except (KeyError, TypeError) as error:
        raise ValueError(f"{folder / ANSWER} is not an answer: {error}") from error


def answer_of(raw: Mapping[str, Any]) -> Answer:
    """An answer from its JSON.

    Raises:
        KeyError, TypeError: it has other keys.
    """
    return Answer(**{**raw, "files": tuple(raw["files"]), "notes": tuple(raw["notes"])})
