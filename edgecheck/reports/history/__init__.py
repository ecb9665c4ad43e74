"""Reports of `edgecheck history`: the words that several of them share, and the table of formats."""

from __future__ import annotations

from collections.abc import Mapping
from importlib import import_module
from types import MappingProxyType
from typing import cast

from edgecheck.core.creep import Trend, month_of
from edgecheck.core.history import Key, Step, shown_change
from edgecheck.reports import Style, rendered
from edgecheck.reports.wording import clean

#: A spark line: a character for each of eight levels.
_LEVELS = "▁▂▃▄▅▆▇█"

#: Characters of a commit that a person is shown.
_SHORT = 10

#: Format name -> module with `render(trends: Sequence[Trend]) -> str`; the terminal's takes a `Style` too.
FORMATS: Mapping[str, str] = MappingProxyType(
    {
        "terminal": "edgecheck.reports.history.terminal",
        "csv": "edgecheck.reports.history.csv_table",
        "html": "edgecheck.reports.history.page",
    }
)

#: Format name -> module with `render(trends: Sequence[Trend]) -> bytes`, for files only.
BINARY: Mapping[str, str] = MappingProxyType({"parquet": "edgecheck.reports.history.parquet"})


def render_history(name: str, trends: tuple[Trend, ...], style: Style | None = None) -> str:
    """The trends in the format called `name`.

    Raises:
        KeyError: the format is unknown.
    """
    return rendered(FORMATS, name, trends, style)


def render_binary(name: str, trends: tuple[Trend, ...]) -> bytes:
    """The trends in a format that is not text.

    Raises:
        KeyError: the format is unknown.
        ImportError: the library for it is not installed.
    """
    return cast("bytes", import_module(BINARY[name]).render(trends))


def subject(key: Key) -> str:
    """What the readings are of: model, variant, device, runtime."""
    return clean(" · ".join(part for part in (key.lineage, key.variant, key.device, key.runtime, key.where) if part))


def extent(trend: Trend) -> str:
    """How many figures there are: `30 commits`, or `2 results` where not all were taken in a repository."""
    word = "commit" if all(moment.commit for moment in trend.moments) else "result"
    return f"{len(trend.moments):,} {word}{'s' if len(trend.moments) != 1 else ''}"


def short(commit: str) -> str:
    """A commit as a person names it."""
    return clean(commit[:_SHORT]) or "no commit"


def step_words(trend: Trend, step: Step) -> str:
    """A step in a line: `2026-05-02 1a2b3c4d5e: 1.40 MB to 1.47 MB (+5.0%)`, with its probability if it has one."""
    show = trend.series.show
    sure = "" if step.probability is None else f", probability {step.probability:.3f}"
    change = shown_change(step.before, step.after)
    figures = f"{show(step.before)} to {show(step.after)}{f' ({change})' if change else ''}"
    return f"{step.at[:10]} {short(step.commit)}: {figures}{sure}"


def outlook(trend: Trend) -> str:
    """When the limit will fail at this rate; empty where the metric does not creep to it."""
    found = trend.creep
    if found is None:
        return ""
    return f"at this rate it fails its limit of {trend.series.show(found.limit)} in {month_of(found.reached)}"


def spark(values: list[float], width: int) -> str:
    """The values as a line of characters, the highest of every few neighbours if there are more than `width`."""
    every = -(-len(values) // width)
    shown = [max(values[at : at + every]) for at in range(0, len(values), every)]
    low, high = min(shown), max(shown)
    scale = (len(_LEVELS) - 1) / (high - low) if high > low else 0.0
    return "".join(_LEVELS[round((value - low) * scale)] for value in shown)
