"""How well an artifact agrees with its source: both are run on the same samples, and their outputs compared."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from edgecheck.converters import cache, process, recording
from edgecheck.converters.comparison import compared
from edgecheck.converters.fingerprint import fingerprint
from edgecheck.converters.interface import AS_IS, ConversionSettings, Request, Task
from edgecheck.converters.safety.gate import admit
from edgecheck.converters.sources.table import FRAMEWORKS
from edgecheck.errors import ConversionError

if TYPE_CHECKING:
    from collections.abc import Callable

    from edgecheck.converters.comparison import Agreement
    from edgecheck.core.artifact import Artifact


@dataclass(frozen=True, slots=True)
class Reference:
    """What the source gives for its samples, and the samples that it was given."""

    recording: recording.Recording
    samples: Path
    """An .npz with one array per input of the source, whatever the samples were."""


def agreement_of(
    artifact: Artifact, request: Request, settings: ConversionSettings, *, tell: Callable[[str], None]
) -> Agreement:
    """Compare what `convert` made of `request` with the model that it was made from.

    The source runs in a child process with its own framework, the artifact in another with this machine's runtime; both
    recordings are kept, so that other variants of the same model cost one run, and a second time costs none.

    Raises:
        ConversionError: one of them cannot be run here, or their outputs cannot be told which is which.
        ModelError: files that belong to the model are missing.
    """
    reference = reference_of(request, settings, tell=tell)
    if Path(artifact.path) == request.model:
        return compared(reference.recording, reference.recording)
    made = Request(
        model=Path(artifact.path),
        source=artifact.format,
        format=artifact.format,
        variant=AS_IS,
        samples=reference.samples,
        ordered=True,
        name=f"the {artifact.variant} .{artifact.format}",
    )
    found = recording.load(_recorded(made, settings, tell))
    return compared(reference.recording, found)


def reference_of(request: Request, settings: ConversionSettings, *, tell: Callable[[str], None]) -> Reference:
    """What the source itself gives for the samples of `request`, or for seeded random ones.

    Raises:
        ConversionError: its framework is missing or fails, or it would run code that nobody trusts.
    """
    admitted, _ = admit(request)
    source = replace(admitted, format=request.source, variant=AS_IS, prune=0.0)
    folder = _recorded(source, settings, tell)
    return Reference(recording.load(folder), folder / "samples.npz")


def _recorded(request: Request, settings: ConversionSettings, tell: Callable[[str], None]) -> Path:
    if request.source not in FRAMEWORKS:
        raise ConversionError(f"{request.title} is a {request.source} file, which edgecheck cannot run.", "")
    framework = FRAMEWORKS[request.source]
    kept = settings.cache / cache.PLACE / fingerprint(request, ["recording:record"], framework.packages)
    with cache.locked(kept, tell):
        if cache.lookup(kept) is None:
            task = Task(
                maker="edgecheck.converters.recording:record",
                request=request,
                extra=framework.extra,
                doing=f"running {request.title} with {framework.title}",
                makes_model=False,
            )
            with process.working_in(kept.parent) as scratch:
                out, answer = process.perform(task, scratch, settings.deadline, tell)
                cache.keep(out, kept, replace(answer, model=request.title, what=f"outputs of .{request.source}"))
    return kept
