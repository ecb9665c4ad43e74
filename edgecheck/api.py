"""The functions of the library: what `edgecheck check` does, without a command line."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from edgecheck.core.report import Report
from edgecheck.errors import UsageError
from edgecheck.leases import releasing

if TYPE_CHECKING:
    from edgecheck.checks.from_model import ModelSettings
    from edgecheck.checks.invocation import InvocationRequest
    from edgecheck.checks.plan import Selection
    from edgecheck.core.budget import Budget

    AnyPath = str | os.PathLike[str]

_ON_UNKNOWN = ("fail", "warn", "ignore")


def _ignore(_words: str) -> None:
    pass


def check(  # noqa: PLR0913 - each is an option of the command
    *paths: AnyPath,
    limits: Mapping[str, str | float] | None = None,
    devices: str | Sequence[str] = (),
    targets: str | Sequence[str] = (),
    variants: str | Sequence[str] = (),
    samples: AnyPath | None = None,
    inputs: Mapping[str, Sequence[int]] | None = None,
    signature: str = "",
    factory: str = "",
    runtime: str = "",
    bundle: str = "",
    threads: int = 1,
    profiles: AnyPath | Sequence[AnyPath] = (),
    baseline: AnyPath | None = None,
    merge_base: AnyPath | None = None,
    on_unknown: str | None = None,
    machines: int = 1,
    fresh: bool = False,
    trust: bool = False,
    pin: bool = False,
    root: AnyPath | None = None,
    progress: Callable[[str], None] = _ignore,
) -> Report:
    """Convert, run, measure and judge, as `edgecheck check` does; nothing is printed or written.

    Args:
        paths: Budgets, folders of budgets, or models; without any, what the project names.
        limits: For models: bounds by metric, with units (`{"ram_peak": "80 MiB"}`); counts and shares are numbers.
        devices: Only these devices.
        targets: Where to run: `ADDRESS` or `DEVICE=ADDRESS`.
        variants: How to convert models without a budget; `auto`: the least lossy variant that fits.
        samples: Real inputs for models without a budget.
        inputs: For models without a budget: shapes of inputs that have open dimensions.
        signature: For models without a budget: the signature to run, where a `.tflite` or SavedModel has several.
        factory: For a file of weights: the function that builds the network, `package.module:function`.
        runtime: For models without a budget: the runtime, such as `ai-edge-litert==2.3.0`; empty: the profile's.
        bundle: For models without a budget: `system` or `profile`; empty: by target.
        threads: For models without a budget: threads of the runtime.
        profiles: Folders to search for device profiles first.
        baseline: A file with baseline results (JSON).
        merge_base: A file with results at the merge base, to separate earlier drift from this change.
        on_unknown: What an undecided limit counts as: `fail`, `warn` or `ignore`; None: what its budget says.
        machines: Emulated machines to run at once.
        fresh: Whether results of earlier invocations are measured again on emulated devices.
        trust: Whether model files and factories may execute code.
        pin: Whether to hold clock and cores of the device meanwhile.
        root: The project's folder: relative paths and `edgecheck.yaml` are in it; None: the working directory.
        progress: Called with a few words about each step, also from other threads.

    Raises:
        EdgecheckError: a budget, profile, model or argument is wrong. A problem of one check is in its result.
    """
    from edgecheck.checks.invocation import InvocationRequest

    home = Path.cwd() if root is None else Path(root)
    given = _settings(
        home, inputs, samples, signature=signature, factory=factory, runtime=runtime, bundle=bundle, threads=threads
    )
    chosen = _selection(home, paths, limits, profiles, trust=trust, pin=pin, on_unknown=on_unknown, given=given)
    selection = replace(chosen, devices=_several(devices), variants=_several(variants))
    request = InvocationRequest(selection=selection, targets=_several(targets), machines=machines, fresh=fresh)
    request = replace(request, baseline=_in(home, baseline), merge_base=_in(home, merge_base))
    return _performed(request, home, progress)


def load_budgets(*paths: AnyPath, profiles: AnyPath | Sequence[AnyPath] = ()) -> tuple[Budget, ...]:
    """The budgets in files and folders, with every default filled in. Nothing runs.

    Raises:
        EdgecheckError: with every problem of every file.
    """
    from edgecheck.config import Profiles, load_project
    from edgecheck.config import load_budgets as load

    folders = tuple(Path(folder) for folder in _several(profiles))
    known = Profiles(folders, load_project(Path.cwd()).profiles)
    return load([Path(path) for path in paths], profiles=known)


def load_report(path: AnyPath) -> Report:
    """The report that `--format json` wrote.

    Raises:
        EdgecheckError: it cannot be read, or is not a report of this version.
    """
    from edgecheck.checks.baseline import load

    return load(Path(path))


def render(report: Report, name: str = "terminal", *, width: int = 100, color: bool = False) -> str:
    """The report in a format that `--format` takes, such as `markdown`.

    Args:
        report: What to render.
        name: The format.
        width: Columns of the terminal.
        color: Whether the terminal has colours.

    Raises:
        EdgecheckError: there is no such format.
    """
    from edgecheck.reports import FORMATS, Style
    from edgecheck.reports import render as rendered

    if name not in FORMATS:
        raise UsageError(f"Unknown format {name!r}.", f"Choose from {', '.join(FORMATS)}.")
    return rendered(name, report, Style(width, color=color))


def _settings(
    home: Path, inputs: Mapping[str, Sequence[int]] | None, samples: AnyPath | None, **rest: Any
) -> ModelSettings:
    """The settings of a model without a budget; `rest` are the fields that stay as they were given."""
    from edgecheck.checks.from_model import ModelSettings

    shapes = tuple(f"{name}={','.join(map(str, shape))}" for name, shape in (inputs or {}).items())
    return ModelSettings(inputs=shapes, samples=_in(home, samples), **rest)


def _selection(
    home: Path,
    paths: Sequence[AnyPath],
    limits: Mapping[str, str | float] | None,
    profiles: AnyPath | Sequence[AnyPath],
    **rest: Any,
) -> Selection:
    """What to check; `rest` are the fields that stay as they were given."""
    from edgecheck.checks.plan import Selection

    return Selection(
        paths=tuple(home / path for path in paths),
        limits=tuple(f"{name}={bound}" for name, bound in (limits or {}).items()),
        profiles=tuple(home / folder for folder in _several(profiles)),
        **rest,
    )


@releasing()
def _performed(request: InvocationRequest, home: Path, progress: Callable[[str], None]) -> Report:
    from edgecheck.checks.invocation import plan_invocation
    from edgecheck.config import load_project

    _ensure_known(request.selection.on_unknown, request.selection.variants)
    try:
        planned = plan_invocation(request, load_project(home), progress)
    except UsageError as error:
        raise UsageError(_in_python(error.message), _in_python(error.hint)) from error
    report = planned.empty
    for grown in planned.reports(progress):
        report = grown
    return report


def _in_python(text: str) -> str:
    """A message about options, for who gives arguments: `--limit size=1MB` is `limits={"size": "1MB"}` here."""
    if "edgecheck check " in text:  # a command to type
        return text
    value = r" ([^\s=:]+)=(.+?)(?=:| has no shape|$)"
    text = re.sub(f"--limit{value}", r'limits={"\1": "\2"}', text)
    text = re.sub(f"--input{value}", r'inputs={"\1": [\2]}', text)
    return re.sub(r"--(limit|input|device|target|variant)\b", r"\1s", text)


def _ensure_known(on_unknown: str | None, variants: tuple[str, ...]) -> None:
    from edgecheck.checks.plan import AUTO
    from edgecheck.converters.interface import AS_IS, VARIANTS

    if on_unknown is not None and on_unknown not in _ON_UNKNOWN:
        raise UsageError(f"on_unknown is {on_unknown!r}.", f"It takes {', '.join(_ON_UNKNOWN)} or None.")
    known = (AS_IS, *VARIANTS, AUTO)
    if unknown := [name for name in variants if name not in known]:
        raise UsageError(f"Unknown variant {unknown[0]!r}.", f"Choose from {', '.join(known)}.")


def _in(home: Path, path: AnyPath | None) -> Path | None:
    return None if path is None else home / path


def _several(given: Any) -> tuple[Any, ...]:
    """A tuple of what was given; a single path or string is one item."""
    return (given,) if isinstance(given, (str, os.PathLike)) else tuple(given)
