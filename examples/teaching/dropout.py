"""Dropout is for training: it adds no weight, and not one byte to what is shipped."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from examples.teaching import workshop
from examples.teaching.torch_networks import STUDENT, count, dense, export

if TYPE_CHECKING:
    from examples.teaching.table import Row


def lesson(folder: Path) -> list[Row]:
    """The same network without and with dropout of one half."""
    rows: list[Row] = []
    for name, share in (("without", 0.0), ("with", 0.5)):
        network = dense(STUDENT, share)
        made = workshop.made(export(network, folder / f"dropout_{name}.pt2"), "onnx", "float32")
        rows.append(
            {
                "dropout": name,
                "layers": len(network),
                "weights": count(network),
                "weights in the .onnx": workshop.weights(Path(made.path)),
                "bytes of the .onnx": made.size,
            }
        )
    return rows


if __name__ == "__main__":
    workshop.run(lesson)
