"""`variants: auto` and `edgecheck fit`: does what `core.fitting` says next until the answer is certain."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from edgecheck.checks.check import judged, prepare, request_of, run
from edgecheck.converters.candidates import candidate_variants
from edgecheck.converters.interface import AS_IS, ConversionSettings
from edgecheck.core.budget import Variant
from edgecheck.core.fitting import Fit, Step, Trial, answer, next_move, others

if TYPE_CHECKING:
    from collections.abc import Callable

    from edgecheck.checks.check import Check, Prepared
    from edgecheck.core.report import CheckResult

#: Stands for the choice among a check's candidates.
AUTO = Variant("auto")


@dataclass(frozen=True, slots=True)
class Looked:
    """The answer, and what was prepared for it."""

    fit: Fit
    prepared: dict[Variant, Prepared]


def candidates(check: Check) -> tuple[Variant, ...]:
    """What the model of `check` could be shipped as, in the order of looking.

    Raises:
        ModelError: a ready file is damaged.
    """
    asked = request_of(check)
    names = candidate_variants(Path(check.budget.model.path), check.source, asked.format)
    return tuple(map(Variant, names)) or (Variant("float32"),)  # no route: the attempt says so, and names the nearest


def tried(check: Check, workshop: ConversionSettings, tell: Callable[[str], None], *, every: bool = False) -> Looked:
    """Look at the candidates of `check` and run them, as far as the answer takes."""
    trials: dict[Variant, Trial] = {}
    prepared: dict[Variant, Prepared] = {}
    while (move := next_move(check.candidates, tuple(trials.values()), every=every)) is not None:
        variant = move.variant

        def told(words: str, variant: Variant = variant) -> None:
            tell(f"{variant}: {words}")

        if move.step is Step.LOOK:
            prepared[variant] = prepare(
                replace(check, variant=variant, candidates=()), workshop, told, compare=variant.name != AS_IS
            )
            trials[variant] = _trial(prepared[variant])
        else:
            trials[variant] = Trial(run(prepared[variant], told), finished=True)
    return Looked(answer(check.candidates, tuple(trials.values())), prepared)


def _trial(prepared: Prepared) -> Trial:
    """What is known before it runs: no verdict yet on what only the device can tell."""
    result = judged(prepared)
    device_decides = bool(prepared.check.target) and any(each.metric.needs_device for each in prepared.check.limits)
    if prepared.evidence is None or not device_decides:
        return Trial(result, finished=True)
    known = tuple(verdict for verdict in result.verdicts if not verdict.metric.needs_device)
    return Trial(replace(result, verdicts=known), finished=False)


def choose(check: Check, workshop: ConversionSettings, tell: Callable[[str], None]) -> CheckResult:
    """The result that stands for `variants: auto`: the recommended variant's, else the nearest one's."""
    seen = tried(check, workshop, tell)
    chosen = seen.fit.nearest
    result = chosen.result if chosen.finished else _not_run(seen, chosen)
    return replace(result, tried=others(seen.fit))


def _not_run(seen: Looked, chosen: Trial) -> CheckResult:
    """All its verdicts: what the device would have told is unknown."""
    prepared = seen.prepared[chosen.variant]
    why = seen.fit.stopped or "it was not run, since its files fail already"
    evidence = replace(prepared.evidence, not_run=why) if prepared.evidence is not None else None
    return judged(replace(prepared, evidence=evidence))
