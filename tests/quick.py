"""Finds the quick tests: those that use nothing that can start a process.

Each test and each of its fixtures is followed through the names that it uses: function by function in `tests`,
`examples` and `tools`, and by imports at module level in edgecheck. A test that reaches `subprocess` or another of
`STARTERS` is not quick, nor is any test of a module that downloads models when it is imported: fetch them in a fixture.
Where that is not enough, a quick test that starts a process fails (`forbid_processes`) and is then marked `slow`.
"""

from __future__ import annotations

import ast
import inspect
import re
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]

#: Modules that start processes.
STARTERS = {"subprocess", "multiprocessing", "pty", "selenium"}

#: Functions of `os` that do: `system`, `popen`, `fork`, `execv`, `posix_spawn`, …
_OF_OS = re.compile(r"system|popen|fork|exec|spawn|posix_spawn")

#: Tests with one of these markers are not quick, whatever they use.
MARKERS = {"emulator", "image", "ssh", "adb", "labgrid", "dask", "convert", "environment", "browser", "slow"}

#: Folders whose functions are followed one by one.
_BY_FUNCTION = {"tests", "examples", "tools"}

#: Audit events with which a process starts (docs.python.org/3/library/audit_events.html).
_EVENTS = {"subprocess.Popen", "os.exec", "os.fork", "os.forkpty", "os.posix_spawn", "os.spawn", "os.system"}


@dataclass(frozen=True, slots=True)
class Source:
    """The names in a module's source."""

    path: Path
    definitions: dict[str, tuple[ast.stmt, ...]]
    """Top-level statements, by the names that they define."""
    imports: dict[str, str]
    """Local name -> dotted name of what was imported."""


def is_quick(item: pytest.Item) -> bool:
    """Whether neither the test nor its fixtures can start a process."""
    if not isinstance(item, pytest.Function) or any(marker.name in MARKERS for marker in item.iter_markers()):
        return False
    if starts_when_imported(item.path):
        return False
    fixtures = [found[-1].func for found in item._fixtureinfo.name2fixturedefs.values()]
    return not _reaches(item.path, _outermost(item.function)) and not any(map(_starts, fixtures))


def has_no_quick_test(path: Path) -> bool:
    """Whether `make quick` can pass over a file, so that it does not even import it."""
    tests = [name for name in _source(path).definitions if name.lower().startswith("test")]
    return starts_when_imported(path) or all(_reaches(path, name) for name in tests)


@cache
def starts_when_imported(path: Path) -> bool:
    """Whether importing a test module calls something that can start a process, such as the download of a model."""
    source = _source(path)
    statements = dict.fromkeys(each for found in source.definitions.values() for each in found)
    nodes = [node for statement in statements for part in _run_at_import(statement) for node in ast.walk(part)]
    called = {node.func.id for node in nodes if isinstance(node, ast.Call) and isinstance(node.func, ast.Name)}
    ours = [(path, name) for name in called & source.definitions.keys()]
    imported = [place for name in called & source.imports.keys() for place in _places(source.imports[name])]
    return any(_reaches(*place) for place in ours + imported if place[1])


def _run_at_import(statement: ast.stmt) -> list[ast.AST]:
    if isinstance(statement, ast.FunctionDef | ast.ClassDef):
        return [*statement.decorator_list]
    return [statement]


@contextmanager
def forbid_processes() -> Iterator[None]:
    """A context in which starting a process fails the test."""
    _forbidden.append(True)
    try:
        yield
    finally:
        _forbidden.pop()


_forbidden: list[bool] = []


def _audit(event: str, arguments: tuple[object, ...]) -> None:
    if _forbidden and event in _EVENTS:
        pytest.fail(f"a quick test started a process ({event}: {arguments[0]!r}): mark it `slow`")


sys.addaudithook(_audit)


def _starts(fixture: Callable[..., object]) -> bool:
    path = Path(inspect.getfile(fixture))
    return _is_ours(path) and _reaches(path, _outermost(fixture))


def _outermost(function: Callable[..., object]) -> str:
    """The name at the top level of its module; hypothesis wraps tests and changes the qualified name."""
    qualified = function.__qualname__
    return function.__name__ if "<locals>" in qualified else qualified.partition(".")[0]


def _is_ours(path: Path) -> bool:
    return path.is_relative_to(ROOT) and path.relative_to(ROOT).parts[0] in _BY_FUNCTION | {"edgecheck"}


@cache
def _reaches(path: Path, name: str) -> bool:
    """Whether a process can start from what is called `name` in the module at `path`."""
    seen: set[tuple[Path, str]] = set()
    waiting = [(path, name)]
    while waiting:
        here = waiting.pop()
        if here in seen:
            continue
        seen.add(here)
        for dotted in _used(*here):
            if dotted.partition(".")[0] in STARTERS:
                return True
            waiting += _places(dotted)
    return False


@cache
def _used(path: Path, name: str) -> list[str]:
    """Dotted names that `name` uses; an empty `name` stands for the module itself."""
    source = _source(path)
    if not name:
        return list(source.imports.values())
    used = [node for statement in source.definitions.get(name, ()) for node in ast.walk(statement)]
    names = {node.id for node in used if isinstance(node, ast.Name)}
    here = [f"{_dotted(path)}.{each}" for each in names & source.definitions.keys() - {name}]
    imported = [source.imports[each] for each in names & source.imports.keys()]
    of_os = ["subprocess" for node in used if isinstance(node, ast.Attribute) and _is_of_os(node)]
    return [*here, *imported, *_imports(used).values(), *of_os]


def _is_of_os(node: ast.Attribute) -> bool:
    return isinstance(node.value, ast.Name) and node.value.id == "os" and bool(_OF_OS.match(node.attr))


@cache
def _places(dotted: str) -> list[tuple[Path, str]]:
    """The file in this repository that defines `dotted`, and the name there (empty: follow the module itself)."""
    module, _, name = dotted.rpartition(".")
    if path := _file(dotted):
        return [(path, "")]
    if not (path := _file(module)):
        return []
    return [(path, name if path.relative_to(ROOT).parts[0] in _BY_FUNCTION else "")]


@cache
def _file(module: str) -> Path | None:
    base = ROOT.joinpath(*module.split(".")) if module else ROOT
    found = [path for path in (base.with_suffix(".py"), base / "__init__.py") if path.is_file()]
    return found[0] if found and _is_ours(found[0]) else None


def _dotted(path: Path) -> str:
    return ".".join(path.relative_to(ROOT).with_suffix("").parts)


@cache
def _source(path: Path) -> Source:
    statements = list(_flat(ast.parse(path.read_text(encoding="utf-8")).body))
    definitions: dict[str, tuple[ast.stmt, ...]] = {}
    for statement in statements:
        for name in _defined(statement):
            definitions[name] = (*definitions.get(name, ()), statement)
    return Source(path, definitions, _imports(statements))


def _flat(statements: list[ast.stmt]) -> Iterator[ast.stmt]:
    """Top-level statements, including those inside `if` and `try`, without `TYPE_CHECKING` blocks."""
    for statement in statements:
        if isinstance(statement, ast.If) and "TYPE_CHECKING" in ast.unparse(statement.test):
            yield from _flat(statement.orelse)
        elif isinstance(statement, ast.If | ast.Try):
            inner = [node for node in ast.iter_child_nodes(statement) if isinstance(node, ast.stmt)]
            yield from _flat(inner)
        else:
            yield statement


def _defined(statement: ast.stmt) -> list[str]:
    if isinstance(statement, ast.FunctionDef | ast.ClassDef):
        return [statement.name]
    if isinstance(statement, ast.Assign | ast.AnnAssign):
        names = [node for node in ast.walk(statement) if isinstance(node, ast.Name)]
        return [node.id for node in names if isinstance(node.ctx, ast.Store)]
    return []


def _imports(nodes: list[ast.stmt] | list[ast.AST]) -> dict[str, str]:
    found = {}
    for node in nodes:
        if isinstance(node, ast.Import):
            found.update({each.asname or each.name.partition(".")[0]: each.name for each in node.names})
        elif isinstance(node, ast.ImportFrom):
            found.update({each.asname or each.name: f"{node.module}.{each.name}" for each in node.names})
    return found
