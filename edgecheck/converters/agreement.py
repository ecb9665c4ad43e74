"""How well an artifact agrees with its source: both are run on the same samples, and their outputs compared."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

from edgecheck.converters import cache, process, recording
from edgecheck.converters.cache import cache_key
from edgecheck.converters.comparison import Agreement, compared
from edgecheck.converters.interface import AS_IS, ConversionSettings, Request, Task
from edgecheck.converters.refusals import COMPARE_BY_HAND
from edgecheck.converters.safety.gate import admit, ensure_unchanged
from edgecheck.converters.sources.frameworks import FRAMEWORKS
from edgecheck.core.artifact import Artifact
from edgecheck.errors import ConversionError


@dataclass(frozen=True, slots=True)
class Reference:
    """The source's outputs for its samples, and those samples."""

    recording: recording.Recording
    samples: Path
    """An .npz with one array per input of the source, also where the samples were random."""


def agreement_of(
    artifact: Artifact, request: Request, settings: ConversionSettings, *, progress: Callable[[str], None]
) -> Agreement:
    """Compare the artifact that `convert` made for `request` with its source.

    The source runs in a child process with its own framework, the artifact in another with this machine's runtime. Both
    recordings are kept: another variant of the same model costs one run, and a repetition costs none.

    Raises:
        ConversionError: one of them cannot be run here, or their outputs cannot be paired.
        ModelError: files that belong to the model are missing.
    """
    reference = reference_of(request, settings, progress=progress)
    if Path(artifact.path) == request.model:
        return compared(reference.recording, reference.recording)
    made = Request(
        model=Path(artifact.path),
        source=artifact.format,
        format=artifact.format,
        variant=AS_IS,
        signature=artifact.signature,
        samples=reference.samples,
        ordered=True,
        name=f"the {artifact.variant} .{artifact.format}",
    )
    found = recording.load(_recorded(made, settings, progress))
    return compared(reference.recording, found)


def reference_of(request: Request, settings: ConversionSettings, *, progress: Callable[[str], None]) -> Reference:
    """The source's own outputs for the samples of `request`, or for seeded random ones.

    Raises:
        ConversionError: its framework is missing or fails, or it would run untrusted code.
    """
    admitted, _, seen = admit(request)
    source = replace(admitted, format=request.source, variant=AS_IS, prune=0.0)
    folder = _recorded(source, settings, progress, seen)
    return Reference(recording.load(folder), folder / "samples.npz")


def _recorded(
    request: Request, settings: ConversionSettings, progress: Callable[[str], None], seen: tuple[object, ...] = ()
) -> Path:
    """The folder with the outputs of the model of `request`; it runs only if they are not in the cache.

    `seen` is what was examined of it.
    """
    if request.source not in FRAMEWORKS:
        raise ConversionError(
            f"{request.title} is a {request.source} file, which edgecheck cannot run.", COMPARE_BY_HAND
        )
    framework = FRAMEWORKS[request.source]
    kept = settings.cache / cache.PLACE / cache_key(request, ["recording:record"], framework.packages)
    with cache.locked(kept, progress):
        if cache.lookup(kept) is None:
            task = Task(
                maker="edgecheck.converters.recording:record",
                request=request,
                extra=framework.extra,
                doing=f"running {request.title} with {framework.title}",
                makes_model=False,
            )
            with cache.making(kept) as scratch:
                out, answer = process.perform(task, scratch, settings.deadline, progress)
                ensure_unchanged(request, seen)
                cache.keep(out, kept, replace(answer, model=request.title, what=f"outputs of .{request.source}"))
    return kept


def agreement_between(
    reference: Request, other: Request, settings: ConversionSettings, *, progress: Callable[[str], None]
) -> Agreement:
    """Compare two given models, such as a teacher and its student: both run with their own frameworks.

    `other` runs on the samples of `reference`, its inputs matched by position where they have other names.

    Raises:
        ConversionError: one of them cannot be run here, or their outputs cannot be paired.
        ModelError: files that belong to a model are missing.
    """
    known = reference_of(reference, settings, progress=progress)
    admitted, _, seen = admit(other)
    source = replace(admitted, format=other.source, variant=AS_IS, prune=0.0, samples=known.samples, ordered=True)
    return compared(known.recording, recording.load(_recorded(source, settings, progress, seen)))
