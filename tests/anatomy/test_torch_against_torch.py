"""Files that torch and safetensors write, against the module that was saved."""

from __future__ import annotations

import copy
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from edgecheck.anatomy.contents import Contents
from edgecheck.anatomy.formats import ModelFormat
from edgecheck.anatomy.reading import read
from edgecheck.anatomy.values import Anatomy, Role

torch = pytest.importorskip("torch", reason="torch is not installed")

pytestmark = [pytest.mark.convert, pytest.mark.filterwarnings("ignore")]


class Block(torch.nn.Module):  # type: ignore[name-defined,misc]
    """A convolution and its normalisation."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = torch.nn.Conv2d(8, 8, 3, padding=1)
        self.bn = torch.nn.BatchNorm2d(8)

    def forward(self, x: Any) -> Any:
        return torch.relu(self.bn(self.conv(x)))


class Net(torch.nn.Module):  # type: ignore[name-defined,misc]
    """Two blocks and a head, with a buffer."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = torch.nn.Conv2d(3, 8, 3, padding=1)
        self.blocks = torch.nn.Sequential(Block(), Block())
        self.head = torch.nn.Linear(8, 10)
        self.register_buffer("scale", torch.ones(3))

    def forward(self, x: Any) -> Any:
        return self.head(self.blocks(self.stem(x)).mean((2, 3))) + self.scale.sum()


def network() -> Any:
    torch.manual_seed(0)
    return Net().eval()


def trace(net: Any, path: Path) -> None:
    torch.jit.trace(net, torch.ones(1, 3, 8, 8)).save(path)


def export(net: Any, path: Path) -> None:
    torch.export.save(torch.export.export(net, (torch.ones(1, 3, 8, 8),)), path)


def safetensors(net: Any, path: Path) -> None:
    library = pytest.importorskip("safetensors.torch", reason="safetensors is not installed")
    library.save_file(net.state_dict(), path)


WRITERS: dict[str, tuple[ModelFormat, Callable[[Any, Path], None]]] = {
    "state dict": (ModelFormat.TORCH_ZIP, lambda net, path: torch.save(net.state_dict(), path)),
    "module": (ModelFormat.TORCH_ZIP, torch.save),
    "legacy state dict": (
        ModelFormat.TORCH_LEGACY,
        lambda net, path: torch.save(net.state_dict(), path, _use_new_zipfile_serialization=False),
    ),
    "legacy module": (
        ModelFormat.TORCH_LEGACY,
        lambda net, path: torch.save(net, path, _use_new_zipfile_serialization=False),
    ),
    "trace": (ModelFormat.TORCHSCRIPT, trace),
    "pt2": (ModelFormat.PT2, export),
    "safetensors": (ModelFormat.SAFETENSORS, safetensors),
}


def checked(path: Path) -> Anatomy:
    found = read(path)
    assert found.totals.size == path.stat().st_size
    assert found.totals.unclaimed == 0
    assert sum(tensor.stored for tensor in found.tensors) == found.totals.tensors
    return found


@pytest.mark.parametrize("writer", WRITERS)
def test_every_tensor_is_found_with_its_content(writer: str, tmp_path: Path) -> None:
    net = network()
    expected_format, write = WRITERS[writer]
    path = tmp_path / "net.pt2" if expected_format is ModelFormat.PT2 else tmp_path / "net.pt"
    write(net, path)
    found = checked(path)
    assert found.format is expected_format
    with Contents(found) as contents:
        read_back = {tensor.name: (tensor.shape, b"".join(contents.pieces(tensor))) for tensor in found.tensors}
    assert read_back == {
        name: (tuple(value.shape), value.contiguous().numpy().tobytes()) for name, value in net.state_dict().items()
    }
    floats = sum(value.numel() for value in net.state_dict().values() if value.is_floating_point())
    assert found.totals.params == floats
    assert {tensor.layer for tensor in found.tensors} >= {"stem", "blocks/0/conv", "blocks/1/bn", "head"}


def test_scripted_modules_with_constants(tmp_path: Path) -> None:
    net = torch.nn.Sequential(torch.nn.Linear(4, 3), torch.nn.ReLU(), torch.nn.BatchNorm1d(3)).eval()
    torch.jit.freeze(torch.jit.script(net)).save(tmp_path / "frozen.pt")
    torch.jit.script(net).save(tmp_path / "net.pt")
    assert {tensor.layer for tensor in checked(tmp_path / "net.pt").tensors} == {"0", "2"}
    frozen = checked(tmp_path / "frozen.pt")
    assert frozen.totals.params == 12 + 3 + 2 * 3  # the normalisation became a scale and an offset


def test_operators_of_an_exported_program(tmp_path: Path) -> None:
    export(network(), tmp_path / "net.pt2")
    found = checked(tmp_path / "net.pt2")
    assert found.operators["aten.conv2d.default"] == 3
    assert next(tensor for tensor in found.tensors if tensor.name == "head.weight").operator == "aten.linear.default"


@pytest.mark.parametrize("zipped", [True, False], ids=["zip", "legacy"])
def test_the_optimisers_state_is_recognised(tmp_path: Path, *, zipped: bool) -> None:
    net = network()
    optimizer = torch.optim.Adam(net.parameters())
    net.train()(torch.ones(2, 3, 8, 8)).sum().backward()
    optimizer.step()
    state = {"epoch": 3, "model": net.state_dict(), "optimizer": optimizer.state_dict()}
    torch.save(state, tmp_path / "c.ckpt", _use_new_zipfile_serialization=zipped)
    found = checked(tmp_path / "c.ckpt")
    moments = sum(tensor.stored for tensor in found.tensors if tensor.role is Role.OPTIMIZER)
    learned = sum(parameter.numel() for parameter in net.parameters())
    assert moments == 4 * (2 * learned + len(list(net.parameters())))  # two moments each, and a step


def test_tied_weights_and_views(tmp_path: Path) -> None:
    big = torch.randn(100, 10)
    state = {"a": big, "tied": big, "rows": big[:5], "turned": big.t(), "half": big.half(), "brain": big.bfloat16()}
    torch.save(state, tmp_path / "v.pt")
    found = checked(tmp_path / "v.pt")
    assert {tensor.name: (tensor.dtype, tensor.stored, tensor.shares) for tensor in found.tensors} == {
        "a": ("float32", 4000, ""),
        "tied": ("float32", 0, "a"),
        "rows": ("float32", 0, "a"),
        "turned": ("float32", 0, "a"),
        "half": ("float16", 2000, ""),
        "brain": ("bfloat16", 2000, ""),
    }


def test_a_slice_carries_its_storage(tmp_path: Path) -> None:
    torch.save({"w": torch.randn(1000, 10)[10:20]}, tmp_path / "s.pt")
    found = checked(tmp_path / "s.pt")
    unused = sum(tensor.stored for tensor in found.tensors if tensor.role is Role.UNUSED)
    assert unused == 4 * (10_000 - 100)
    assert found.totals.params == 100


def test_an_expanded_tensor_has_no_weights(tmp_path: Path) -> None:
    torch.save({"w": torch.ones(1).expand(1_000_000)}, tmp_path / "e.pt")
    found = checked(tmp_path / "e.pt")
    assert (found.totals.params, found.tensors[0].encoding, found.tensors[0].stored) == (0, "expanded", 4)


def test_dynamically_quantised_modules(tmp_path: Path) -> None:
    quantised = torch.ao.quantization.quantize_dynamic(copy.deepcopy(network()), {torch.nn.Linear}, torch.qint8)
    torch.save(quantised.state_dict(), tmp_path / "q.pt")
    found = checked(tmp_path / "q.pt")
    (packed,) = [tensor for tensor in found.tensors if tensor.dtype == "int8"]
    assert (packed.shape, packed.role, packed.stored) == ((10, 8), Role.WEIGHT, 80)
