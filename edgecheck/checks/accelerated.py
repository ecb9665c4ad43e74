"""What a check on an accelerator adds: whether it is possible at all, and the comparison of what it returns."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from edgecheck.anatomy.signature import signature
from edgecheck.checks.session import Needs, outputs_on
from edgecheck.converters.refusals import COMPARE_BY_HAND
from edgecheck.core.caveats import Caveat
from edgecheck.core.finding import Evidence, Likeness
from edgecheck.core.run import Outcome, Purpose, Run
from edgecheck.errors import ConversionError, ModelError, TargetError, UndecidedError
from edgecheck.scratch import scratch

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from edgecheck.converters.interface import ConversionSettings, Request
    from edgecheck.converters.recording import Recording
    from edgecheck.core.accelerator import Accelerator
    from edgecheck.core.artifact import Artifact
    from edgecheck.core.outputs import SeenOutput
    from edgecheck.targets import Target


def ensure_possible(wanted: Accelerator, artifact: Artifact, target: Target) -> None:
    """Check that the target can have an accelerator, and that it runs the artifact's format.

    Raises:
        UndecidedError: neither can be known before a device with it is asked.
    """
    if target.emulated:
        raise UndecidedError(
            f"{wanted} was asked for, and an emulated device has no accelerator.",
            "Check it on the device (--target ssh://…), or without `accelerator:` on the emulated one.",
        )
    if artifact.format not in wanted.kind.formats:
        formats = " and ".join(f".{each}" for each in wanted.kind.formats)
        raise UndecidedError(
            f"{wanted.provider} runs {formats} models, and this is a .{artifact.format}.",
            f"Set `format: {wanted.kind.formats[0]}` in the budget, or choose another accelerator.",
        )


def compared_on_device(  # noqa: PLR0913 - what a run takes, and what a conversion takes
    evidence: Evidence,
    request: Request,
    target: Target,
    needs: Needs,
    *,
    settings: ConversionSettings,
    progress: Callable[[str], None],
) -> Evidence:
    """The evidence with how well the outputs of the accelerator agree with the source's.

    The model runs once more, on the samples that the source ran on; what a CPU would return says nothing here.

    Args:
        evidence: Of a run on the accelerator.
        request: The conversion that made the artifact.
        target: Where it ran.
        needs: As for the run.
        settings: Where the source's outputs are cached, and the deadline.
        progress: Called with a few words about each step.
    """
    from edgecheck.converters.agreement import reference_of
    from edgecheck.converters.comparison import compared

    if why := unfinished(evidence.run):
        return replace(evidence, likeness=None, likeness_problem=why)
    try:
        reference = reference_of(request, settings, progress=progress)
        ran, found = _recorded(evidence.artifact, reference.samples, target, needs, progress)
        evidence = replace(evidence, run=_with_outputs(evidence.run, ran))
        seen = compared(reference.recording, found)
    except (UndecidedError, ModelError) as error:
        return replace(evidence, likeness=None, likeness_problem=f"{error.message} {error.hint}".strip())
    likeness = Likeness(
        agreement=seen.agreement,
        top1=seen.top1,
        samples=seen.samples,
        basis=f"{seen.basis}; outputs of {needs.budget.accelerator}",
        failure=seen.failure,
    )
    return replace(evidence, likeness=likeness, likeness_problem="")


def not_compared(evidence: Evidence) -> Iterator[Caveat]:
    """That nobody knows whether the accelerator's outputs are right."""
    if evidence.run is not None and not unfinished(evidence.run) and evidence.likeness is None:
        yield Caveat(
            "outputs-not-compared",
            f"The accelerator's outputs were not compared with the source's: {evidence.likeness_problem}",
            "Accelerators can return wrong outputs without a word: make the model run on this machine, too.",
        )


def unfinished(run: Run | None) -> str:
    """Why there is nothing to compare; empty where the model ran."""
    if run is None:
        return "it was not run"
    ended = [worker.ending for worker in run.workers if worker.purpose is not Purpose.PROFILE]
    return next((end.message for end in ended if end.outcome is not Outcome.COMPLETED), run.broken)


def _recorded(
    artifact: Artifact, samples: Path, target: Target, needs: Needs, progress: Callable[[str], None]
) -> tuple[Run, Recording]:
    """The outputs of the artifact on the target for the source's samples, and the run that returned them.

    Raises:
        UndecidedError: it did not return any, or they cannot be read.
    """
    with scratch() as folder:
        own = folder / "samples.npz"
        _write_samples(samples, own, [port.name for port in signature(Path(artifact.path), artifact.signature).inputs])
        run, outputs = outputs_on(target, artifact, needs, own, progress)
    if why := unfinished(run):
        raise UndecidedError(f"The outputs of {needs.budget.accelerator} are not known: {why}.", COMPARE_BY_HAND)
    return run, recording(outputs)


def _with_outputs(run: Run | None, ran: Run) -> Run | None:
    """The run with the process that returned the outputs, whose notes are about it, too."""
    return replace(run, workers=(*run.workers, *ran.of(Purpose.OUTPUTS))) if run is not None else None


def _write_samples(samples: Path, own: Path, names: Sequence[str]) -> None:
    """The source's samples under the names of the artifact's inputs."""
    from edgecheck.converters.matching import matched
    from edgecheck.converters.recording import save
    from edgecheck.converters.samples import load

    arrays = load(samples)
    theirs = list(arrays)
    places = matched(list(names), theirs)
    if places is None:
        raise ConversionError(
            f"The artifact has {len(names)} inputs and its source {len(theirs)}, so that the two cannot be compared.",
            COMPARE_BY_HAND,
        )
    save(own, {name: arrays[theirs[place]] for name, place in zip(names, places, strict=True)})


def recording(outputs: Sequence[Sequence[SeenOutput]]) -> Recording:
    """The outputs of a device as a recording, quantised ones as the numbers that they stand for.

    Raises:
        TargetError: they are not what they claim to be.
        ConversionError: they are not tensors of numbers.
    """
    from edgecheck.converters.recording import Recording

    names = tuple(output.name for output in outputs[0]) if outputs else ()
    if any(tuple(output.name for output in sample) != names for sample in outputs):
        raise TargetError("the device's agent sent other outputs for one sample than for another")
    return Recording(
        names=names,
        values=tuple(tuple(_value(output) for output in sample) for sample in outputs),
        logits=tuple((None,) * len(sample) for sample in outputs),
        seeded=False,
    )


def _value(output: SeenOutput) -> NDArray[Any]:
    import numpy as np

    if output.dtype in ("string", "other"):
        raise ConversionError(
            f"Output {output.name} is not a tensor of numbers, which is not compared here.", COMPARE_BY_HAND
        )
    try:
        kind = np.dtype(output.dtype)
        value = np.frombuffer(output.content, dtype=kind.newbyteorder("<")).reshape(output.shape)
    except (TypeError, ValueError) as error:
        raise TargetError(f"the device's agent sent an output that cannot be read: {error}") from error
    if output.quantization is None or kind.kind not in "iu":
        return value
    scale, zero = output.quantization
    return ((value.astype(np.float64) - zero) * scale).astype(np.float32)
