"""Networks that look things up get whole numbers, from the rows of their tables. Also covers `from_torch.py`."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from edgecheck.converters.samples import Port
from edgecheck.errors import ConversionError
from tests.converters.bench import requires

pytestmark = [pytest.mark.convert, requires("torch")]

IDS, MASK = Port("ids", (None, 12), "float32"), Port("mask", (None, 12), "float32")


def looking_up(*, masked: bool = False, cast: bool = False) -> Any:
    import torch

    class Words(torch.nn.Module):  # type: ignore[misc] # torch is skipped by mypy here
        def __init__(self) -> None:
            super().__init__()
            self.table = torch.nn.Embedding(50, 8)
            self.register_buffer("calls", torch.zeros(1))

        def forward(self, ids: Any, *mask: Any) -> Any:
            self.calls += 1
            found = self.table(ids.long() if cast else ids)
            return (found * mask[0].unsqueeze(-1) if masked else found).mean(1)

    return Words().eval()


def test_an_input_that_is_looked_up_is_of_whole_numbers() -> None:
    from edgecheck.converters.sources.torch_inputs import ranged, typed

    network = looking_up(masked=True)
    ports = ranged(network, typed(network, (IDS, MASK), "words.pth"))
    assert [port.dtype for port in ports] == ["int64", "float32"]
    assert network.calls == 0, "the calls that found this out leave nothing behind"
    assert ports[0].draw is not None
    drawn = ports[0].draw(np.random.default_rng(0), (1, 500))
    assert drawn.min() == 0
    assert 40 < drawn.max() < 50
    assert ports[1].draw is None


def test_fractions_that_a_network_casts_are_drawn_from_the_table_too() -> None:
    from edgecheck.converters.sources.torch_inputs import ranged, typed

    network = looking_up(cast=True)
    (port,) = ranged(network, typed(network, (IDS,), "words.pth"))
    assert port.dtype == "float32"
    assert port.draw is not None


def test_other_shapes_are_told_with_the_shapes() -> None:
    import torch

    from edgecheck.converters.sources.torch_inputs import typed

    with pytest.raises(ConversionError, match=r"m\.pth does not take inputs of these shapes, x \[1, 7\]") as caught:
        typed(torch.nn.Linear(8, 3), (Port("x", (None, 7), "float32"),), "m.pth")
    assert caught.value.hint == "Correct --input, or `inputs:` in the budget."


@pytest.mark.parametrize(
    "decides", ["int(x.sum()) > 3", "x.mean().item() > 0", "torch.equal(x, x * 2)", "(x > 1).any()"]
)
def test_a_decision_on_values_is_found(decides: str) -> None:
    import torch

    from edgecheck.converters.to_onnx.from_torch import decides_by_values

    class Deciding(torch.nn.Module):  # type: ignore[misc] # torch is skipped by mypy here
        def forward(self, x: Any) -> Any:
            return x if eval(decides, {"torch": torch, "x": x}) else -x

    assert decides_by_values(Deciding(), (torch.ones(1, 4),))


def test_a_decision_on_sizes_is_none() -> None:
    import torch

    from edgecheck.converters.to_onnx.from_torch import decides_by_values

    class Sizes(torch.nn.Module):  # type: ignore[misc] # torch is skipped by mypy here
        def forward(self, x: Any) -> Any:
            return x.reshape(int(x.shape[0]), -1) if x.shape[1] == 4 and len(x) else -x

    assert not decides_by_values(Sizes(), (torch.ones(1, 4),))
