"""`edgecheck history`: keeps results over time, and shows what changed and what creeps to its limit."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from edgecheck.checks import history
from edgecheck.checks.history import DEFAULT, Left, Wanted
from edgecheck.cli import options
from edgecheck.cli.commands import LazyGroup
from edgecheck.cli.files import write_report
from edgecheck.cli.outputs import ensure_places, print_report, terminal_style
from edgecheck.cli.progress import Progress
from edgecheck.cli.results import PLACE
from edgecheck.core.creep import Trend, trend_of
from edgecheck.core.history import readings_of
from edgecheck.core.metrics import METRICS
from edgecheck.errors import UsageError
from edgecheck.reports.history import BINARY, FORMATS, render_binary, render_history

if TYPE_CHECKING:
    from edgecheck.core.report import Report

_FILE = options.file_option(DEFAULT, "The history file.")


@click.group(
    "history",
    cls=LazyGroup,
    modules={},
    epilog="\b\nExamples:\n  edgecheck history add                        results under .edgecheck/results\n"
    "  edgecheck history add main.json --file history.jsonl\n"
    "  edgecheck history show --metric size\n"
    "  edgecheck history show --format html=trends.html\n"
    "  edgecheck history badge --metric size -o size.svg",
)
def command() -> None:
    """Keep results over time; show what changed, and what creeps to a limit.

    The history is a file of JSON lines to which results are only added, by
    any number of jobs at once. `edgecheck check --history FILE` adds to it
    after each check and warns before a metric that creeps to its limit fails.
    """


@command.command(
    "add",
    short_help="Add results to the history, also old ones.",
    epilog="\b\nExamples:\n  edgecheck history add\n"
    "  edgecheck history add old/*.json --branch main\n"
    "  edgecheck history add release.json --commit v1.4.0",
)
@click.argument("reports", nargs=-1, type=click.Path(path_type=Path, allow_dash=True), metavar="[REPORT]...")
@_FILE
@click.option("--commit", default="", metavar="NAME", help="The commit that the results are of. [default: none]")
@click.option("--branch", default="", metavar="NAME", help="The branch that the results are of. [default: none]")
def add_command(reports: tuple[Path, ...], path: Path, commit: str, branch: str) -> int:
    """Add results to the history; those that it has already are not added again.

    Takes what `edgecheck check --format json=FILE` wrote; without a name, all
    files under .edgecheck/results. Reports do not say which commit they are
    of: name it with --commit, or add them as they come with
    `edgecheck check --history FILE`, which asks the CI job or git.
    """
    from edgecheck.checks import baseline

    files = reports or tuple(sorted((Path.cwd() / PLACE).glob("*.json")))
    if not files:
        raise UsageError(f"There are no results under {PLACE}.", "Name reports: edgecheck history add REPORT.json")
    loaded = [baseline.load(file) for file in files]
    with Progress(1) as progress:
        count = sum(
            history.append(path, readings_of(report, commit, branch), progress.show) for report in _by_time(loaded)
        )
    click.echo(f"{path}: {count:,} figures of {len(files):,} report{'s' if len(files) != 1 else ''} added.", err=True)
    return 0


def _by_time(reports: list[Report]) -> list[Report]:
    return sorted(reports, key=lambda report: report.started)


def _complete_metrics(_context: click.Context, _option: click.Parameter, incomplete: str) -> list[str]:
    return [name for name in METRICS if name.startswith(incomplete)]


def _selecting(decorated: click.decorators.FC) -> click.decorators.FC:
    """Options that select readings."""
    for option in reversed(
        (
            _FILE,
            click.option(
                "--model", "lineage", default="", metavar="TEXT", help="Only budgets or models with TEXT in their name."
            ),
            click.option("--variant", default="", metavar="NAME", help="Only this variant."),
            click.option(
                "--device", default="", metavar="ID", shell_complete=options.complete_devices, help="Only this device."
            ),
            click.option("--branch", default="", metavar="NAME", help="Only results of this branch."),
            click.option(
                "--metric",
                "metrics",
                multiple=True,
                metavar="NAME",
                shell_complete=_complete_metrics,
                help="Only this metric; may be repeated.",
            ),
        )
    ):
        decorated = option(decorated)
    return decorated


@command.command(
    "show",
    short_help="Show metrics over time, with their steps and outlook.",
    epilog="\b\nExamples:\n  edgecheck history show\n"
    "  edgecheck history show --metric size --device raspberry-pi-4-2gb\n"
    "  edgecheck history show --branch main --format html=trends.html\n"
    "  edgecheck history show --format csv > history.csv\n"
    "  edgecheck history show --format parquet=history.parquet       needs pyarrow",
)
@_selecting
@options.format_option((*FORMATS, *BINARY))
def show_command(
    path: Path,
    lineage: str,
    variant: str,
    device: str,
    branch: str,
    metrics: tuple[str, ...],
    formats: tuple[tuple[str, str], ...],
) -> int:
    """Show each metric over time.

    Of an exact metric (files, instructions) every step is named with its
    commit; of a measured one the commits at which it changed, with the
    probability that it is a change and not noise. A metric that creeps to
    its limit is shown with the month in which it will fail at this rate.
    """
    ensure_places(formats)
    if any(name in BINARY and not file for name, file in formats):
        raise UsageError(
            "Parquet is not text: it needs a file.", "edgecheck history show --format parquet=history.parquet"
        )
    wanted = Wanted(lineage=lineage, variant=variant, device=device, branch=branch, metrics=metrics)
    trends = _trends(path, wanted)
    usual = trends if metrics else tuple(trend for trend in trends if _is_usual(trend))
    for name, file in formats or (("terminal", ""),):
        if name in BINARY:
            _write_binary(name, Path(file), trends)
            continue
        text = render_history(name, usual if name in _FOR_PEOPLE else trends, terminal_style())
        if file:
            write_report(Path(file), text)
        else:
            print_report(name, text)
    return 0


#: Formats without the less common percentiles, unless they are named or limited.
_FOR_PEOPLE = ("terminal", "html")


def _is_usual(trend: Trend) -> bool:
    metric = METRICS.get(trend.series.key.metric)
    return metric is None or metric.shown_by_default or trend.moments[-1].limit is not None


def _trends(path: Path, wanted: Wanted) -> tuple[Trend, ...]:
    left = Left()
    found = history.read(path, wanted, left)
    for words in left.words(path):
        click.echo(f"edgecheck: {words}", err=True)
    return tuple(map(trend_of, found))


def _write_binary(name: str, file: Path, trends: tuple[Trend, ...]) -> None:
    try:
        content = render_binary(name, trends)
    except ImportError as error:
        raise UsageError(f"{name} needs pyarrow.", "pip install 'edgecheck-ml[parquet]'") from error
    write_report(file, content)


@command.command(
    "badge",
    short_help="Write a badge with a metric's last figure, as SVG.",
    epilog="\b\nExample:\n  edgecheck history badge --metric size --device raspberry-pi-4-2gb -o size.svg",
)
@_selecting
@click.option("--label", default="", metavar="TEXT", help="The badge's name. [default: the metric]")
@click.option(
    "-o", "--output", type=click.Path(path_type=Path), metavar="FILE", help="Write to FILE instead of stdout."
)
def badge_command(
    path: Path,
    lineage: str,
    variant: str,
    device: str,
    branch: str,
    metrics: tuple[str, ...],
    label: str,
    output: Path | None,
) -> int:
    """Write a badge with the last figure of a metric, in the colour of its status."""
    from edgecheck.reports.history import subject
    from edgecheck.reports.history.badge import badge

    wanted = Wanted(lineage=lineage, variant=variant, device=device, branch=branch, metrics=metrics)
    trends = _trends(path, wanted)
    if len(trends) != 1:
        names = [f"{trend.series.key.metric} of {subject(trend.series.key)}" for trend in trends[:5]]
        raise UsageError(
            f"A badge shows one metric, and these options select {len(trends):,}.",
            f"Select with --model, --variant, --device and --metric: {'; '.join(names)}" if names else "",
        )
    text = badge(trends[0], label)
    if output is None:
        print_report("svg", text)
    else:
        write_report(output, text)
    return 0
