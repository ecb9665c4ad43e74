"""The commands, each imported when it is called, and the one place where errors become exit codes."""

from __future__ import annotations

import os
import signal
import sys
import textwrap
from importlib import import_module
from typing import TYPE_CHECKING, NoReturn, cast

import click

from edgecheck import __version__
from edgecheck.errors import ConfigError, EdgecheckError

if TYPE_CHECKING:
    from collections.abc import Sequence
    from types import FrameType

    from click.shell_completion import CompletionItem

#: Command -> (module with `command`, one line of help).
COMMANDS = {
    "check": ("edgecheck.cli.check", "Check models against budgets: the main job."),
    "compare": ("edgecheck.cli.compare", "Compare two results: did anything grow?"),
    "report": ("edgecheck.cli.report", "Tell earlier results in another format."),
    "budget": ("edgecheck.cli.budget", "Write, tighten and lint budgets, or write their schema."),
    "fit": ("edgecheck.cli.fit", "Find the variant that fits a device and loses the least."),
    "convert": ("edgecheck.cli.convert", "Convert a model and say what it cost."),
    "devices": ("edgecheck.cli.devices", "List device profiles, or show one."),
    "size": ("edgecheck.cli.size", "Show where a model's bytes are, and what grew."),
    "emulator": ("edgecheck.cli.emulator", "Build, import or look into the emulated machine."),
    "cache": ("edgecheck.cli.cache", "Show or clear what is kept, here or on a device."),
    "doctor": ("edgecheck.cli.doctor", "Say what works here and what to install for the rest."),
    "completion": ("edgecheck.cli.completion", "Write the script that makes a shell complete words."),
}

FAULT = 70
INTERRUPTED = 130


_HELP = """\
Will this model fit that device?

edgecheck converts a trained model to what the device runs, runs it there,
samples its memory, and says pass or fail, metric by metric.

\b
Examples:
  edgecheck check                               every budget under ./budgets
  edgecheck check budgets/doorbell.yaml         one budget
  edgecheck check model.tflite --limit ram_peak=80MiB --limit latency_p50=50ms
  edgecheck check model.onnx --device raspberry-pi-4-2gb
  edgecheck devices show raspberry-pi-4-2gb

\b
Exit codes: 0 every limit holds, 1 a limit does not hold, 2 wrong usage,
budget, profile or model, 3 something could not be decided, 70 a fault of
edgecheck's own, 130 interrupted.
"""


class _Commands(click.Group):
    def list_commands(self, ctx: click.Context) -> list[str]:
        del ctx
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in COMMANDS:
            return super().get_command(ctx, cmd_name)
        return cast("click.Command", import_module(COMMANDS[cmd_name][0]).command)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """The table's own lines: to list the commands none of them is imported."""
        del ctx
        with formatter.section("Commands"):
            formatter.write_dl([(name, line) for name, (_, line) in COMMANDS.items()])

    def shell_complete(self, ctx: click.Context, incomplete: str) -> list[CompletionItem[str]]:
        """The table's own lines here too."""
        from click.shell_completion import CompletionItem

        named = [CompletionItem(name, help=line) for name, (_, line) in COMMANDS.items() if name.startswith(incomplete)]
        return [*named, *click.Command.shell_complete(self, ctx, incomplete)]


@click.group(
    cls=_Commands, help=_HELP, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 80}
)
@click.version_option(__version__, message="edgecheck %(version)s")
def cli() -> None:
    """All commands."""


def main(argv: Sequence[str]) -> int:
    """Run the command line; the exit code is the answer."""
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, _interrupted)
    try:
        answer = cli.main(args=list(argv), prog_name="edgecheck", standalone_mode=False)
    except click.exceptions.Exit as stop:
        return stop.exit_code
    except click.ClickException as error:
        error.show()
        return error.exit_code
    except EdgecheckError as error:
        _say(error)
        return error.exit_code
    except (KeyboardInterrupt, click.Abort):
        click.echo("edgecheck: interrupted.", err=True)
        return INTERRUPTED
    except BrokenPipeError:
        sys.stderr.close()  # whoever read our output has gone; Python would complain of it at exit
        return INTERRUPTED
    except Exception as error:  # noqa: BLE001 - the one place: what gets here is a fault of ours, told as such
        return _fault(error)
    return answer if isinstance(answer, int) else 0


def _interrupted(_number: int, _frame: FrameType | None) -> NoReturn:
    """Being told to stop is an interruption like Ctrl-C: what was started is ended, what is done is kept."""
    raise KeyboardInterrupt


def _say(error: EdgecheckError) -> None:
    """The message; problems in files stand at the start of their lines, where editors make them links."""
    click.echo(error.message if isinstance(error, ConfigError) else f"edgecheck: {error.message}", err=True)
    if error.hint:
        click.echo(textwrap.indent(error.hint, "  "), err=True)


def _fault(error: Exception) -> int:

    place = _keep(error)
    click.echo(f"edgecheck: a fault of edgecheck's own: {type(error).__name__}: {error}", err=True)
    click.echo(f"  Please report it, with {place} and the output of `edgecheck doctor`.", err=True)
    return FAULT


def _keep(error: Exception) -> str:
    """Write the traceback of an internal error and what it ran on; the path of the file."""
    import platform
    import tempfile
    import traceback

    handle, place = tempfile.mkstemp(prefix="edgecheck-fault-", suffix=".txt")
    with os.fdopen(handle, "w", encoding="utf-8") as file:
        file.write(f"edgecheck {__version__}, Python {platform.python_version()}, {platform.platform()}\n")
        file.write(f"arguments: {sys.argv[1:]}\n\n")
        file.writelines(traceback.format_exception(error))
    return place
