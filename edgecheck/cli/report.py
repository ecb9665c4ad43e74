"""`edgecheck report`: renders saved results in any format."""

from __future__ import annotations

from pathlib import Path

import click

from edgecheck.checks import baseline
from edgecheck.cli import options
from edgecheck.cli.outputs import Outputs
from edgecheck.core.text import listed
from edgecheck.errors import UndecidedError
from edgecheck.reports import FORMATS, Style

#: The most missing shards to name.
_NAMED = 10

_EXAMPLES = """
\b
Examples:
  edgecheck report head.json
  edgecheck report head.json --format markdown=summary.md --format junit=report.xml
  edgecheck report shard-1.json shard-2.json --format json=all.json
"""


@click.command("report", epilog=_EXAMPLES)
@click.argument("files", nargs=-1, required=True, type=click.Path(path_type=Path, allow_dash=True), metavar="FILE...")
@options.format_option(FORMATS)
@options.VERBOSE
@options.QUIET
def command(files: tuple[Path, ...], formats: tuple[tuple[str, str], ...], *, verbose: bool, quiet: bool) -> int:
    """Render saved results in another format.

    Takes what `edgecheck check --format json=FILE` wrote, or files under
    .edgecheck/results; - is stdin. Several files become one report. Nothing
    is measured or judged: the exit code is 0 even if limits failed, or 3 if
    one of the shards of a check is missing.
    """
    with Outputs(formats, Style(verbose=verbose, quiet=quiet)) as outputs:
        reports = [baseline.load(file) for file in files]
        report = baseline.joined(reports)
        for result in report.results:
            outputs.show(result, is_only=len(report.results) == 1)
        outputs.finish(report)
    if missing := baseline.missing_shards(reports):
        click.echo(f"edgecheck: {_subject(missing)} missing from these reports.", err=True)
        return UndecidedError.exit_code
    return 0


def _subject(shards: list[str]) -> str:
    if len(shards) == 1:
        return f"shard {shards[0]} is"
    return f"shards {listed(shards, _NAMED)} are"
