"""`edgecheck check`: checks models against budgets."""

from __future__ import annotations

import re
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import click

from edgecheck.checks.check import Check
from edgecheck.checks.from_model import ModelSettings
from edgecheck.checks.invocation import Invocation, InvocationRequest, plan_invocation
from edgecheck.checks.plan import AUTO, Selection, Shard
from edgecheck.cli import options
from edgecheck.cli.outputs import Outputs, ensure_places
from edgecheck.cli.progress import Progress
from edgecheck.cli.results import Results, keep_over_time
from edgecheck.cli.resume import resumable
from edgecheck.config import load_project
from edgecheck.converters.interface import AS_IS, VARIANTS
from edgecheck.core.report import Report, exit_code
from edgecheck.errors import UsageError
from edgecheck.reports import FORMATS, Style

if TYPE_CHECKING:
    from edgecheck.checks.steps import Step

    ShardType = click.ParamType[Shard]
else:  # generic from click 8.3 on; Debian 13 has 8.2
    ShardType = click.ParamType


class ShardParam(ShardType):
    """`K/N`: the K-th of N parts."""

    name = "K/N"

    def convert(self, value: str | Shard, param: click.Parameter | None, ctx: click.Context | None) -> Shard:
        """The shard."""
        if isinstance(value, Shard):
            return value
        written = re.fullmatch(r"([0-9]{1,6})/([0-9]{1,6})", value)
        if written is None:
            self.fail(f"{value!r} is not a shard; write K/N, such as 2/4.", param, ctx)
        shard = Shard(int(written[1]), int(written[2]))
        if not 1 <= shard.number <= shard.count:
            known = f"expected 1/{shard.count} to {shard.count}/{shard.count}" if shard.count else "1/1 is the first"
            self.fail(f"there is no shard {value}; {known}.", param, ctx)
        return shard


_EXAMPLES = """
\b
Examples:
  edgecheck check                                    every budget under ./budgets
  edgecheck check budgets/doorbell.yaml
  edgecheck check model.tflite --limit ram_peak=80MiB --limit latency_p50=50ms
  edgecheck check model.onnx --device raspberry-pi-4-2gb --limit size=2MB
  edgecheck check model.tflite --device all          which devices does it fit? from files
  edgecheck check model.tflite --device 'raspberry-pi-*' --target qemu
  edgecheck check model.tflite --class phone --limit size=4MB
  edgecheck check --target qemu -j 2                 every device, emulated, two at once
  edgecheck check --target raspberry-pi-4-2gb=ssh://pi@rack-1
  edgecheck check --format json=report.json          a report for programs as well
  edgecheck check --watch                            again whenever a model or a budget changes
  edgecheck check --history history.jsonl            keep results over time
  edgecheck check --shard 2/4                        the second of four parts of the checks
  edgecheck check --scheduler tcp://lab:8786         on the hosts of a Dask scheduler
  edgecheck check --resume                           continue after an interruption
"""


@click.command("check", epilog=_EXAMPLES)
@click.argument("paths", nargs=-1, type=click.Path(path_type=Path), metavar="[BUDGET|FOLDER|MODEL]...")
@options.DEVICES
@options.CLASS
@options.TARGET
@options.LIMIT
@options.PROFILES
@options.format_option(FORMATS)
@options.FAIL_ON
@click.option(
    "--on-unknown",
    type=click.Choice(["unknown", "fail", "warn", "ignore"]),
    help="What an undecided limit counts as, for all limits.",
)
@click.option(
    "--baseline",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="Baseline results (JSON); fail if a metric grew beyond its rule.",
)
@options.MERGE_BASE
@click.option(
    "--history",
    type=click.Path(path_type=Path, dir_okay=False),
    metavar="FILE",
    help="Add the results to this history, and warn of a metric that creeps to its limit.",
)
@click.option(
    "--variant",
    "variants",
    multiple=True,
    type=click.Choice([AUTO, AS_IS, *VARIANTS]),
    metavar="NAME",
    help="How to convert a model without a budget: as-is, float32, float16, int8-weights, int8-dynamic or int8; or "
    "auto, the least lossy that fits.",
)
@options.model_options
@options.PIN
@options.TRUST
@options.MACHINES
@options.FRESH
@click.option(
    "--operators",
    is_flag=True,
    help="Profile the operators of every model, so that `compare` can name those that grew.",
)
@click.option(
    "--scheduler",
    default="",
    metavar="ADDRESS",
    help="Run checks on the workers of this Dask scheduler (tcp://host:8786), which have the devices.",
)
@click.option("--shard", type=ShardParam(), metavar="K/N", help="Run the K-th of N equal parts of the checks.")
@click.option(
    "--every-board", is_flag=True, help="Run each check on every board of its device, to see how far they lie apart."
)
@click.option("--watch", is_flag=True, help="Check again when a model or a budget changes, and say what is different.")
@click.option("--resume", "resuming", is_flag=True, help="Continue an interrupted check, reusing its results.")
@options.VERBOSE
@options.QUIET
def command(
    paths: tuple[Path, ...],
    devices: tuple[str, ...],
    classes: tuple[str, ...],
    targets: tuple[str, ...],
    limits: tuple[str, ...],
    profiles: tuple[Path, ...],
    formats: tuple[tuple[str, str], ...],
    fail_on: str,
    on_unknown: str | None,
    baseline: Path | None,
    merge_base: Path | None,
    history: Path | None,
    variants: tuple[str, ...],
    machines: int,
    scheduler: str,
    shard: Shard | None,
    given: ModelSettings,
    *,
    pin: bool,
    trust: bool,
    fresh: bool,
    every_board: bool,
    watch: bool,
    operators: bool,
    resuming: bool,
    verbose: bool,
    quiet: bool,
) -> int:
    """Check models against budgets.

    Takes budget files, folders of budgets, or model files. A model without a
    budget is checked against --limit and the limits of its device profile:
    that of this machine unless --device names another.
    """
    selection = Selection(
        paths=paths,
        devices=devices,
        classes=classes,
        limits=limits,
        profiles=profiles,
        on_unknown=on_unknown,
        trust=trust,
        variants=variants,
        given=given,
        pin=pin,
    )
    request = InvocationRequest(
        selection=selection,
        targets=targets,
        baseline=baseline,
        merge_base=merge_base,
        history=history,
        machines=machines,
        shard=shard,
        scheduler=scheduler,
        fresh=fresh,
        every_board=every_board,
        operators=operators,
    )
    style = Style(verbose=verbose, quiet=quiet)
    once = partial(_once, request, formats, style, resuming=resuming)
    return _ended(_watched(once, paths) if watch else once()[0], shard, fail_on)


def _ended(report: Report | None, shard: Shard | None, fail_on: str) -> int:
    """The exit code; an empty part of the checks passes, and stderr says that it is one."""
    if report is None:
        return UsageError.exit_code
    if shard is not None and not report.results:
        click.echo(f"edgecheck: shard {shard} has no check: there are fewer checks than shards.", err=True)
        return 0
    return exit_code(report, fail_on_warn=fail_on == "warn")


def _once(
    request: InvocationRequest, formats: tuple[tuple[str, str], ...], style: Style, *, resuming: bool
) -> tuple[Report, tuple[Check, ...]]:
    """Plan the checks and do them; the report, and what was planned."""
    planned, interrupted = resumable(_planned(request, formats), Path.cwd(), resuming=resuming)
    style = replace(style, ranked=_is_ranking(request.selection, planned))
    report = _perform(planned, formats, style, request.history)
    interrupted.clear()
    return report, planned.checks


def _watched(once: Callable[[], tuple[Report, tuple[Check, ...]]], paths: tuple[Path, ...]) -> Report | None:
    """Check until Ctrl-C; the last report, or None where there was none."""
    from edgecheck.cli.watch import Watch

    return Watch(once, paths or load_project(Path.cwd()).budgets).forever()


def _is_ranking(selection: Selection, planned: Invocation) -> bool:
    """Whether the question is which of many devices a model fits."""
    is_one_model = len({check.budget.model.path for check in planned.checks}) == 1
    return selection.which.are_open and is_one_model and not any(check.budget.path for check in planned.checks)


def _perform(planned: Invocation, formats: tuple[tuple[str, str], ...], style: Style, history: Path | None) -> Report:
    """Do the checks: keep each result and show it, then write the report."""
    report = planned.empty
    with ExitStack() as stack:
        outputs = stack.enter_context(Outputs(formats, style))
        results = stack.enter_context(Results(Path.cwd(), len(planned.checks)))
        progress = stack.enter_context(Progress(len(planned.checks)))

        def show(words: str) -> None:
            progress.show(words)
            outputs.get_ready()

        def show_step(step: Step) -> None:
            progress.show_step(step)
            outputs.get_ready()

        for report in planned.reports(show, show_step):
            results.keep(report)  # before it is shown: what a person has seen must not be lost
            progress.next()
            outputs.show(report.results[-1], is_only=len(planned.checks) == 1)
        progress.stop()
        outputs.finish(report)
        outputs.annotate_job(report)
        results.finish()
    if history is not None:
        keep_over_time(report, planned.history, history)
    return report


def _planned(request: InvocationRequest, formats: tuple[tuple[str, str], ...]) -> Invocation:
    """The checks to do.

    Raises:
        UsageError: something is wrong with what the request names; the reports that can say so have been written.
    """
    ensure_places(formats)
    try:
        with Progress(1) as progress:
            return plan_invocation(request, load_project(Path.cwd()), progress.show)
    except UsageError as error:
        from edgecheck.cli import mistakes  # few checks have any

        mistakes.report(error, formats)
        raise
