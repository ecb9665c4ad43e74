"""The reference lists the routes, the variants and the sources that there are."""

from __future__ import annotations

import re
from pathlib import Path

from edgecheck.converters.interface import VARIANTS
from edgecheck.converters.routes import ROUTES, Route

ROOT = Path(__file__).parents[2]
REFERENCE = (ROOT / "docs" / "reference" / "conversion.md").read_text(encoding="utf-8")

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


def test_the_routes_are_those_of_the_table_in_their_order() -> None:
    written: list[tuple[str, str, str]] = []
    for source, target, title in cells(section("Routes")):
        written.append((source or written[-1][0], target or written[-1][1], title))
    for name, source in FROM.items():
        for target in ("tflite", "onnx"):
            routes: list[Route] = [each for each in ROUTES if name in each.sources and each.format == target]
            expected = list(dict.fromkeys(each.title for each in routes))
            assert [title for one, other, title in written if (one, other) == (source, f"`.{target}`")] == expected


def test_the_variants_are_all_there_from_the_least_lossy_on() -> None:
    assert [row[0].strip("`") for row in cells(section("Variants"))] == list(VARIANTS)


def test_every_extra_of_a_route_is_named() -> None:
    named = set(re.findall(r"`([a-z-]+)`", section("Sources")))
    assert {route.extra for route in ROUTES} <= named


def test_what_the_pages_point_to_is_there() -> None:
    for page in ("reference/conversion.md", "explanation/variants.md", "tutorials/teaching-cases.md"):
        path = ROOT / "docs" / page
        for link in re.findall(r"\]\(([^)#]+)", path.read_text(encoding="utf-8")):
            assert (path.parent / link).exists(), f"{page}: {link}"
