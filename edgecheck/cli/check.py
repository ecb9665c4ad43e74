"""`edgecheck check`: budgets or models in, verdicts out."""

from __future__ import annotations

import re
from contextlib import ExitStack
from pathlib import Path

import click

from edgecheck.checks.invocation import InvocationRequest, plan_invocation
from edgecheck.checks.plan import AUTO, Selection, Shard
from edgecheck.cli import options
from edgecheck.cli.outputs import FormatParam, Outputs
from edgecheck.cli.progress import Progress
from edgecheck.cli.results import Results
from edgecheck.cli.resume import resumable
from edgecheck.config import load_project
from edgecheck.converters.interface import AS_IS, VARIANTS
from edgecheck.core.report import exit_code
from edgecheck.reports import FORMATS

# RF-SECTION shard: `--shard 2/4` on the command line.


class ShardParam(click.ParamType[Shard]):
    """`K/N`: the K-th of N parts."""

    name = "K/N"

    def convert(self, value: str | Shard, param: click.Parameter | None, ctx: click.Context | None) -> Shard:
        """The shard."""
        if isinstance(value, Shard):
            return value
        written = re.fullmatch(r"([0-9]{1,6})/([0-9]{1,6})", value)
        if written is None:
            self.fail(f"{value!r} is no shard: write which of how many, as in 2/4.", param, ctx)
        shard = Shard(int(written[1]), int(written[2]))
        if not 1 <= shard.number <= shard.count:
            parts = f"from 1/{shard.count} to {shard.count}/{shard.count}" if shard.count else "from 1/1 on"
            self.fail(f"there is no shard {value}: they go {parts}.", param, ctx)
        return shard


_EXAMPLES = """
\b
Examples:
  edgecheck check                                    every budget under ./budgets
  edgecheck check budgets/doorbell.yaml
  edgecheck check model.tflite --limit ram_peak=80MiB --limit latency_p50=50ms
  edgecheck check model.onnx --device raspberry-pi-4-2gb --limit size=2MB
  edgecheck check --target qemu -j 2                 every device, emulated, two at once
  edgecheck check --target raspberry-pi-4-2gb=ssh://pi@rack-1
  edgecheck check --format json=report.json          the report for programs too
  edgecheck check --shard 2/4                        one part of the checks of four
  edgecheck check --resume                           go on after an interruption
"""

_RESULTS = click.Path(path_type=Path)


@click.command("check", epilog=_EXAMPLES)
@click.argument("paths", nargs=-1, type=click.Path(path_type=Path), metavar="[BUDGET|FOLDER|MODEL]...")
@options.DEVICE
@options.TARGET
@options.LIMIT
@options.PROFILES
@click.option(
    "--format",
    "formats",
    multiple=True,
    type=FormatParam(),
    help=f"{', '.join(FORMATS)}; =FILE writes it there. May be repeated.",
)
@click.option(
    "--fail-on",
    type=click.Choice(["fail", "warn"]),
    default="fail",
    help="What exits with 1. [default: fail]",
)
@click.option(
    "--on-unknown",
    type=click.Choice(["unknown", "fail", "warn", "ignore"]),
    help="What an undecided limit counts as, for all limits.",
)
@click.option("--baseline", type=_RESULTS, metavar="FILE", help="Earlier results (JSON) that nothing may grow from.")
@click.option(
    "--merge-base", type=_RESULTS, metavar="FILE", help="Results of the commit that the change began at, to tell drift."
)
@click.option(
    "--variant",
    "variants",
    multiple=True,
    type=click.Choice([AUTO, AS_IS, *VARIANTS]),
    metavar="NAME",
    help="Convert a model given without a budget: as-is, float32, float16, int8-weights, int8-dynamic or int8; or "
    "auto, the least lossy that fits.",
)
@options.TRUST
@options.MACHINES
@click.option("--shard", type=ShardParam(), metavar="K/N", help="Do the K-th of N equal parts of the checks.")
@click.option("--resume", "resuming", is_flag=True, help="Take over what an interrupted check of the same has done.")
@click.option("--quiet", "-q", is_flag=True, help="Print only what does not hold, and the answer.")
def command(
    paths: tuple[Path, ...],
    devices: tuple[str, ...],
    targets: tuple[str, ...],
    limits: tuple[str, ...],
    profiles: tuple[Path, ...],
    formats: tuple[tuple[str, str], ...],
    fail_on: str,
    on_unknown: str | None,
    baseline: Path | None,
    merge_base: Path | None,
    variants: tuple[str, ...],
    machines: int,
    shard: Shard | None,
    *,
    trust: bool,
    resuming: bool,
    quiet: bool,
) -> int:
    """Check models against budgets.

    Give budget files, folders of them, or model files. A model without a
    budget is checked against --limit and its profile's limits, on this
    machine unless --device says otherwise.
    """
    selection = Selection(
        paths=paths,
        devices=devices,
        limits=limits,
        profiles=profiles,
        on_unknown=on_unknown,
        trust=trust,
        variants=variants,
    )
    request = InvocationRequest(
        selection=selection, targets=targets, baseline=baseline, merge_base=merge_base, machines=machines, shard=shard
    )
    planned, before = resumable(plan_invocation(request, load_project(Path.cwd())), Path.cwd(), resuming=resuming)
    report = planned.empty
    with ExitStack() as stack:
        outputs = stack.enter_context(Outputs(formats, quiet=quiet))
        results = stack.enter_context(Results(Path.cwd(), len(planned.checks)))
        progress = stack.enter_context(Progress(len(planned.checks)))
        for report in planned.reports(progress.tell):
            results.keep(report)  # first: what is shown is safe
            progress.next()
            outputs.show(report.results[-1])
        progress.stop()
        outputs.finish(report)
        outputs.tell_job(report)
        results.finish()
        before.clear()
    if shard is not None and not planned.checks:
        click.echo(f"edgecheck: shard {shard} has no check: there are fewer checks than shards.", err=True)
        return 0
    return exit_code(report, fail_on_warn=fail_on == "warn")
