"""Runs the command line: the one place where errors become messages and exit codes."""

from __future__ import annotations

import errno
import io
import os
import signal
import sys
import textwrap
from collections.abc import Sequence
from contextlib import suppress
from typing import TYPE_CHECKING, NoReturn

import click

from edgecheck import __version__
from edgecheck.cli.commands import ReaderGoneError, cli
from edgecheck.core.text import clean, middle_cut
from edgecheck.errors import ConfigError, EdgecheckError, UsageError
from edgecheck.leases import releasing

if TYPE_CHECKING:
    from types import FrameType

INTERNAL_ERROR = 70
INTERRUPTED = 130

_NAMES = frozenset({errno.ENAMETOOLONG, errno.ELOOP})
_FULL = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO})

#: Characters of a path in a message.
_SHOWN = 200


def main(argv: Sequence[str]) -> int:
    """Run the command line and return the exit code."""
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, _interrupt)
    try:
        with releasing():
            code = cli.main(args=list(argv), prog_name="edgecheck", standalone_mode=False)
    except click.exceptions.Exit as stop:
        return stop.exit_code
    except click.ClickException as error:
        shown = io.StringIO()
        error.show(shown)
        _say(shown.getvalue().rstrip("\n"))
        return error.exit_code
    except EdgecheckError as error:
        _show(error)
        return error.exit_code
    except (KeyboardInterrupt, click.Abort):
        _say("edgecheck: interrupted.")
        return INTERRUPTED
    except (BrokenPipeError, ReaderGoneError):
        return INTERRUPTED
    except Exception as error:  # noqa: BLE001 - the one place: whatever gets here is our bug, and is reported as one
        return _refused(error) if isinstance(error, OSError) else _internal_error(error)
    return code if isinstance(code, int) else 0


def _interrupt(_number: int, _frame: FrameType | None) -> NoReturn:
    """A request to stop is an interruption like Ctrl-C: what was started is ended, and results are kept."""
    raise KeyboardInterrupt


def _show(error: EdgecheckError) -> None:
    """Problems in files start their lines, where editors turn them into links; other messages start with our name."""
    _say(error.message if isinstance(error, ConfigError) else f"edgecheck: {error.message}")
    if error.hint:
        _say(textwrap.indent(error.hint, "  "))


def _say(message: str) -> None:
    """Print to stderr, where anybody listens, without characters of files and devices that control a terminal."""
    with suppress(OSError, ValueError):
        click.echo("\n".join(map(clean, message.split("\n"))), err=True)


def _refused(error: OSError) -> int:
    """What the system refuses wherever it is asked: a name that no file can have, and a place that is full."""
    if error.errno in _NAMES:
        _say(f"edgecheck: {middle_cut(str(error.filename), _SHOWN)}: {error.strerror}.")
        return UsageError.exit_code
    if error.errno in _FULL:
        place = (
            f"{middle_cut(str(error.filename), _SHOWN)}: " if error.filename else "the output could not be written: "
        )
        _say(f"edgecheck: {place}{error.strerror}.")
        return UsageError.exit_code
    return _internal_error(error)


def _internal_error(error: Exception) -> int:
    file = _write_traceback(error)
    _say(f"edgecheck: internal error: {type(error).__name__}: {error}")
    _say(f"  Please report it, with {file} and the output of `edgecheck doctor`.")
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
