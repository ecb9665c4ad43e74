"""What every format of `edgecheck fit` has in common: the table of limits and variants, and the sentences about it."""

from __future__ import annotations

import math
import shlex
from collections.abc import Iterator
from dataclasses import dataclass

from edgecheck.core.address import is_a_device
from edgecheck.core.device_match import match
from edgecheck.core.finding import Measurement
from edgecheck.core.fitting import ALLOW_DIVERGENCE, UNCHANGED, Fit, Outcome, Trial, others, why_not
from edgecheck.core.limits import Limit
from edgecheck.core.metrics import AGREEMENT, METRICS, Direction, Metric
from edgecheck.core.units import Unit
from edgecheck.core.verdict import Status, Verdict
from edgecheck.reports.wording import about_refusal, clean, source, where_to_measure


@dataclass(frozen=True, slots=True)
class Cell:
    """One metric of one variant."""

    figure: str = ""
    """Empty if there is none."""
    status: Status | None = None
    """None if nothing is judged."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One metric of all variants."""

    metric: str
    bound: str
    """With its sign; empty without a limit."""
    cells: tuple[Cell, ...]
    """One for each column."""
    provenance: str


#: In place of a figure that is not there.
NONE = "\N{EN DASH}"


def title(fit: Fit) -> str:
    """Model, device and target."""
    result = fit.trials[0].result
    target = next((trial.result.target for trial in fit.trials if trial.result.target), "")
    return clean(
        f"{result.budget.model.path.name} · {result.profile.name}{f' on {target}' if target else ', files only'}"
    )


def columns(fit: Fit) -> tuple[tuple[str, str], ...]:
    """Name and state of each variant: those that were tried, by what they lose, then the others."""
    tried = [(clean(str(trial.variant)), _state(trial, fit)) for trial in fit.trials]
    return (*tried, *((clean(str(variant)), "not tried") for variant in fit.left))


def _state(trial: Trial, fit: Fit) -> str:
    return "recommended" if trial is fit.recommended else trial.state


def rows(fit: Fit) -> tuple[Row, ...]:
    """A row for each limit and for what is always shown, in the order of `METRICS`."""
    limits = {limit.metric.name: limit for limit in _limits_of(fit)}
    known = [metric for name, metric in METRICS.items() if name in limits or metric.compares_variants]
    made = (_row(metric, limits.get(metric.name), fit) for metric in known)
    return tuple(row for row in made if row.bound or any(cell.figure for cell in row.cells))


def _limits_of(fit: Fit) -> tuple[Limit, ...]:
    """The limits for the device."""
    result = fit.trials[0].result
    return next(limits for profile, limits in result.budget.devices if profile.id == result.profile.id)


def _row(metric: Metric, limit: Limit | None, fit: Fit) -> Row:
    findings = [_finding(trial, metric) for trial in fit.trials]
    origins = dict.fromkeys(found.provenance.value for found in findings if found is not None)
    cells = [_cell(trial, metric, found) for trial, found in zip(fit.trials, findings, strict=True)]
    return Row(
        metric=metric.name,
        bound=_bound(limit),
        cells=(*cells, *(Cell() for _ in fit.left)),
        provenance=", ".join(origins),
    )


def _finding(trial: Trial, metric: Metric) -> Measurement | None:
    found = (trial.result.findings or {}).get(metric.name)
    return found if isinstance(found, Measurement) else None


def _cell(trial: Trial, metric: Metric, found: Measurement | None) -> Cell:
    status = next((each.status for each in trial.result.verdicts if each.metric.name == metric.name), None)
    if not trial.was_made:
        return Cell()
    if metric == AGREEMENT and found is None and trial.loss == 0:
        return Cell("1 (itself)", status)
    return Cell(_shown(found) if found is not None else "", status)


_MOST_NINES = 7  # float32 has no more digits


def _shown(found: Measurement) -> str:
    """The figure; a ratio that only rounds to 1 shows the digits in which it differs: `0.9999`."""
    text = found.metric.show(found.value)
    if text != "1" or found.value >= 1 or found.metric.unit is not Unit.RATIO:
        return text
    nines = math.floor(-math.log10(1 - found.value))
    return f"0.{'9' * nines}" if nines < _MOST_NINES else text


def _bound(limit: Limit | None) -> str:
    if limit is None:
        return ""
    bound = limit.error if limit.error is not None else limit.warn
    sign = "≤" if limit.metric.direction is Direction.AT_MOST else "≥"
    return f"{sign} {limit.metric.show(bound)}" if bound is not None else ""


def not_recommended(fit: Fit) -> Iterator[tuple[str, str]]:
    """Variants that are not the answer, and why; those with the same reason together."""
    by_reason: dict[str, list[str]] = {}
    for each in others(fit):
        by_reason.setdefault(clean(each.words), []).append(clean(each.variant))
    for reason, variants in by_reason.items():
        yield ", ".join(variants), reason


def answer(fit: Fit) -> str:
    """The recommendation, or what is in the way, in a sentence or two."""
    device = fit.trials[0].result.profile.name
    if fit.outcome is Outcome.FITS:
        return clean(f"{fit.nearest.variant} fits {device}: {_why(fit)}.")
    if fit.outcome is Outcome.NOTHING:
        return clean(f"Nothing fits {device}. {_in_the_way(fit)}")
    why = fit.stopped or why_not(fit.nearest)
    return clean(f"Undecided for {device}. {fit.nearest.variant}: {why}".rstrip(".") + ".")


def _why(fit: Fit) -> str:
    trial = fit.nearest
    if trial.variant.name == UNCHANGED and trial.loss == 0:
        return "it holds every limit as it is"
    found = _finding(trial, AGREEMENT)
    measured = f"agreement {_shown(found)} on {found.basis}" if found else "agreement not known"
    warned = [verdict.metric.name for verdict in trial.result.verdicts if verdict.status is Status.WARN]
    warning = f"; with a warning of {', '.join(warned)}" if warned else ""
    return f"the least lossy that holds every limit ({measured}{warning})"


def _in_the_way(fit: Fit) -> str:
    trial = fit.nearest
    places = dict.fromkeys(_place(verdict) for verdict in trial.in_the_way)
    where = f" (limit set {', '.join(places)})" if places else ""
    certain = f" {_sentence(fit.stopped)}" if fit.stopped else ""
    return f"The nearest is {trial.variant}: {why_not(trial).rstrip('.')}{where}.{certain}"


def _place(verdict: Verdict) -> str:
    return f"at {source(verdict)}" if verdict.limit.source.file else f"on the {source(verdict)}"


def _sentence(clause: str) -> str:
    return f"{clause[:1].upper()}{clause[1:].rstrip('.')}."


def next_step(fit: Fit) -> str:
    """What to do next."""
    result = fit.nearest.result
    match fit.outcome:
        case Outcome.FITS:
            return clean(f"Next: {_ship(fit)}")
        case Outcome.NOTHING:
            if any(verdict.reason.startswith("refused by the runtime") for verdict in fit.nearest.in_the_way):
                return clean(f"Next: {about_refusal((result,))}")
            ready = "pass the model that this file was made from, " if _is_ready_alone(fit) else ""
            return f"Next: {ready}make the model itself smaller or faster, or raise the limit."
        case Outcome.UNDECIDED if fit.nearest.diverges:
            return f"Next: {ALLOW_DIVERGENCE}."
        case Outcome.UNDECIDED if result.hint:
            hint = result.hint.replace("edgecheck check ", "edgecheck fit ", 1).replace(" --variant auto", "", 1)
            return clean(f"Next: {hint}")
        case _ if is_a_device(result.target) and not match(result.profile, result.run).mismatch:
            return "Next: see the reasons above."
        case _:
            return clean(f"Next: {where_to_measure(result)}".rstrip("."))


def _is_ready_alone(fit: Fit) -> bool:
    """Whether the model is a ready file from which no variant can be made."""
    return not fit.left and [trial.variant.name for trial in fit.trials] == [UNCHANGED]


def _ship(fit: Fit) -> str:
    result = fit.nearest.result
    budget, variant = result.budget, result.variant
    if budget.path:
        written = f"{{variant: {variant.name}, prune: {variant.prune}}}" if variant.prune else variant.name
        return f"write `variants: [{written}]` into {budget.path}."
    if variant.name == UNCHANGED:
        return "ship it as it is."
    model, kind = shlex.quote(str(budget.model.path)), result.artifact.format if result.artifact else ""
    samples = f" --samples {shlex.quote(str(budget.samples))}" if budget.samples else ""
    pruned = f" --prune {variant.prune:g}" if variant.prune else ""
    return f"edgecheck convert {model} --variant {variant.name}{pruned} --format {kind}{samples}"


def doubt(fit: Fit) -> str:
    """A warning if agreement was measured on random inputs; otherwise empty."""
    found = [_finding(trial, AGREEMENT) for trial in fit.trials]
    if any(each is not None and "random" in each.basis for each in found):
        return "Agreement was measured on random inputs, which say less than real ones: provide samples."
    return ""
