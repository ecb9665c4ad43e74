"""How many bytes of activations a model holds at once, counted operator by operator from the shapes in its file."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from importlib import import_module
from math import prod
from typing import TYPE_CHECKING, cast

from edgecheck.anatomy.accounting.files import Files
from edgecheck.anatomy.dtypes import dense_size
from edgecheck.anatomy.encodings.span import explained
from edgecheck.anatomy.formats import ModelFormat, identify

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping
    from pathlib import Path

_LARGEST = 1 << 50
"""Bytes beyond which a shape is no shape of an activation."""
_READERS = {
    ModelFormat.TFLITE: "edgecheck.explaining.flow_tflite",
    ModelFormat.ONNX: "edgecheck.explaining.flow_onnx",
}


@dataclass(frozen=True, slots=True)
class Activations:
    """The moment at which the most is alive."""

    peak: int
    """Bytes of all activations that are alive then; a runtime shares some of them and has working memory besides."""
    operator: str
    """What computes then, in the format's own words."""
    output: str
    """The name of what it computes."""
    has_open: bool
    """Whether a shape leaves a dimension open, which was counted as 1."""


@dataclass(frozen=True, slots=True)
class Step:
    """One operator, in the order of the file."""

    operator: str
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Flow:
    """The main graph, as far as activations go. Values have keys of their own; a key of a view is its source's."""

    steps: tuple[Step, ...]
    sizes: Mapping[str, int]
    """Bytes by key of a value, where its shape is known."""
    stored: frozenset[str]
    """Values that the file holds: weights and constants."""
    given: tuple[str, ...]
    """What the caller feeds."""
    results: tuple[str, ...]
    """What the caller reads: alive to the end."""
    has_open: bool
    names: Mapping[str, str]
    """By key: what the file calls the value."""


def activations(path: Path) -> Activations | None:
    """The peak, or `None` where the file does not say the shapes of what it computes.

    Raises:
        ModelError: it is not a model, or it is damaged.
    """
    found = identify(path)
    if found not in _READERS:
        return None
    reader = cast("Callable[[Files], Flow]", import_module(_READERS[found]).read_flow)
    with explained(path), Files(path) as files:
        return peak_of(reader(files))


def peak_of(flow: Flow) -> Activations | None:
    """The operator during which most is alive: its inputs, its outputs, and what a later operator takes."""
    steps = _computing(flow)
    if any(name not in flow.sizes for step in steps for name in step.outputs):
        return None
    ends = _ends(steps, flow.results)
    alive = {name: flow.sizes.get(name, 0) for name in flow.given if name not in flow.stored}
    total = sum(alive.values())
    best: Activations | None = None
    for at, step in enumerate(steps):
        for name in step.outputs:
            if name not in alive:
                alive[name] = flow.sizes[name]
                total += alive[name]
        if step.outputs and (best is None or total > best.peak):
            output = flow.names.get(step.outputs[0], step.outputs[0])
            best = Activations(total, step.operator, output, flow.has_open)
        total -= sum(alive.pop(name, 0) for name in ends[at])
    return best


def _computing(flow: Flow) -> list[Step]:
    """The operators that run at each inference: what follows from stored values alone is computed once, on loading."""
    stored, steps = set(flow.stored), []
    for step in flow.steps:
        inputs = tuple(name for name in step.inputs if name and name not in stored)
        outputs = tuple(filter(None, step.outputs))
        if inputs:
            steps.append(Step(step.operator, inputs, outputs))
        else:
            stored.update(outputs)
    return steps


def _ends(steps: list[Step], results: Iterable[str]) -> Mapping[int, list[str]]:
    """By index of a step: the values that nobody takes after it."""
    last = {name: at for at, step in enumerate(steps) for name in (*step.outputs, *step.inputs)}
    last |= dict.fromkeys(results, len(steps))
    ends: dict[int, list[str]] = defaultdict(list)
    for name, at in last.items():
        ends[at].append(name)
    return ends


def size_of(dtype: str, shape: Iterable[int | None]) -> int:
    """Bytes of an activation, open dimensions counted as 1."""
    return min(_LARGEST, dense_size(dtype, prod(1 if size is None or size < 0 else size for size in shape)))


def is_open(shapes: Iterable[Iterable[int | None]]) -> bool:
    """Whether any dimension is open."""
    return any(size is None or size < 0 for shape in shapes for size in shape)
