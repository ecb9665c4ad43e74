"""Runs the command line: the one place where errors become messages and exit codes."""

from __future__ import annotations

import os
import signal
import sys
import textwrap
from collections.abc import Sequence
from typing import TYPE_CHECKING, NoReturn

import click

from edgecheck import __version__
from edgecheck.cli.commands import cli
from edgecheck.errors import ConfigError, EdgecheckError

if TYPE_CHECKING:
    from types import FrameType

INTERNAL_ERROR = 70
INTERRUPTED = 130


def main(argv: Sequence[str]) -> int:
    """Run the command line and return the exit code."""
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, _interrupt)
    try:
        code = cli.main(args=list(argv), prog_name="edgecheck", standalone_mode=False)
    except click.exceptions.Exit as stop:
        return stop.exit_code
    except click.ClickException as error:
        error.show()
        return error.exit_code
    except EdgecheckError as error:
        _show(error)
        return error.exit_code
    except (KeyboardInterrupt, click.Abort):
        click.echo("edgecheck: interrupted.", err=True)
        return INTERRUPTED
    except BrokenPipeError:
        sys.stderr.close()  # nobody reads our output any more; Python would complain about it at exit
        return INTERRUPTED
    except Exception as error:  # noqa: BLE001 - the one place: whatever gets here is our bug, and is reported as one
        return _internal_error(error)
    return code if isinstance(code, int) else 0


def _interrupt(_number: int, _frame: FrameType | None) -> NoReturn:
    """A request to stop is an interruption like Ctrl-C: what was started is ended, and results are kept."""
    raise KeyboardInterrupt


def _show(error: EdgecheckError) -> None:
    """Problems in files start their lines, where editors turn them into links; other messages start with our name."""
    click.echo(error.message if isinstance(error, ConfigError) else f"edgecheck: {error.message}", err=True)
    if error.hint:
        click.echo(textwrap.indent(error.hint, "  "), err=True)


def _internal_error(error: Exception) -> int:
    file = _write_traceback(error)
    click.echo(f"edgecheck: internal error: {type(error).__name__}: {error}", err=True)
    click.echo(f"  Please report it, with {file} and the output of `edgecheck doctor`.", err=True)
    return INTERNAL_ERROR


def _write_traceback(error: Exception) -> str:
    """Write the traceback, our version and the machine to a temporary file; returns its path."""
    import platform
    import tempfile
    import traceback

    handle, path = tempfile.mkstemp(prefix="edgecheck-fault-", suffix=".txt")
    with os.fdopen(handle, "w", encoding="utf-8") as file:
        file.write(f"edgecheck {__version__}, Python {platform.python_version()}, {platform.platform()}\n")
        file.write(f"arguments: {sys.argv[1:]}\n\n")
        file.writelines(traceback.format_exception(error))
    return path
