"""The table of routes: what it names exists, and what it does not offer is told with the nearest."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

import edgecheck.converters
from edgecheck.anatomy.formats import ModelFormat
from edgecheck.converters.interface import READY, VARIANTS, Request
from edgecheck.converters.routes import ROUTES, Route, formats_of, possible, ways
from edgecheck.converters.sources.table import FRAMEWORKS
from edgecheck.errors import ConversionError

HOME = Path(edgecheck.converters.__file__).parent


def functions(module: str) -> set[str]:
    tree = ast.parse((HOME / f"{module.replace('.', '/')}.py").read_text(encoding="utf-8"))
    return {node.name for node in tree.body if isinstance(node, ast.FunctionDef)}


@pytest.mark.parametrize("route", ROUTES, ids=lambda route: f"{route.maker}-{route.variants[0]}")
def test_what_a_route_names_exists(root: Path, route: Route) -> None:
    module, _, function = route.maker.partition(":")
    assert function in functions(module)
    project = (root / "pyproject.toml").read_text(encoding="utf-8")
    assert re.search(rf"^{route.extra} = \[", project, re.MULTILINE)
    assert set(route.sources) <= {each.value for each in ModelFormat}
    assert set(route.variants) <= set(VARIANTS)


@pytest.mark.parametrize("name", FRAMEWORKS)
def test_what_runs_a_source_exists(name: str) -> None:
    module, _, function = FRAMEWORKS[name].opener.partition(":")
    assert function in functions(f"sources.{module}")


def test_every_source_of_a_route_can_be_run_for_its_agreement() -> None:
    assert {source for route in ROUTES for source in route.sources} == set(FRAMEWORKS)


@pytest.mark.parametrize("source", sorted({source for route in ROUTES for source in route.sources}))
def test_every_route_offers_every_variant(source: str) -> None:
    for target in formats_of(source):
        assert possible(source, target) == VARIANTS


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
            ["from_keras:convert", "from_keras:convert_fixed", "then quantised:convert"],
        ),
        (request("keras", "tflite", "int8-weights"), ["then quantised:convert"]),
        (request("keras", "onnx", "float32"), ["from_keras:convert", "from_keras:convert_traced"]),
        (request("keras", "onnx", "float32", 0.5), ["then pruned:convert"]),
        (request("pt2", "onnx", "int8"), ["then int8:convert"]),
        (request("onnx", "onnx", "int8"), ["int8:convert"]),
    ],
)
def test_the_order_of_trying(asked: Request, makers: list[str]) -> None:
    found = [("then " if way.through_float else "") + way.last.maker.rpartition(".")[2] for way in ways(asked)]
    assert found == makers


@pytest.mark.parametrize(
    ("asked", "hint"),
    [
        (request("onnx", "tflite", "float32"), "From onnx edgecheck makes: onnx."),
        (request("torchscript", "tflite", "float32"), "From torchscript edgecheck makes: onnx."),
        (request("joblib", "tflite", "int8"), "From joblib edgecheck makes: onnx."),
        (
            request("keras", "tflite", "as-is"),
            "From keras to tflite there is: float32, float16, int8-weights, int8-dynamic, int8.",
        ),
        (
            request("onnx", "onnx", "int4"),
            "From onnx to onnx there is: as-is, float32, float16, int8-weights, int8-dynamic, int8.",
        ),
        (
            request("mlpackage", "onnx", "float32"),
            "Convert it to .onnx or .tflite with its own framework; edgecheck does not convert mlpackage files.",
        ),
    ],
)
def test_no_route_names_the_nearest(asked: Request, hint: str) -> None:
    with pytest.raises(ConversionError) as caught:
        ways(asked)
    assert caught.value.message == (
        "model is a keras file, which no device runs as it is."
        if asked.variant == "as-is"
        else f"There is no route from {asked.source} to {asked.format} as {asked.variant}."
    )
    assert caught.value.hint == hint


def test_ready_formats_are_routes_of_their_own() -> None:
    assert set(READY) == {route.format for route in ROUTES}
