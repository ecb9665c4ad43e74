"""Plain English: the expressions of `tools/words.py` stay out of help texts, messages, docstrings, comments and pages.

The table of pairs is in docs/contributing/style.md. Where a rule is wrong about a sentence, it gets an exception there.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import click
import pytest

from edgecheck.cli.commands import cli
from tools.words import PACKAGES, PROSE, QUOTING, ROOT, Finding, Text, files, findings, texts_of

#: Sub-packages one by one, so that each is seen by itself; the modules next to them; then everything else.
AREAS = [
    *(
        name
        for package in PACKAGES
        for name in sorted(path.parent.relative_to(ROOT).as_posix() for path in (ROOT / package).glob("*/__init__.py"))
    ),
    *(path.relative_to(ROOT).as_posix() for package in PACKAGES for path in sorted((ROOT / package).glob("*.py"))),
    *PROSE,
]


@pytest.mark.parametrize("area", AREAS)
def test_texts_are_in_plain_english(area: str) -> None:
    assert report(findings(text for path in files(area) for text in texts_of(path))) == ""


def test_help_is_in_plain_english() -> None:
    helps = [Text(f"edgecheck {name} --help", 1, text) for name, text in help_texts(cli, "")]
    assert len(helps) > 20
    assert report(findings(iter(helps))) == ""


def help_texts(command: click.Command, name: str, parent: click.Context | None = None) -> Iterator[tuple[str, str]]:
    # With the settings of a real call: click keeps the first help option that it makes.
    context = click.Context(command, parent=parent, info_name=f"edgecheck {name}", **command.context_settings)
    yield name, command.get_help(context)
    if isinstance(command, click.Group):
        for each in command.list_commands(context):
            found = command.get_command(context, each)
            assert found is not None
            yield from help_texts(found, f"{name} {each}".strip(), context)


def report(found: list[Finding]) -> str:
    return "\n".join(map(str, found))


@pytest.mark.parametrize(
    "sentence",
    [
        "'x' is no format.",
        "These are no\nclasses.",
        "It tells the device.",
        "It gives the value back.",
        "It cannot be had here.",
        "after so many seconds",
        "in a process of its own",
        "an error of pip's own",
        "a ProxyCommand of yours",
        "the file beside it",
        "what mends it",
        "the whole file",
        "what became of it",
        "made on the spot",
        "it is made anew",
        "what the board says of itself",
        "a person who waits",
    ],
)
def test_accents_are_found(sentence: str) -> None:
    assert findings(iter([Text("page.md", 1, sentence)]))


@pytest.mark.parametrize(
    "sentence",
    [
        "There is no such file.",
        "It is no longer there, and is no more than 3 bytes.",
        "a whole number; the model as a whole",
        "not so many as before",
        "It works on its own.",
        "Besides, we recommend and amend it.",
    ],
)
def test_idioms_are_not(sentence: str) -> None:
    assert findings(iter([Text("page.md", 1, sentence)])) == []


def test_lines_are_counted_and_code_is_left_out(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text("# Title\n\n```text\nbeside\n```\n\nAs `tell` says,\nit lies beside it.\n", encoding="utf-8")
    (found,) = findings(texts_of(page))
    assert (found.line, found.found) == (8, "beside")


def test_strings_docstrings_and_comments_of_python_are_read(tmp_path: Path) -> None:
    module = tmp_path / "module.py"
    module.write_text(
        '"""Mend it."""\n\n# First line,\n# anew.\nNAME = f"{1} is no {2}"  # beside\ntell = print\n', encoding="utf-8"
    )
    found = [(each.line, each.found) for each in findings(texts_of(module))]
    assert found == [(1, "Mend"), (4, "anew"), (5, "is no"), (5, "beside")]


def test_files_that_quote_are_few() -> None:
    assert sorted(QUOTING) == ["docs/contributing/style.md", "tools/words.py"]
