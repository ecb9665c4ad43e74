"""A dense network 784-128-10 in PyTorch: how many weights, and how many bytes in which file."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import torch

from examples.teaching import workshop
from examples.teaching.torch_networks import STUDENT, count, dense, export

if TYPE_CHECKING:
    from examples.teaching.table import Row


def lesson(folder: Path) -> list[Row]:
    """784 x 128 + 128 + 128 x 10 + 10 = 101,770 weights, in every file that keeps them all."""
    network = dense(STUDENT)
    torch.save(network.state_dict(), folder / "mlp.pth")
    program = export(network, folder / "mlp.pt2")
    onnx = workshop.made(program, "onnx", "float32")
    rows = [("in memory", count(network), 4 * count(network))]
    rows += [(path.suffix, workshop.weights(path), path.stat().st_size) for path in (folder / "mlp.pth", program)]
    rows.append((".onnx", workshop.weights(Path(onnx.path)), onnx.size))
    return [
        {"file": name, "weights": weights, "bytes": size, "bytes a weight": size / weights}
        for name, weights, size in rows
    ]


if __name__ == "__main__":
    workshop.run(lesson)
