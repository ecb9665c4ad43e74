"""`edgecheck compare`: did anything grow between two results files?"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import click

from edgecheck.checks import baseline
from edgecheck.checks.baseline import EXAMPLE, Baseline, rules_in_files
from edgecheck.cli import options
from edgecheck.cli.outputs import Outputs
from edgecheck.config.command_line import allowance_from_text
from edgecheck.core.changes import gone
from edgecheck.core.limits import Growths
from edgecheck.core.report import exit_code
from edgecheck.errors import UndecidedError, UsageError
from edgecheck.reports import FORMATS, Style

if TYPE_CHECKING:
    from edgecheck.core.report import CheckResult, Report

_EXAMPLES = """
\b
Examples:
  edgecheck compare main.json head.json
  edgecheck compare main.json head.json --growth size=1% --growth latency_p50=10%,2ms
  edgecheck compare release.json head.json --merge-base main.json --format markdown
  edgecheck compare teacher.json student.json --across --growth size=0%
  edgecheck compare --history history.jsonl head.json    with the median of main's last results
"""

_FILE = click.Path(path_type=Path, allow_dash=True)


@click.command("compare", epilog=_EXAMPLES)
@click.argument("files", nargs=-1, required=True, type=_FILE, metavar="[BASE] HEAD")
@click.option(
    "--history",
    type=click.Path(path_type=Path, dir_okay=False),
    metavar="FILE",
    help="Instead of BASE: the median of the last results in this history.",
)
@click.option("--last", type=click.IntRange(1), default=5, help="With --history: how many results. [default: 5]")
@click.option(
    "--branch", default="main", metavar="NAME", help="With --history: the branch of the results. [default: main]"
)
@options.MERGE_BASE
@click.option(
    "--growth",
    "growths",
    multiple=True,
    metavar="METRIC=SHARE[,LEAST]",
    help="How much a metric may grow, instead of the rules in the budgets.",
)
@click.option("--across", is_flag=True, help="Compare two models: match checks by variant and device alone.")
@options.format_option(FORMATS)
@options.FAIL_ON
@options.VERBOSE
@options.QUIET
def command(
    files: tuple[Path, ...],
    history: Path | None,
    last: int,
    branch: str,
    merge_base: Path | None,
    growths: tuple[str, ...],
    formats: tuple[tuple[str, str], ...],
    fail_on: str,
    *,
    across: bool,
    verbose: bool,
    quiet: bool,
) -> int:
    """Compare the results in HEAD with those in BASE, or with the history.

    How much each metric may grow is in the budgets, under `regression:`.
    Results of different machines, runtimes or profiles are not compared.
    Exit codes: 0 nothing grew by more than its rule allows, 1 something did,
    3 something could not be decided.
    """
    with Outputs(formats, Style(verbose=verbose, quiet=quiet)) as outputs:
        *before, head = _sides(files, history)
        report = baseline.load(head)
        if history is not None:
            compared = _with_past(report, _rules(report, growths), history, branch, last)
        else:
            against = baseline.load(before[0])
            origin = baseline.load(merge_base) if merge_base is not None else None
            against = _renamed(against, report) if across else against
            compared = _compared(report, Baseline(against, origin, _rules(report, growths)))
        for result in compared.results:
            outputs.show(result, is_only=len(compared.results) == 1)
        outputs.finish(compared)
    return exit_code(compared, fail_on_warn=fail_on == "warn")


def _sides(files: tuple[Path, ...], history: Path | None) -> tuple[Path, ...]:
    """BASE and HEAD; with a history, HEAD alone.

    Raises:
        UsageError: there are too few or too many.
    """
    if len(files) == (2 if history is None else 1):
        return files
    if history is None:
        raise UsageError(
            f"compare takes two results files, BASE and HEAD; found {len(files)}.",
            "edgecheck compare BASE HEAD, or edgecheck compare --history FILE HEAD",
        )
    raise UsageError(
        f"With --history, compare takes one results file, HEAD; found {len(files)}.",
        "edgecheck compare --history FILE HEAD",
    )


def _with_past(head: Report, rules: dict[str, Growths], history: Path, branch: str, last: int) -> Report:
    """The report on growth from the median of the last results in a history."""
    from edgecheck.checks.history import Left, Wanted, read
    from edgecheck.core.against_history import Past, judged_against_past

    left = Left()
    past = Past({series.key: series for series in read(history, Wanted(), left)}, branch, last)
    for words in left.words(history):
        click.echo(f"edgecheck: {words}", err=True)
    bare = [replace(result, verdicts=(), caveats=()) for result in head.results]
    results = (
        judged_against_past(head, one, rules.get(one.budget.path, Growths()).of(one.profile.id), past) for one in bare
    )
    return replace(head, results=tuple(results))


def _rules(head: Report, growths: tuple[str, ...]) -> dict[str, Growths]:
    budgets = dict.fromkeys(result.budget.path for result in head.results)
    if growths:
        given = {rule.metric.name: rule for rule in map(allowance_from_text, growths)}
        for rule, text in zip(map(allowance_from_text, growths), growths, strict=True):
            if rule.growth >= 1 and "%" not in text:
                click.echo(f"edgecheck: --growth {text} allows {rule.growth:.0%}: is {rule.growth:g}% meant?", err=True)
        rules = tuple(replace(rule, is_shared=False) for rule in given.values())
        return dict.fromkeys(budgets, Growths(rules))
    for path in filter(None, budgets):
        if not Path(path).is_file():
            raise UsageError(
                f"The budget {path} holds the regression rules and was not found.",
                "Run this where the budgets are, or give a rule: --growth size=1%",
            )
    if not any(budgets):
        raise UsageError(
            "The results are of models without a budget, so there is no rule on growth.",
            f"Give one: --growth size=1%; or write a budget with: {EXAMPLE}",
        )
    return rules_in_files(budgets)


def _renamed(base: Report, head: Report) -> Report:
    """`base` with the budgets of the checks in `head` that have the same variant and device, so that they match.

    Raises:
        UsageError: one of the two has several models for a variant and a device, or they have no such pair in common.
    """
    before, after = _by_place(base, "BASE"), _by_place(head, "HEAD")
    if not before.keys() & after.keys():
        here = ", ".join(f"{variant} on {device}" for variant, device in before)
        raise UsageError(
            "No check in HEAD has the variant and the device of one in BASE.", f"BASE has: {here or 'no check'}."
        )
    pairs = {place: replace(one, budget=after[place].budget) for place, one in before.items() if place in after}
    return replace(base, results=tuple(pairs.values()))


def _by_place(report: Report, name: str) -> dict[tuple[str, str], CheckResult]:
    found = {(str(result.variant), result.profile.id): result for result in report.results}
    if len(found) < len(report.results):
        raise UsageError(
            f"{name} has several models, but --across compares one with one.", "Write a results file for each."
        )
    return found


def _compared(head: Report, baseline: Baseline) -> Report:
    """The report on growth alone: verdicts on limits belong to the check."""
    bare = (replace(result, verdicts=(), caveats=()) for result in head.results)
    results = [baseline.judge(result, head.host) for result in bare]
    missing = () if head.shard else gone(baseline.report, [result.lasting_name for result in head.results])
    if results:
        results[-1] = replace(results[-1], caveats=(*results[-1].caveats, *missing))
    elif missing:
        raise UndecidedError(f"HEAD has no check. {missing[0].message}", missing[0].advice)
    return replace(head, results=tuple(results))
