"""Options and kinds of value that several commands have, each written once, and what Tab completes in them."""

from __future__ import annotations

import functools
from collections.abc import Callable, Collection, Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from edgecheck.core.address import beginnings, forms
from edgecheck.core.device import CLASSES
from edgecheck.core.units import Unit, parse
from edgecheck.errors import UsageError

if TYPE_CHECKING:
    from click.shell_completion import CompletionItem

    ShareType = click.ParamType[float]
    SharesType = click.ParamType[tuple[str, ...]]
    FormatType = click.ParamType[tuple[str, str]]
else:  # generic from click 8.3 on; Debian 13 has 8.2
    ShareType = SharesType = FormatType = click.ParamType


class SharesParam(SharesType):
    """Shares of pruning, separated by commas: `0,0.5,0.9`. Kept as they were written."""

    name = "SHARES"

    def convert(
        self, value: str | tuple[str, ...], param: click.Parameter | None, ctx: click.Context | None
    ) -> tuple[str, ...]:
        """Each share.

        Raises:
            UsageError: one of them is none.
        """
        del param, ctx
        if isinstance(value, tuple):
            return value
        shares = tuple(each.strip() for each in value.split(",") if each.strip())
        try:
            if shares and all(0 <= float(each) < 1 for each in shares):  # not so for nan
                return shares
        except ValueError:
            pass
        raise UsageError(f"--prune {value} is not a list of shares.", "Write numbers from 0 up to 1: --prune 0,0.5,0.9")


class ShareParam(ShareType):
    """A share such as `5%` or `0.05`."""

    name = "SHARE"

    def convert(self, value: str | float, param: click.Parameter | None, ctx: click.Context | None) -> float:
        """The share as a number."""
        try:
            share = parse(value, Unit.RATIO)
        except ValueError as error:
            self.fail(str(error), param, ctx)
        if share > 1:
            self.fail(f"{value} is more than 1; expected a share from 0 to 1, such as 5%", param, ctx)
        return share


class FormatParam(FormatType):
    """`NAME` or `NAME=FILE`."""

    name = "NAME[=FILE]"

    def __init__(self, formats: Collection[str]) -> None:
        self._formats = formats

    def convert(
        self, value: str | tuple[str, str], param: click.Parameter | None, ctx: click.Context | None
    ) -> tuple[str, str]:
        """The format's name, and the file: empty for stdout."""
        if isinstance(value, tuple):
            return value
        name, _, file = value.partition("=")
        if name not in self._formats:
            self.fail(f"unknown format {name!r}; choose from {', '.join(self._formats)}.", param, ctx)
        return name, file

    def shell_complete(self, ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem[str]]:
        """The names of the formats; after the equals sign, files."""
        from click.shell_completion import CompletionItem

        del ctx, param
        if "=" in incomplete:
            return [CompletionItem(incomplete, type="file")]
        return _items(incomplete, dict.fromkeys(self._formats, ""))


def complete_devices(_context: click.Context, _option: click.Parameter, incomplete: str) -> list[CompletionItem[str]]:
    """The ids of the project's device profiles and of the packaged ones."""
    from edgecheck.config import Profiles, load_project
    from edgecheck.errors import EdgecheckError

    try:
        folders = load_project(Path.cwd()).profiles
    except EdgecheckError:  # the command itself reports it
        folders = ()
    return _items(incomplete, dict.fromkeys(Profiles(folders).ids(), ""))


def _complete_limits(_context: click.Context, _option: click.Parameter, incomplete: str) -> list[CompletionItem[str]]:
    """The metrics, each with the equals sign before its bound."""
    from edgecheck.core.metrics import METRICS

    return _items(incomplete, {f"{name}=": metric.title for name, metric in METRICS.items()})


def complete_accelerators(
    _context: click.Context, _option: click.Parameter, incomplete: str
) -> list[CompletionItem[str]]:
    """The accelerators, each also with its precisions once its name is there."""
    from edgecheck.core.accelerator import PROVIDERS

    name = incomplete.partition(":")[0]
    if ":" in incomplete and name in PROVIDERS:
        return _items(incomplete, {f"{name}:{each}": "" for each in PROVIDERS[name].precisions})
    return _items(incomplete, {name: provider.title for name, provider in PROVIDERS.items()})


def complete_targets(_context: click.Context, _option: click.Parameter, incomplete: str) -> list[CompletionItem[str]]:
    """The kinds of address, and the devices whose addresses are saved; `ID=` where a device's name was begun."""
    device, equals, begun = incomplete.rpartition("=")
    if equals:
        return _items(incomplete, {f"{device}={kind}": line for kind, line in beginnings().items() if begun in kind})
    kinds = _items(incomplete, beginnings())
    if not incomplete:
        return kinds
    from edgecheck.config import load_project
    from edgecheck.errors import EdgecheckError

    try:
        saved = {name: str(address) for name, address in load_project(Path.cwd()).targets.items()}
    except EdgecheckError:  # the command itself reports it
        saved = {}
    devices = {f"{item.value}=": "" for item in complete_devices(_context, _option, incomplete)}
    return [*kinds, *_items(incomplete, {**saved, **devices})]


def _items(incomplete: str, words: Mapping[str, str]) -> list[CompletionItem[str]]:
    from click.shell_completion import CompletionItem

    return [CompletionItem(word, help=line or None) for word, line in words.items() if word.startswith(incomplete)]


def format_option(formats: Iterable[str]) -> Callable[[Any], Any]:
    """`--format`, with the names of the formats that a command can write."""
    names = tuple(formats)
    return click.option(
        "--format",
        "formats",
        multiple=True,
        type=FormatParam(names),
        help=f"{', '.join(names)}; NAME=FILE writes to a file. May be repeated.",
    )


def file_option(default: Path, what: str) -> Callable[[Any], Any]:
    """`--file`, the one that a command reads or continues."""
    return click.option(
        "--file",
        "path",
        type=click.Path(path_type=Path, dir_okay=False),
        default=default,
        show_default=True,
        metavar="FILE",
        help=what,
    )


TOP = click.option(
    "--top",
    type=click.IntRange(0),
    default=20,
    show_default=True,
    help="Rows to show before the rest is summed; 0 shows all.",
)


def variants(meaning: str) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """`--variant`, which may be repeated; `meaning` says what is done with them."""
    from edgecheck.converters.interface import AS_IS, VARIANTS  # other commands start without it

    return click.option(
        "--variant",
        "variants",
        multiple=True,
        type=click.Choice([AS_IS, *VARIANTS]),
        metavar="NAME",
        help=f"{meaning}: as-is, float32, float16, int8-weights, int8-dynamic or int8.",
    )


DEVICE = click.option(
    "--device",
    "devices",
    multiple=True,
    metavar="ID",
    shell_complete=complete_devices,
    help="Only this device; may be repeated.",
)
DEVICES = click.option(
    "--device",
    "devices",
    multiple=True,
    metavar="ID|PATTERN|all",
    shell_complete=complete_devices,
    help="Only these devices: an id, a pattern such as 'raspberry-pi-*', or all. May be repeated.",
)
CLASS = click.option(
    "--class",
    "classes",
    multiple=True,
    type=click.Choice(CLASSES),
    help="Only devices of this class. May be repeated.",
)
TARGET = click.option(
    "--target",
    "targets",
    multiple=True,
    metavar="[DEVICE=]ADDRESS",
    shell_complete=complete_targets,
    help=f"Where to run: {forms()}; for one device or for all.",
)
LIMIT = click.option(
    "--limit",
    "limits",
    multiple=True,
    metavar="METRIC=VALUE",
    shell_complete=_complete_limits,
    help="A limit for a model without a budget; METRIC=off removes the profile's limit.",
)
PROFILES = click.option(
    "--profiles",
    multiple=True,
    type=click.Path(path_type=Path, exists=True, file_okay=False),
    metavar="FOLDER",
    help="Search this folder for device profiles first.",
)
PIN = click.option(
    "--pin",
    is_flag=True,
    help="Hold clock and cores of the device meanwhile (governor, affinity, jetson_clocks); they are restored.",
)
TRUST = click.option("--trust", is_flag=True, help="Allow model files and factories to execute code.")
MACHINES = click.option(
    "-j", "machines", type=click.IntRange(1), default=1, help="Emulated machines to run at once. [default: 1]"
)
FRESH = click.option("--fresh", is_flag=True, help="Measure emulated devices again, although nothing has changed.")
MERGE_BASE = click.option(
    "--merge-base",
    type=click.Path(path_type=Path, allow_dash=True),
    metavar="FILE",
    help="Results at the merge base, to separate earlier drift from this change.",
)
FAIL_ON = click.option(
    "--fail-on",
    type=click.Choice(["fail", "warn"]),
    default="fail",
    help="Lowest status that makes the exit code 1. [default: fail]",
)


def model_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """What a budget says in YAML, for a model without one; the command gets it as `given`."""
    from edgecheck.checks.from_model import ModelSettings

    names = ("inputs", "samples", "signature", "factory", "accelerator", "runtime", "bundle", "threads")

    @functools.wraps(command)
    def collected(**values: Any) -> Any:
        given = {name: value for name in names if (value := values.pop(name)) is not None}
        return command(given=ModelSettings(**given), **values)

    for option in reversed(_MODEL_OPTIONS):
        collected = option(collected)
    return collected


_MODEL_OPTIONS = (
    click.option(
        "--input",
        "inputs",
        multiple=True,
        metavar="NAME=SHAPE",
        help="The shape of an input that has an open dimension: image=1,224,224,3. May be repeated.",
    ),
    click.option(
        "--samples",
        type=click.Path(path_type=Path, exists=True, dir_okay=False),
        metavar="FILE",
        help="Real inputs (.npz) for a model without a budget.",
    ),
    click.option(
        "--signature",
        default="",
        metavar="NAME",
        help="The signature to run, where a .tflite or SavedModel has several.",
    ),
    click.option(
        "--factory",
        default="",
        metavar="MODULE:FUNCTION",
        help="The function that builds the network whose weights are in MODEL.",
    ),
    click.option(
        "--accelerator",
        default="",
        metavar="NAME[:PRECISION]",
        shell_complete=complete_accelerators,
        help="What to run on instead of the CPU: tensorrt:fp16, openvino, gpu, … or a delegate's path.",
    ),
    click.option(
        "--runtime",
        default="",
        metavar="NAME[==VERSION]",
        help="What runs the model: onnxruntime (-gpu, -openvino), ai-edge-litert or tflite-runtime. "
        "[default: the profile's]",
    ),
    click.option(
        "--bundle",
        type=click.Choice(["system", "profile"]),
        help="Use the runtime installed on the device, or the profile's. [default: by target]",
    ),
    click.option("--threads", type=click.IntRange(1, 1024), default=1, help="Threads of the runtime. [default: 1]"),
)
VERBOSE = click.option("--verbose", "-v", is_flag=True, help="Print every check in full, also those that pass.")
QUIET = click.option("--quiet", "-q", is_flag=True, help="Print only checks that did not pass, and the summary.")
