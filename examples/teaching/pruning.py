"""Pruning sets weights to zero: the file keeps its size, the download shrinks, and the answers drift."""

from __future__ import annotations

from typing import TYPE_CHECKING

from examples.teaching import workshop
from examples.teaching.digits import save_samples
from examples.teaching.torch_networks import STUDENT, export, trained

if TYPE_CHECKING:
    from pathlib import Path

    from examples.teaching.table import Row


def lesson(folder: Path) -> list[Row]:
    """A trained network with more and more of its weights set to zero, without retraining."""
    model = export(trained(STUDENT), folder / "student.pt2")
    samples = save_samples(folder / "rows.npz", "input", (784,))
    rows: list[Row] = []
    for share in (0.0, 0.5, 0.8, 0.9):
        made = workshop.made(model, "onnx", "float32", prune=share)
        found = workshop.agreement(made, model, samples)
        rows.append(
            {
                "pruned": f"{share:.0%}",
                "bytes": made.size,
                "download": made.download,
                "agreement": found.cosine,
                "same digit": found.top1,
            }
        )
    return rows


if __name__ == "__main__":
    workshop.run(lesson)
