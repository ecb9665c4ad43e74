"""PyTorch to `.tflite` by litert-torch, which has a separate extra."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from edgecheck.converters.interface import TRUST_ALL
from tests.converters.bench import requires

if TYPE_CHECKING:
    from tests.converters.bench import Bench

pytestmark = [pytest.mark.convert, requires("litert_torch", "ai_edge_quantizer", "safetensors")]

#: The folder of `networks.py`.
HERE = Path(__file__).parents[1]
CLASSIFIER = {
    "inputs": {"image": (1, 1, 28, 28)},
    "factory": "networks:classifier",
    "home": HERE,
    "trusted": TRUST_ALL,
}


@pytest.mark.parametrize("variant", ["float32", "float16", "int8-weights", "int8-dynamic", "int8"])
def test_every_variant_of_a_factorys_network(bench: Bench, torch_models: Path, variant: str) -> None:
    made = bench.make(torch_models / "classifier.pth", "tflite", variant, **CLASSIFIER)
    agreement = bench.agreement(torch_models / "classifier.pth", "tflite", variant, **CLASSIFIER)
    assert made.route.startswith("litert-torch")
    assert agreement.cosine > 0.999
    assert agreement.note == "compared before the softmax"


@pytest.mark.parametrize("name", ["recurrent.pt2", "two.pt2"])
def test_exported_programs(bench: Bench, torch_models: Path, name: str) -> None:
    assert bench.agreement(torch_models / name, "tflite", "float32").relative_error < 1e-5
