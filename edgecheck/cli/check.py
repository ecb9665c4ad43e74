"""`edgecheck check`: budgets or models in, verdicts out."""

from __future__ import annotations

import platform
import time
from contextlib import ExitStack
from datetime import datetime, timezone
from pathlib import Path
from typing import TYPE_CHECKING

import click
from platformdirs import user_cache_path

from edgecheck import __version__, pipeline
from edgecheck.cli.baseline import baseline_for_check
from edgecheck.cli.outputs import FormatParam, Outputs
from edgecheck.cli.progress import Progress
from edgecheck.cli.results import Results
from edgecheck.cli.selection import Selection, select
from edgecheck.cli.targets import addresses
from edgecheck.config import load_project
from edgecheck.converters import AS_IS, VARIANTS, Workshop
from edgecheck.core.report import Report, exit_code
from edgecheck.reports import FORMATS

if TYPE_CHECKING:
    from edgecheck.core.report import CheckResult

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
"""

_RESULTS = click.Path(path_type=Path)


@click.command("check", epilog=_EXAMPLES)
@click.argument("paths", nargs=-1, type=click.Path(path_type=Path), metavar="[BUDGET|FOLDER|MODEL]...")
@click.option("--device", "devices", multiple=True, metavar="ID", help="Check only this device; may be repeated.")
@click.option(
    "--target",
    "targets",
    multiple=True,
    metavar="[DEVICE=]ADDRESS",
    help="Where to run: local, qemu or ssh://USER@HOST; for one device or for all.",
)
@click.option(
    "--limit",
    "limits",
    multiple=True,
    metavar="METRIC=VALUE",
    help="A limit for a model given without a budget.",
)
@click.option(
    "--profiles",
    multiple=True,
    type=click.Path(path_type=Path, exists=True, file_okay=False),
    metavar="FOLDER",
    help="Look for device profiles here first.",
)
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
    type=click.Choice([AS_IS, *VARIANTS]),
    metavar="NAME",
    help="Convert a model given without a budget: as-is, float32, float16, int8-weights, int8-dynamic or int8.",
)
@click.option("--trust", is_flag=True, help="Let model files and factories run code of their own.")
@click.option("-j", "machines", type=click.IntRange(1), default=1, help="Emulated machines at once. [default: 1]")
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
    *,
    trust: bool,
    quiet: bool,
) -> int:
    """Check models against budgets.

    Give budget files, folders of them, or model files. A model without a
    budget is checked against --limit and its profile's limits, on this
    machine unless --device says otherwise.
    """
    started = time.monotonic()
    project = load_project(Path.cwd())
    budgets = select(Selection(paths, devices, limits, profiles, on_unknown, trust, variants), project)
    earlier = baseline_for_check(baseline, merge_base, (budget.path for budget in budgets), on_unknown)
    checks = pipeline.plan(budgets, addresses(targets, project, budgets))
    report = Report((), __version__, _host(), datetime.now(timezone.utc).isoformat(timespec="seconds"), 0.0)
    with ExitStack() as stack:
        outputs = stack.enter_context(Outputs(formats, quiet=quiet))
        progress = stack.enter_context(Progress(len(checks)))
        results = Results(Path.cwd())
        workshop = Workshop(user_cache_path("edgecheck"))
        for seen in pipeline.perform(checks, workshop, progress.tell, machines=machines):
            result = earlier.judged(seen, report.host) if earlier is not None else seen
            report = _with(report, result, time.monotonic() - started)
            progress.next()
            outputs.show(result)
            results.keep(report)
        progress.stop()
        outputs.finish(report)
        outputs.tell_job(report)
    return exit_code(report, fail_on_warn=fail_on == "warn")


def _with(report: Report, result: CheckResult, seconds: float) -> Report:
    return Report((*report.results, result), report.version, report.host, report.started, seconds)


def _host() -> str:
    return f"{platform.system()} {platform.machine()} {platform.node()}"
