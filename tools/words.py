"""Finds the expressions that docs/contributing/style.md advises against, in prose, docstrings, comments and messages.

python tools/words.py [PATH ...]        # files or folders; default: everything that the tests hold to the table
"""

from __future__ import annotations

import ast
import io
import re
import sys
import tokenize
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[1]

#: Pages and other files with prose; folders with everything in them.
PROSE = (
    *("README.md", "CHANGELOG.md", "CONTRIBUTING.md", "docs", "action.yml", "templates", ".pre-commit-hooks.yaml"),
    *("Makefile", "tools", "device_profiles", "budgets", "examples", "benchmarks"),
)

#: Packages whose strings, docstrings and comments are checked.
PACKAGES = ("edgecheck", "edgecheck_agent")

#: Suffixes of the files that are read.
SUFFIXES = {".py", ".md", ".yaml", ".yml", ".sh", ""}

#: Files that quote what they advise against.
QUOTING = {"docs/contributing/style.md", "tools/words.py"}


@dataclass(frozen=True, slots=True)
class Rule:
    """An expression to avoid."""

    pattern: re.Pattern[str]
    better: str


@dataclass(frozen=True, slots=True)
class Text:
    """A piece of prose."""

    path: str
    line: int
    """Where it begins."""
    words: str


@dataclass(frozen=True, slots=True)
class Finding:
    """One place to reword."""

    path: str
    line: int
    found: str
    better: str

    def __str__(self) -> str:
        """As `file:line: …`, which editors open."""
        return f"{self.path}:{self.line}: {self.found!r}; better: {self.better}"


def _rule(pattern: str, better: str) -> Rule:
    """A space in the pattern stands for any space, a line break too."""
    return Rule(re.compile(pattern.replace(" ", r"\s+"), re.IGNORECASE), better)


#: "there is no", "is no longer" and comparisons such as "is no more than" are English.
_NO = r"(?<!there\s)\b(?:is|are|was|were) no (?!longer\b|more\b|less\b|fewer\b|\w+er than\b|doubt\b)(?=['\"(\w])"

RULES = (
    _rule(_NO, "is not a …, unknown …, has no …"),
    _rule(r"\b(?:tell|tells|telling|told)\b(?!:)", "say, report, show, print, name, distinguish"),
    _rule(r"\b(?:give|gives|giving|gave|given)(?: \w+){0,2} back\b", "return"),
    _rule(r"\b(?:be|been) had\b", "be available, be obtained"),
    _rule(r"(?<!not\s)\bso many\b", "this many, n, as many as"),
    _rule(r"\bof (?:its|their|his|her|your|our|my|\w+['\u2019]s) own\b", "its …, a separate …, your …"),
    _rule(r"\bof (?:ours|yours|theirs)\b", "our, your, their"),
    _rule(r"\bbeside\b", "next to, with, besides"),
    _rule(r"\bmend(?:s|ed|ing)?\b", "fix"),
    _rule(r"\bwhole\b(?! numbers?\b)(?<!as\sa\swhole)(?<!on\sthe\swhole)", "complete, entire, all, full"),
    _rule(
        r"\b(?:comes|came|come|becomes|became|become) of (?:it|them|this|that|the|each|every|a)\b", "result, outcome"
    ),
    _rule(r"\bon the spot\b", "generated, on demand"),
    _rule(r"\banew\b", "again"),
    _rule(r"\b(?:say|says|said) of\b", "say about, report for"),
    _rule(r"\bstrangers?\b", "another …, unknown …"),
    _rule(r"\ba person who\b", "someone who, users who"),
)


def findings(texts: Iterator[Text]) -> list[Finding]:
    """Every match of a rule in `texts`, by path and line."""
    found = []
    for text in texts:
        for rule in RULES:
            for match in rule.pattern.finditer(text.words):
                line = text.line + text.words.count("\n", 0, match.start())
                found.append(Finding(text.path, line, " ".join(match[0].split()), rule.better))
    return sorted(found, key=lambda each: (each.path, each.line))


def files(*names: str) -> list[Path]:
    """The files below these paths of the repository."""
    paths = [ROOT / name for name in names]
    inside = [each for path in paths for each in (sorted(path.rglob("*")) if path.is_dir() else [path])]
    kept = [path for path in inside if path.is_file() and path.suffix in SUFFIXES]
    return [path for path in kept if not {"__pycache__", "models"} & set(path.parts) and _name(path) not in QUOTING]


def texts_of(path: Path) -> Iterator[Text]:
    """The prose in a file, without code."""
    source = path.read_text(encoding="utf-8")
    name = _name(path)
    if path.suffix == ".py":
        yield from _of_python(name, source)
    elif path.suffix == ".md":
        yield Text(name, 1, _without_code(source))
    else:
        yield Text(name, 1, _inline(re.sub(r"(?m)^\s*#+", _blank, source)))


def _name(path: Path) -> str:
    return path.relative_to(ROOT).as_posix() if path.is_relative_to(ROOT) else str(path)


def _blank(match: re.Match[str]) -> str:
    return re.sub(r"[^\n]", " ", match[0])


def _inline(text: str) -> str:
    """The text with inline code masked by as many letters."""
    return re.sub(r"(`+)[^`]+?\1", lambda match: re.sub(r"[^\n]", "x", match[0]), text)


def _without_code(text: str) -> str:
    """Markdown without fenced and indented code, on the same lines."""
    text = re.sub(r"(?ms)^( *)(```+|~~~+)[^\n]*\n.*?^\1\2", _blank, text)
    return _inline(re.sub(r"(?m)(?<=\n\n) {4}[^\n]*(?:\n {4}[^\n]*)*", _blank, text))


def _of_python(name: str, source: str) -> Iterator[Text]:
    for node in _strings(ast.parse(source)):
        parts = node.values if isinstance(node, ast.JoinedStr) else [node]
        words = "".join(str(part.value) if isinstance(part, ast.Constant) else "x" for part in parts)
        if " " in words:  # else it is a name, not prose
            yield Text(name, node.lineno, _inline(words))
    yield from _comments(name, source)


def _strings(tree: ast.AST) -> Iterator[ast.Constant | ast.JoinedStr]:
    """String literals; the pieces of an f-string together."""
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, ast.JoinedStr):
            yield node
            for part in node.values:
                if isinstance(part, ast.FormattedValue):
                    yield from _strings(part.value)
        elif isinstance(node, ast.Constant) and isinstance(node.value, str):
            yield node
        else:
            yield from _strings(node)


def _comments(name: str, source: str) -> Iterator[Text]:
    """Comments; those on successive lines together."""
    block: list[str] = []
    start = 0
    for token in tokenize.generate_tokens(io.StringIO(source).readline):
        if token.type != tokenize.COMMENT:
            continue
        if block and token.start[0] != start + len(block):
            yield Text(name, start, _inline("\n".join(block)))
            block = []
        if not block:
            start = token.start[0]
        block.append(token.string.lstrip("#: "))
    if block:
        yield Text(name, start, _inline("\n".join(block)))


def main(arguments: list[str]) -> int:
    """Print what to reword; 1 where there is something."""
    names = arguments or [*PROSE, *PACKAGES]
    found = findings(text for path in files(*names) for text in texts_of(path))
    print("\n".join(map(str, found)))
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
