"""The commands: a table from each name to the module that is imported when the command is called."""

from __future__ import annotations

from collections.abc import Mapping
from importlib import import_module
from typing import TYPE_CHECKING, Any, cast

import click

from edgecheck import __version__

if TYPE_CHECKING:
    from click.shell_completion import CompletionItem

#: Command -> (module with `command`, one line of help).
COMMANDS = {
    "init": ("edgecheck.cli.init", "Set up a project: measure a model, write its first files."),
    "check": ("edgecheck.cli.check", "Check models against budgets: the main command."),
    "compare": ("edgecheck.cli.compare", "Compare two results files: did anything grow?"),
    "report": ("edgecheck.cli.report", "Render saved results in another format."),
    "history": ("edgecheck.cli.history", "Keep results over time; show what changed and what creeps."),
    "comment": ("edgecheck.cli.comment", "Post the report on a pull request, or update it."),
    "budget": ("edgecheck.cli.budget", "Write, tighten and lint budgets, or print their schema."),
    "fit": ("edgecheck.cli.fit", "Find the variant that fits a device with the least loss."),
    "convert": ("edgecheck.cli.convert", "Convert a model and report its size and accuracy loss."),
    "devices": ("edgecheck.cli.devices", "List device profiles; show, make or calibrate one."),
    "size": ("edgecheck.cli.size", "Show where a model's bytes are, and what grew."),
    "profile": ("edgecheck.cli.profile", "Show what each operator takes, and what grew."),
    "sweep": ("edgecheck.cli.sweep", "Show what a model's size and speed depend on."),
    "emulator": ("edgecheck.cli.emulator", "Build, import or inspect the emulated machine."),
    "cache": ("edgecheck.cli.cache", "Show or clear the cache, here or on a device."),
    "doctor": ("edgecheck.cli.doctor", "Check this machine: what works, and what to install."),
    "completion": ("edgecheck.cli.completion", "Print a shell completion script."),
}

_HELP = """\
Will this model fit that device?

edgecheck converts a trained model to a format that the device runs, runs it
there, samples its memory, and reports pass or fail, metric by metric.

\b
Examples:
  edgecheck check                               every budget under ./budgets
  edgecheck check budgets/doorbell.yaml         one budget
  edgecheck check model.tflite --limit ram_peak=80MiB --limit latency_p50=50ms
  edgecheck check model.onnx --device raspberry-pi-4-2gb
  edgecheck devices show raspberry-pi-4-2gb

\b
Exit codes: 0 every limit holds, 1 a limit does not hold, 2 invalid usage,
budget, profile or model, 3 something could not be decided, 70 internal error,
130 interrupted.
"""


class ReaderGoneError(Exception):
    """Nobody reads our output any more; under another name than click's, which ends with 1: a limit does not hold."""


class LazyGroup(click.Group):
    """A group some of whose commands are imported when they are called.

    Args:
        modules: Those commands: for each its module and its line of help, so that listing them imports none.
        attributes: What `click.Group` takes.
    """

    def __init__(self, *, modules: Mapping[str, tuple[str, str]], **attributes: Any) -> None:
        super().__init__(**attributes)
        self._modules = modules

    def invoke(self, ctx: click.Context) -> object:
        """Run the command that was asked for."""
        try:
            return super().invoke(ctx)
        except BrokenPipeError as gone:
            raise ReaderGoneError from gone

    def list_commands(self, ctx: click.Context) -> list[str]:
        """In the table's order; sorted where others are among them."""
        own = super().list_commands(ctx)
        return sorted([*self._modules, *own]) if own else list(self._modules)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """The command, imported if it is one of the table's."""
        if cmd_name not in self._modules:
            return super().get_command(ctx, cmd_name)
        return cast("click.Command", import_module(self._modules[cmd_name][0]).command)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """The list of commands in the group's help."""
        with formatter.section("Commands"):
            formatter.write_dl(self._lines(ctx))

    def shell_complete(self, ctx: click.Context, incomplete: str) -> list[CompletionItem[str]]:
        """The commands that begin so, each with its line of help."""
        from click.shell_completion import CompletionItem

        items = [CompletionItem(name, help=line) for name, line in self._lines(ctx) if name.startswith(incomplete)]
        return [*items, *click.Command.shell_complete(self, ctx, incomplete)]

    def _lines(self, ctx: click.Context) -> list[tuple[str, str]]:
        return [
            (name, self._modules[name][1] if name in self._modules else self.commands[name].get_short_help_str(80))
            for name in self.list_commands(ctx)
        ]


@click.group(
    cls=LazyGroup,
    modules=COMMANDS,
    help=_HELP,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 80},
)
@click.version_option(__version__, message="edgecheck %(version)s")
def cli() -> None:
    """All commands."""
