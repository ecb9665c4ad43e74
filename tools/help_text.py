"""Writes `edgecheck/cli/help.txt`, which `edgecheck --help` prints without importing click; a test holds them equal."""

from __future__ import annotations

from pathlib import Path

from click.testing import CliRunner

from edgecheck.cli.commands import cli


def help_text() -> str:
    """The help that click prints, at 80 columns."""
    return CliRunner().invoke(cli, ["--help"], prog_name="edgecheck", terminal_width=80).output


if __name__ == "__main__":
    Path(__file__).parents[1].joinpath("edgecheck/cli/help.txt").write_text(help_text(), encoding="utf-8")
