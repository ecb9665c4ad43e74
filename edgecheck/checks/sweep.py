"""The points of a sweep: from files, from conversions of one model, or from a factory called with each value."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from edgecheck.anatomy.formats import identify
from edgecheck.anatomy.reading import read
from edgecheck.anatomy.values import Anatomy, Role
from edgecheck.converters.interface import AS_IS, TRUST_ALL, ConversionSettings, Request
from edgecheck.core.finding import Finding
from edgecheck.core.sweep import RUN_METRICS, Point
from edgecheck.errors import EdgecheckError, UsageError
from edgecheck.scratch import scratch

#: Limits that every model meets: a check of them only measures.
_LIMITS = ("ram_peak=1000GB", "latency_p50=10000s")
#: What to do where models cannot be kept.
ANOTHER_FOLDER = "Name another folder: -o FOLDER"

#: The suffixes by which the files are distinguished.
_PLAIN = re.compile(r"[^A-Za-z0-9.+-]+")


@dataclass(frozen=True, slots=True, kw_only=True)
class Swept:
    """What to find out about each model."""

    settings: ConversionSettings
    progress: Callable[[str], None]
    reference: Path | None = None
    """The model to compare with."""
    samples: Path | None = None
    target: str = ""
    """Where to run; empty: not at all."""
    trust: bool = False


def values_in(models: Sequence[Path]) -> tuple[str, ...]:
    """The part of each name that differs: `100` of forest_100.onnx next to forest_10.onnx.

    Of each path, where two files in different folders have one name.

    Raises:
        UsageError: two names have the same part.
    """
    names = [model.name for model in models]
    if len(names) == 1:
        return (models[0].stem,)
    if len(set(names)) < len(names):
        names = [str(model) for model in models]
    front = _common(names)
    back = _common([name[::-1] for name in names])[::-1]
    front = re.sub(r"-?[0-9.]+$", "", front)  # half of a number belongs to the value
    back = re.sub(r"^[0-9]+(?=\D|$)", "", back)
    found = tuple(name[len(front) : max(len(front), len(name) - len(back))] or name for name in names)
    if len(set(found)) < len(found):
        twice = next(each for each in found if found.count(each) > 1)
        raise UsageError(f"Two models have the value {twice!r}.", "Give each model a name with its value in it.")
    return found


def _common(names: Sequence[str]) -> str:
    """The longest text with which all names begin."""
    shortest = min(names, key=len)
    ends = (at for at, letter in enumerate(shortest) if any(name[at] != letter for name in names))
    return shortest[: next(ends, len(shortest))]


def of_files(models: Sequence[Path], swept: Swept) -> Iterator[Point]:
    """A point for each file."""
    for model, value in zip(models, values_in(models), strict=True):
        yield _point(model, value, swept)


def of_conversions(request: Request, factor: str, values: Sequence[str], swept: Swept) -> Iterator[Point]:
    """A point for each share of pruning or each variant of one model; agreement is with the model itself."""
    from edgecheck.converters.agreement import agreement_of
    from edgecheck.converters.convert import convert

    for value in values:
        varied = replace(request, prune=float(value)) if factor == "prune" else replace(request, variant=value)
        if varied.variant == "float32" and not varied.prune and varied.source == varied.format:
            varied = replace(varied, variant=AS_IS)
        artifact = convert(varied, swept.settings, progress=swept.progress)
        point = _point(Path(artifact.path), value, replace(swept, reference=None, samples=swept.samples))
        point = replace(point, model=f"{request.model.stem}, {factor} {value}")
        try:
            agreement = agreement_of(artifact, varied, swept.settings, progress=swept.progress)
        except EdgecheckError as error:
            yield replace(point, note=error.message)
            continue
        yield replace(point, agreement=agreement.agreement, top1=agreement.top1, note=agreement.failure)


def of_factory(factory: str, values: Sequence[str], folder: Path | None, swept: Swept) -> Iterator[Point]:
    """A point for each value that the factory is called with.

    Args:
        factory: `package.module:function`, in the working directory or on Python's path.
        values: Each a JSON value, or a word.
        folder: Where the models are kept; None: nowhere.
        swept: What to find out.

    Raises:
        ConversionError: the factory is not trusted, or fails.
        UsageError: the folder cannot be written to.
    """
    for value in values:
        with scratch() as place:
            model = _built(factory, value, place, swept)
            if folder is not None:
                name = _PLAIN.sub("_", f"{factory.rpartition(':')[2]}_{value}{model.suffix}")
                model = _kept(model, folder, name)
            yield _point(model, value, swept)


def _kept(model: Path, folder: Path, name: str) -> Path:
    try:
        folder.mkdir(parents=True, exist_ok=True)
        return Path(shutil.copyfile(model, folder / name))
    except OSError as error:
        raise UsageError(f"{folder} cannot be written to: {error.strerror}.", ANOTHER_FOLDER) from error


def _built(factory: str, value: str, place: Path, swept: Swept) -> Path:
    from edgecheck.converters import process
    from edgecheck.converters.interface import Task
    from edgecheck.converters.safety.gate import admit

    request = Request(
        model=place,
        source="factory",
        format="factory",
        variant=AS_IS,
        factory=factory,
        home=Path.cwd(),
        trusted=TRUST_ALL if swept.trust else "",
        name=_as_json(value),
    )
    admitted = admit(request).request
    task = Task(
        maker="edgecheck.converters.built:make",
        request=admitted,
        extra="sklearn",
        doing=f"calling {factory} with {value}",
        makes_model=False,
    )
    done = process.perform(task, place, swept.settings.deadline, swept.progress)
    return done.folder / done.answer.files[0]


def _as_json(value: str) -> str:
    """The value as JSON: a number, true, null, a list, else the word itself."""
    try:
        json.loads(value)
    except ValueError:
        return json.dumps(value)
    return value


def _point(model: Path, value: str, swept: Swept) -> Point:
    from edgecheck.converters.model_files import files_of, gzipped

    swept.progress(f"reading {model.name}")
    anatomy = read(model)
    point = Point(
        value=value,
        model=model.name,
        size=anatomy.size,
        params=anatomy.totals.params,
        zeros=_zeros(anatomy),
        download=sum(map(gzipped, files_of(model, anatomy.format.value))),
        measured=_measured(model, swept) if swept.target else (),
    )
    return _compared(point, model, swept) if swept.reference is not None else point


def _zeros(anatomy: Anatomy) -> float | None:
    """The share of the weights that are zero, over all tensors whose numbers can be read."""
    from edgecheck.anatomy.measuring import measure

    chosen = [at for at, tensor in enumerate(anatomy.tensors) if tensor.role is Role.WEIGHT]
    zeros = elements = 0.0
    for at, measured in measure(anatomy, chosen).items():
        if measured.zeros is not None:
            zeros += measured.zeros * anatomy.tensors[at].elements
            elements += anatomy.tensors[at].elements
    return zeros / elements if elements else None


def _compared(point: Point, model: Path, swept: Swept) -> Point:
    from edgecheck.converters.agreement import agreement_between

    requests = [
        Request(
            model=each,
            source=(source := identify(each).value),
            format=source,
            variant=AS_IS,
            samples=swept.samples,
            trusted=TRUST_ALL if swept.trust else "",
        )
        for each in (swept.reference or model, model)
    ]
    try:
        agreement = agreement_between(requests[0], requests[1], swept.settings, progress=swept.progress)
    except EdgecheckError as error:
        return replace(point, note=error.message)
    return replace(point, agreement=agreement.agreement, top1=agreement.top1, note=agreement.failure)


def _measured(model: Path, swept: Swept) -> tuple[Finding, ...]:
    """What a check of limits that every model meets measures: peak memory and the median latency."""
    from edgecheck.checks.from_model import ModelSettings
    from edgecheck.checks.invocation import InvocationRequest, plan_invocation
    from edgecheck.checks.plan import Selection
    from edgecheck.config import load_project

    selection = Selection(paths=(model,), limits=_LIMITS, trust=swept.trust, given=ModelSettings(samples=swept.samples))
    request = InvocationRequest(selection=selection, targets=(swept.target,))
    planned = plan_invocation(request, load_project(Path.cwd()))
    for report in planned.reports(swept.progress):
        by_name = {verdict.metric.name: verdict.finding for verdict in report.results[0].verdicts}
        return tuple(by_name[name] for name in RUN_METRICS if name in by_name)
    return ()
