"""Operators of TorchScript that do more than compute are found in its source.

Covers `converters/safety/torch_programs.py`.
"""

from __future__ import annotations

import zipfile
from typing import TYPE_CHECKING

import pytest

from edgecheck.converters.safety.torch_programs import what_script_runs
from tests.converters.bench import requires

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("y = torch.relu((self.l).forward(x, ))", []),
        ("_0 = __torch__.torch.nn.functional.softmax", []),
        ("y = ops.quantized.linear(x, self._packed, 0.1, 3)", []),
        ("p : __torch__.torch.classes.quantized.LinearPackedParamsBase", []),
        ('torch.save(x, "/tmp/x")', ["torch.save"]),
        ('torch . save(x, "/tmp/x")', ["torch.save"]),
        ("y = torch.from_file('/etc/passwd', True, 4)", ["torch.from_file"]),
        ("y = ops.mine.launch(x)", ["ops.mine.launch"]),
        ("y = ops.prim.rpc_sync(a, b)", ["ops.prim.rpc_sync"]),
        ("y = torch.classes.dist_rpc.RpcAgent()", ["torch.classes.dist_rpc.RpcAgent"]),
        ("# torch.save(x)\ny = 'torch.save(x)'", []),
    ],
)
def test_what_reaches_out(text: str, found: list[str]) -> None:
    assert list(what_script_runs(f"{text}\n")) == found


def test_what_cannot_be_read_is_an_error() -> None:
    with pytest.raises(ValueError, match="cannot be read"):
        list(what_script_runs("y = (torch.save(x\n"))


@pytest.mark.convert
@requires("torch")
def test_networks_only_compute(torch_models: Path) -> None:
    with zipfile.ZipFile(torch_models / "scripted.ts") as archive:
        sources = [archive.read(name).decode() for name in archive.namelist() if name.endswith(".py")]
    assert len(sources) > 1
    assert [found for text in sources for found in what_script_runs(text)] == []
