"""`edgecheck report`: results that are there already, told in another format."""

from __future__ import annotations

from pathlib import Path

import click

from edgecheck.checks import report_files
from edgecheck.cli.outputs import FormatParam, Outputs
from edgecheck.errors import UndecidedError
from edgecheck.reports import FORMATS

_MOST_TOLD = 10

_EXAMPLES = """
\b
Examples:
  edgecheck report head.json
  edgecheck report head.json --format markdown=summary.md --format junit=report.xml
  edgecheck report shard-1.json shard-2.json --format json=all.json
"""


@click.command("report", epilog=_EXAMPLES)
@click.argument("files", nargs=-1, required=True, type=click.Path(path_type=Path, allow_dash=True), metavar="FILE...")
@click.option(
    "--format",
    "formats",
    multiple=True,
    type=FormatParam(),
    help=f"{', '.join(FORMATS)}; =FILE writes it there. May be repeated.",
)
@click.option("--quiet", "-q", is_flag=True, help="Print only what does not hold, and the answer.")
def command(files: tuple[Path, ...], formats: tuple[tuple[str, str], ...], *, quiet: bool) -> int:
    """Tell the results in JSON files once more, in any format.

    Give what `edgecheck check --format json=FILE` wrote, or one of the files
    under .edgecheck/results; - is stdin. Several become one report. Nothing
    is measured and nothing is judged: exits with 0 whatever the results say,
    and with 3 where one of the shards of a check is missing.
    """
    with Outputs(formats, quiet=quiet) as outputs:
        reports = [report_files.load(file) for file in files]
        report = report_files.joined(reports)
        for result in report.results:
            outputs.show(result)
        outputs.finish(report)
    if missing := report_files.missing_shards(reports):
        click.echo(f"edgecheck: {_told(missing)} not among these reports.", err=True)
        return UndecidedError.exit_code
    return 0


def _told(shards: list[str]) -> str:
    if len(shards) == 1:
        return f"shard {shards[0]} is"
    more = f" and {len(shards) - _MOST_TOLD:,} more" if len(shards) > _MOST_TOLD else ""
    return f"shards {', '.join(shards[:_MOST_TOLD])}{more} are"
