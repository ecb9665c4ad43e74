"""CONTRIBUTING and the pages for contributors: what they name exists, and their recipes are complete."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from fnmatch import fnmatch
from importlib import import_module
from pathlib import Path

import pytest

from edgecheck.converters.routes import ROUTES
from edgecheck.core.address import TARGETS
from edgecheck.reports import FORMATS

ROOT = Path(__file__).parents[1]
ARCHITECTURE = "docs/explanation/architecture.md"
PAGES = ("CONTRIBUTING.md", ARCHITECTURE, "docs/explanation/design.md", "docs/contributing/style.md")

CODE = re.compile(r"`([^`\n]+)`")
PATH = re.compile(r"(?!.*://)[\w./-]*/[\w./-]*|pyproject\.toml|(?:action|mkdocs)\.yml|constraints\.txt|CHANGELOG\.md")
IDENTIFIER = re.compile(r"[A-Za-z_]\w*(?:\.[a-z_]\w*)*")

#: In examples and recipes: a path with one of these stands for a file of any name.
PLACEHOLDERS = ("NAME", "/x/")


def text_of(page: str) -> str:
    return (ROOT / page).read_text(encoding="utf-8")


def statements(page: str) -> Iterator[tuple[list[str], list[str]]]:
    """Each table row and list item: the paths that it names, and its other code."""
    text = re.sub(r"\n {2,}(?=\S)", " ", text_of(page))
    for line in text.splitlines():
        if re.match(r"\||\d+\. |- ", line):
            spans = CODE.findall(line)
            paths = [span for span in spans if PATH.fullmatch(span)]
            yield paths, [span for span in spans if span not in paths]


def is_there(path: str) -> bool:
    """From the root, or below `edgecheck/` or its reports."""
    return any((ROOT / base / path).exists() for base in ("", "edgecheck", "edgecheck/reports"))


@pytest.mark.parametrize("page", PAGES)
def test_every_path_exists(page: str) -> None:
    named = [span for span in CODE.findall(text_of(page)) if PATH.fullmatch(span)]
    named = [path for path in named if not any(each in path for each in PLACEHOLDERS)]
    assert named
    assert [path for path in named if not is_there(path)] == []


@pytest.mark.parametrize("page", PAGES)
def test_every_link_leads_somewhere(page: str) -> None:
    links = re.findall(r"\]\((?!https:)([^)#]+)", text_of(page))
    assert links
    assert [link for link in links if not ((ROOT / page).parent / link).exists()] == []


def test_every_name_is_in_a_file_of_its_row() -> None:
    rows = [(paths, names) for paths, names in statements(ARCHITECTURE) if paths and names]
    assert len(rows) > 10
    for paths, names in rows:
        files = [file for path in paths for file in python_files(path)]
        if not files:
            continue
        source = "\n".join(file.read_text(encoding="utf-8") for file in files)
        for name in names:
            if IDENTIFIER.fullmatch(name) and not name.startswith("edgecheck"):
                parts = [part for part in name.split(".") if not re.search(rf"\b{part}\b", source)]
                assert parts == [], f"{name} is not in {', '.join(paths)}"


def python_files(path: str) -> list[Path]:
    if any(each in path for each in PLACEHOLDERS):
        return []
    return list((ROOT / path).glob("*.py")) if path.endswith("/") else [ROOT / path]


def test_the_layers_are_those_of_the_contract() -> None:
    """One list item per layer, in the order of `pyproject.toml`."""
    contract = re.search(r"layers = \[\n(.*?)\n\]", text_of("pyproject.toml"), re.DOTALL)
    assert contract is not None
    section = text_of(ARCHITECTURE).partition("## Imports")[2].partition("\n## ")[0]
    items = [set(CODE.findall(line)) for line in section.splitlines() if re.match(r"\d+\. ", line)]
    assert items == [set(layer.split(" | ")) for layer in re.findall(r'"([^"]+)"', contract[1])]


def test_every_package_and_module_has_its_row() -> None:
    table = text_of(ARCHITECTURE).partition("## Folders")[2].partition("\n## ")[0]
    found = {
        path.name for path in (ROOT / "edgecheck").iterdir() if path.suffix == ".py" or (path / "__init__.py").exists()
    }
    rows = {Path(path).name for path in CODE.findall(table) if path.startswith("edgecheck/")}
    assert found - rows == {"__init__.py", "__main__.py"}


@pytest.mark.parametrize(
    ("name", "table"),
    [
        ("A metric", "edgecheck/core/metrics.py"),
        ("A target", "edgecheck/core/address.py"),
        ("A conversion route", "edgecheck/converters/routes.py"),
        ("A report format", "edgecheck/reports/__init__.py"),
        ("A caveat", "edgecheck/core/caveats.py"),
        ("A device profile", "device_profiles/NAME.yaml"),
    ],
)
def test_every_recipe_is_there(name: str, table: str) -> None:
    recipe = text_of(ARCHITECTURE).partition(f"### {name}\n")[2].partition("\n### ")[0]
    assert f"`{table}`" in recipe


def test_report_formats_and_routes_are_where_their_recipes_say() -> None:
    assert [module for module in FORMATS.values() if module.rpartition(".")[0] != "edgecheck.reports"] == []
    assert [route.maker for route in ROUTES if not route.maker.startswith(("to_onnx.", "to_tflite."))] == []


def test_targets_are_where_their_recipe_says() -> None:
    targets = import_module("edgecheck.core.address").TARGETS
    assert targets
    assert [kind.module for kind in targets.values() if not kind.module.startswith("edgecheck.targets.")] == []


def test_no_list_of_targets_is_kept_elsewhere() -> None:
    """So a target is a row and a module; for metrics, tests/core/test_metrics.py holds the same."""
    targets = import_module("edgecheck.core.address").TARGETS
    others = listed({*targets} - {"ssh"}, but=("core/address.py", "targets", "emulator", "cli/doctor.py"))
    assert others == []  # "ssh" is also the command; the emulator and doctor mean programs


def test_the_action_names_every_target() -> None:
    """The one description that cannot be made from the table."""
    described = re.search(r"^  target:\n    description: (.*)$", text_of("action.yml"), re.MULTILINE)
    assert described is not None
    assert import_module("edgecheck.core.address").forms() in described[1]


def listed(names: set[str], but: tuple[str, ...]) -> list[str]:
    """Where one of these names is compared with, or is in a list, tuple, set or dict, as `file:line: name`."""
    found = []
    for path in sorted((ROOT / "edgecheck").rglob("*.py")):
        inside = path.relative_to(ROOT / "edgecheck").as_posix()
        if inside.startswith(but):
            continue
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Set | ast.List | ast.Tuple | ast.Compare | ast.Dict):
                each_in = node.keys if isinstance(node, ast.Dict) else ast.iter_child_nodes(node)
                values = [each.value for each in each_in if isinstance(each, ast.Constant)]
                found += [f"edgecheck/{inside}:{node.lineno}: {value}" for value in values if value in names]
    return found


def test_the_tests_of_every_module_are_found() -> None:
    """By the file's name, or where the first lines of a test file name the module in backticks."""
    files = list((ROOT / "tests").rglob("test_*.py"))
    names = {path.stem for path in files}
    said = {each for path in files for each in CODE.findall(ast.get_docstring(ast.parse(text_of(str(path)))) or "")}
    lost = []
    for path in sorted((ROOT / "edgecheck").rglob("*.py")):
        here = path.relative_to(ROOT).with_suffix("").as_posix()
        expected = {f"test_{path.stem}", f"test_{path.parent.name}_{path.stem}", f"test_{path.parent.name}"}
        known = expected & names or any(fnmatch(f"/{here}", f"*/{each.removesuffix('.py')}") for each in said)
        if not known and not path.stem.startswith("__"):
            lost.append(here)
    assert lost == [], "name it in backticks in the docstring of the test file that covers it"


def test_every_target_is_kept_apart() -> None:
    contracts = (ROOT / "pyproject.toml").read_text(encoding="utf-8").split("[[tool.importlinter.contracts]]")
    (apart,) = (text for text in contracts if 'name = "targets know nothing of each other"' in text)
    modules = {kind.module for kind in TARGETS.values()}
    assert set(re.findall(r'"(edgecheck\.targets\.\w+)"', apart)) == modules, (
        "add it to this contract in pyproject.toml"
    )


def test_the_page_stays_short() -> None:
    assert len(text_of("CONTRIBUTING.md").splitlines()) <= 80


def test_make_targets_are_real() -> None:
    targets = set(re.findall(r"^([a-z-]+):", text_of("Makefile"), re.MULTILINE))
    named = set(re.findall(r"(?:^|`)make ([a-z-]+)", text_of("CONTRIBUTING.md"), re.MULTILINE))
    assert named
    assert named <= targets
