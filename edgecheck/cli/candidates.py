"""What the shell offers when Tab is pressed, beside commands, options and files, which click knows."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    import click
    from click.shell_completion import CompletionItem


def devices(_context: click.Context, _parameter: click.Parameter, incomplete: str) -> list[CompletionItem[str]]:
    """Ids of device profiles: the project's and the packaged ones."""
    from pathlib import Path

    from edgecheck.config import Profiles, load_project
    from edgecheck.errors import EdgecheckError

    try:
        folders = load_project(Path.cwd()).profiles
    except EdgecheckError:  # told by the command itself, once it is run
        folders = ()
    return _beginning(incomplete, dict.fromkeys(Profiles(folders).ids(), ""))


def limits(_context: click.Context, _parameter: click.Parameter, incomplete: str) -> list[CompletionItem[str]]:
    """Metrics, each with the equals sign that its bound comes behind."""
    from edgecheck.core.metrics import METRICS

    return _beginning(incomplete, {f"{name}=": metric.title for name, metric in METRICS.items()})


def targets(_context: click.Context, _parameter: click.Parameter, incomplete: str) -> list[CompletionItem[str]]:
    """The kinds of address."""
    from edgecheck.core.address import TARGETS

    kinds = {f"{kind.scheme}://" if kind.has_host else kind.scheme: kind.title for kind in TARGETS.values()}
    return _beginning(incomplete, kinds)


def formats(names: Iterable[str], incomplete: str) -> list[CompletionItem[str]]:
    """Formats of reports; behind the equals sign a file."""
    from click.shell_completion import CompletionItem

    if "=" in incomplete:
        return [CompletionItem(incomplete, type="file")]
    return _beginning(incomplete, dict.fromkeys(names, ""))


def _beginning(incomplete: str, words: Mapping[str, str]) -> list[CompletionItem[str]]:
    from click.shell_completion import CompletionItem

    return [CompletionItem(word, help=said or None) for word, said in words.items() if word.startswith(incomplete)]
