"""The table of routes: all that it names exists, missing routes are refused with the nearest, the docs list it.

Covers `frameworks.py`.
"""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

import edgecheck.converters
from edgecheck.anatomy.formats import ModelFormat
from edgecheck.converters.interface import READY, VARIANTS, Request
from edgecheck.converters.routes import ROUTES, Route, formats_of, variants_between, ways
from edgecheck.converters.sources.frameworks import FRAMEWORKS
from edgecheck.errors import ConversionError

HOME = Path(edgecheck.converters.__file__).parent
ROOT = Path(__file__).parents[2]
REFERENCE = (ROOT / "docs" / "reference" / "conversion.md").read_text(encoding="utf-8")


def functions(module: str) -> set[str]:
    tree = ast.parse((HOME / f"{module.replace('.', '/')}.py").read_text(encoding="utf-8"))
    return {node.name for node in tree.body if isinstance(node, ast.FunctionDef)}


@pytest.mark.parametrize("route", ROUTES, ids=lambda route: f"{route.maker}-{route.variants[0]}")
def test_the_function_and_the_extra_of_a_route_exist(root: Path, route: Route) -> None:
    module, _, function = route.maker.partition(":")
    assert function in functions(module)
    project = (root / "pyproject.toml").read_text(encoding="utf-8")
    assert re.search(rf"^{route.extra} = \[", project, re.MULTILINE)
    assert set(route.sources) <= {each.value for each in ModelFormat}
    assert set(route.variants) <= set(VARIANTS)


@pytest.mark.parametrize("name", FRAMEWORKS)
def test_the_module_that_opens_a_source_exists(name: str) -> None:
    assert "open_model" in functions(f"sources.{FRAMEWORKS[name].module}")


def test_every_source_of_a_route_can_be_run_for_its_agreement() -> None:
    assert {source for route in ROUTES for source in route.sources} == set(FRAMEWORKS)


@pytest.mark.parametrize("source", sorted({source for route in ROUTES for source in route.sources}))
def test_every_route_offers_every_variant(source: str) -> None:
    for target in formats_of(source):
        assert variants_between(source, target) == VARIANTS


@pytest.mark.parametrize(
    ("source", "formats"),
    [
        ("keras", ("tflite", "onnx")),
        ("savedmodel", ("tflite", "onnx")),
        ("pt2", ("onnx", "tflite")),
        ("torch-zip", ("onnx", "tflite")),
        ("torchscript", ("onnx",)),
        ("joblib", ("onnx",)),
        ("tflite", ("tflite",)),
        ("onnx", ("onnx",)),
        ("mlpackage", ()),
    ],
)
def test_the_default_format_comes_first(source: str, formats: tuple[str, ...]) -> None:
    assert formats_of(source) == formats


def request(source: str, target: str, variant: str, prune: float = 0.0) -> Request:
    return Request(model=Path("model"), source=source, format=target, variant=variant, prune=prune)


@pytest.mark.parametrize(
    ("asked", "makers"),
    [
        (
            request("keras", "tflite", "int8"),
            [
                "from_tensorflow:convert_keras",
                "from_tensorflow:convert_keras_fixed",
                "then quantised:convert",
            ],
        ),
        (request("keras", "tflite", "int8-weights"), ["then quantised:convert"]),
        (request("keras", "onnx", "float32"), ["from_tensorflow:export_keras", "from_tensorflow:convert_keras"]),
        (request("keras", "onnx", "float32", 0.5), ["then from_onnx:prune"]),
        (request("pt2", "onnx", "int8"), ["then quantised:convert_static"]),
        (request("onnx", "onnx", "int8"), ["quantised:convert_static"]),
    ],
)
def test_the_order_of_trying(asked: Request, makers: list[str]) -> None:
    found = [("then " if way.through_float else "") + way.last.maker.rpartition(".")[2] for way in ways(asked)]
    assert found == makers


@pytest.mark.parametrize(
    ("asked", "hint"),
    [
        (request("onnx", "tflite", "float32"), "From onnx, edgecheck makes: onnx."),
        (request("torchscript", "tflite", "float32"), "From torchscript, edgecheck makes: onnx."),
        (request("joblib", "tflite", "int8"), "From joblib, edgecheck makes: onnx."),
        (
            request("keras", "tflite", "as-is"),
            "From keras to tflite, choose from: float32, float16, int8-weights, int8-dynamic, int8.",
        ),
        (
            request("onnx", "onnx", "int4"),
            "From onnx to onnx, choose from: as-is, float32, float16, int8-weights, int8-dynamic, int8.",
        ),
        (
            request("mlpackage", "onnx", "float32"),
            "Convert it to .onnx or .tflite with its own framework; edgecheck does not convert mlpackage files.",
        ),
    ],
)
def test_a_missing_route_is_refused_with_the_nearest(asked: Request, hint: str) -> None:
    with pytest.raises(ConversionError) as caught:
        ways(asked)
    assert caught.value.message == (
        "model is a keras file, which no device runs unconverted."
        if asked.variant == "as-is"
        else f"No route converts {asked.source} to {asked.format} as {asked.variant}."
    )
    assert caught.value.hint == hint


def test_every_ready_format_has_routes() -> None:
    assert set(READY) == {route.format for route in ROUTES}


#: By a source format: its name in the reference's table of routes.
FROM = {
    "keras": "Keras",
    "savedmodel": "SavedModel",
    "torch-zip": "PyTorch module, `.pt2`",
    "torchscript": "TorchScript",
    "joblib": "scikit-learn",
    "tflite": "`.tflite`",
    "onnx": "`.onnx`",
}


def section(title: str) -> str:
    return REFERENCE.partition(f"## {title}\n")[2].partition("\n## ")[0]


def cells(text: str) -> list[list[str]]:
    rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in text.splitlines() if line.startswith("|")]
    return rows[2:]


def test_the_reference_lists_the_routes_in_their_order() -> None:
    written: list[tuple[str, str, str]] = []
    for source, target, title in cells(section("Routes")):
        written.append((source or written[-1][0], target or written[-1][1], title))
    for name, source in FROM.items():
        for target in ("tflite", "onnx"):
            routes: list[Route] = [each for each in ROUTES if name in each.sources and each.format == target]
            expected = list(dict.fromkeys(each.title for each in routes))
            assert [title for one, other, title in written if (one, other) == (source, f"`.{target}`")] == expected


def test_the_reference_lists_all_variants_the_least_lossy_first() -> None:
    assert [row[0].strip("`") for row in cells(section("Variants"))] == list(VARIANTS)


def test_the_reference_names_every_extra() -> None:
    named = set(re.findall(r"`([a-z-]+)`", section("Sources")))
    assert {route.extra for route in ROUTES} <= named


def test_the_links_of_the_pages_on_conversion_lead_somewhere() -> None:
    for page in ("reference/conversion.md", "explanation/variants.md", "tutorials/teaching-cases.md"):
        path = ROOT / "docs" / page
        for link in re.findall(r"\]\(([^)#]+)", path.read_text(encoding="utf-8")):
            assert (path.parent / link).exists(), f"{page}: {link}"
