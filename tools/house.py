"""Measures the shape of the code: modules, functions, imports and words, as one table.

python tools/house.py [PATH ...]        # checkouts to compare, a column each; default: this one

Rooms are the modules and packages directly inside `edgecheck`, and the agent; layers are the longest chain of imports
between them.
A circle is a set of modules that import each other. Circles are counted three times: over imports that run when a
module is imported, with those of `TYPE_CHECKING` blocks, and with those inside functions.
"""

from __future__ import annotations

import ast
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))
from tools.words import PACKAGES, RULES, SUFFIXES, texts_of

Graph = Mapping[str, set[str]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Import:
    """One imported name."""

    name: str
    """Dotted: a module, or something in one."""
    lines: int
    """Lines of its statement; 0 for further names of the same statement."""
    is_lazy: bool
    """Inside a function."""
    is_for_types: bool
    """In a `TYPE_CHECKING` block."""


@dataclass(frozen=True, slots=True)
class Module:
    """A parsed source file."""

    name: str
    path: Path
    lines: int
    tree: ast.Module
    imports: tuple[Import, ...]


def modules_of(checkout: Path) -> list[Module]:
    """All modules of the packages in a checkout."""
    paths = [path for package in PACKAGES for path in sorted((checkout / package).rglob("*.py"))]
    return [_parsed(checkout, path) for path in paths]


def _parsed(checkout: Path, path: Path) -> Module:
    source = path.read_text(encoding="utf-8")
    tree = ast.parse(source)
    parts = path.relative_to(checkout).with_suffix("").parts
    name = ".".join(parts[:-1] if parts[-1] == "__init__" else parts)
    return Module(name, path, len(source.splitlines()), tree, tuple(_imports(tree.body)))


def _imports(nodes: Iterable[ast.AST], *, lazy: bool = False, types: bool = False) -> Iterator[Import]:
    for node in nodes:
        if isinstance(node, ast.Import | ast.ImportFrom):
            names = [each.name for each in node.names]
            if isinstance(node, ast.ImportFrom):
                names = [f"{node.module}.{name}" for name in names]
            for position, name in enumerate(names):
                lines = 0 if position else (node.end_lineno or node.lineno) - node.lineno + 1
                yield Import(name=name, lines=lines, is_lazy=lazy, is_for_types=types)
        elif isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test):
            yield from _imports(node.body, lazy=lazy, types=True)
            yield from _imports(node.orelse, lazy=lazy, types=types)
        else:
            inside = lazy or isinstance(node, ast.FunctionDef | ast.Lambda)
            yield from _imports(ast.iter_child_nodes(node), lazy=inside, types=types)


def graph_of(modules: list[Module], counts: Callable[[Import], bool]) -> dict[str, set[str]]:
    """Module -> the modules of the same packages that it imports, over the imports that count."""
    known = {module.name for module in modules}
    found: dict[str, set[str]] = {}
    for module in modules:
        names = [each.name for each in module.imports if counts(each)]
        targets = (name if name in known else name.rpartition(".")[0] for name in names)
        found[module.name] = {target for target in targets if target in known} - {module.name}
    return found


def rooms_of(graph: Graph) -> dict[str, set[str]]:
    """The graph between the modules and packages directly inside `edgecheck`."""
    found: dict[str, set[str]] = {}
    for name, targets in graph.items():
        found.setdefault(_room(name), set()).update(map(_room, targets))
    return {name: targets - {name} for name, targets in found.items()}


def _room(name: str) -> str:
    package, *inside = name.split(".")
    return ".".join([package, *inside[:1]]) if package == "edgecheck" else package


def circles(graph: Graph) -> int:
    """The number of sets of modules that import each other."""
    reached = {name: _reached(graph, name) for name in graph}
    return len({frozenset(n for n in reached[name] if name in reached[n]) for name in graph if name in reached[name]})


def _reached(graph: Graph, start: str) -> set[str]:
    seen: set[str] = set()
    waiting = [*graph[start]]
    while waiting:
        name = waiting.pop()
        if name not in seen:
            seen.add(name)
            waiting += graph[name]
    return seen


def layers(graph: Graph) -> int | None:
    """The length of the longest chain of imports; None if there is a circle."""
    height: dict[str, int] = {}
    try:
        for name in TopologicalSorter(graph).static_order():
            height[name] = 1 + max((height[target] for target in graph[name]), default=0)
    except CycleError:
        return None
    return max(height.values())


def figures(checkout: Path) -> dict[str, str]:
    """The table's column for a checkout."""
    return {**shape(checkout), **_words(checkout)}


def shape(checkout: Path) -> dict[str, str]:
    """The figures of the modules, without those of the words."""
    modules = modules_of(checkout)
    at_import = graph_of(modules, lambda each: not each.is_lazy and not each.is_for_types)
    with_types = graph_of(modules, lambda each: not each.is_lazy)
    rooms = rooms_of(graph_of(modules, lambda _each: True))
    rooms.pop("edgecheck", None)  # its names are imported when they are used
    return {
        **_sizes(modules),
        "rooms": str(len(rooms)),
        "arrows between rooms": str(sum(len(targets - {"edgecheck"}) for targets in rooms.values())),
        "layers of rooms": str(
            layers({name: targets - {"edgecheck"} for name, targets in rooms.items()}) or "circular"
        ),
        "longest chain of modules": str(layers(at_import) or "circular"),
        "circles at import": str(circles(at_import)),
        "circles with TYPE_CHECKING": str(circles(with_types)),
        "circles with lazy imports": str(circles(graph_of(modules, lambda _each: True))),
    }


def _sizes(modules: list[Module]) -> dict[str, str]:
    lines = sum(module.lines for module in modules)
    largest = max(modules, key=lambda module: module.lines)
    functions = [
        ((node.end_lineno or node.lineno) - node.lineno + 1, f"{module.path.stem}.{node.name}")
        for module in modules
        for node in ast.walk(module.tree)
        if isinstance(node, ast.FunctionDef)
    ]
    imports = sum(each.lines for module in modules for each in module.imports)
    blocks = sum(
        isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test)
        for module in modules
        for node in ast.walk(module.tree)
    )
    longest, name = max(functions)
    return {
        "modules": str(len(modules)),
        "lines": f"{lines:,}",
        "lines per module": f"{lines / len(modules):.0f}",
        "largest module": f"{largest.lines} ({largest.path.stem})",
        "functions": f"{len(functions):,}",
        "longest function": f"{longest} ({name})",
        "import lines": f"{imports / lines:.1%}",
        "TYPE_CHECKING blocks": str(blocks),
    }


def _words(checkout: Path) -> dict[str, str]:
    """Expressions to avoid per 1,000 words of code's texts and of the documentation."""
    kinds = {"code": PACKAGES, "pages": ("README.md", "CHANGELOG.md", "docs")}
    found = {}
    for kind, names in kinds.items():
        paths = [path for name in names for path in _files(checkout / name)]
        texts = [text.words for path in paths for text in texts_of(path)]
        words = sum(len(text.split()) for text in texts)
        hits = sum(len(rule.pattern.findall(text)) for rule in RULES for text in texts)
        found[f"accents per 1,000 words, {kind}"] = f"{1000 * hits / words:.2f} ({hits:,} in {words:,})"
    return found


def _files(path: Path) -> list[Path]:
    inside = sorted(path.rglob("*")) if path.is_dir() else [path]
    kept = [each for each in inside if each.is_file() and each.suffix in SUFFIXES & {".py", ".md"}]
    return [each for each in kept if each.parts[-2:] != ("contributing", "style.md")]


def main(arguments: list[str]) -> None:
    """Print the table, as Markdown."""
    checkouts = [Path(name).resolve() for name in arguments] or [Path(__file__).parents[1]]
    columns = [figures(checkout) for checkout in checkouts]
    print("| | " + " | ".join(checkout.name for checkout in checkouts) + " |")
    print("| --- |" + " ---: |" * len(columns))
    for name in columns[0]:
        print(f"| {name} | " + " | ".join(column[name] for column in columns) + " |")


if __name__ == "__main__":
    main(sys.argv[1:])
