"""A convolutional network for 28 x 28 pictures in Keras: where its weights are."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from edgecheck.anatomy.reading import read
from examples.teaching import workshop
from examples.teaching.keras_networks import cnn, trained

if TYPE_CHECKING:
    from examples.teaching.table import Row


def lesson(folder: Path) -> list[Row]:
    """The convolutions compute the most; the dense layer behind them has five sixths of the weights."""
    model = cnn()
    model.save(folder / "cnn.keras")
    rows: list[Row] = [
        {"part": layer.name, "weights": layer.count_params(), "bytes": 4 * layer.count_params()}
        for layer in model.layers
        if layer.count_params()
    ]
    trained().save(folder / "digits.keras")
    made = workshop.made(folder / "digits.keras", "tflite", "float32")
    files = {".keras": folder / "cnn.keras", ".keras with the optimiser's state": folder / "digits.keras"}
    for name, path in (*files.items(), (".tflite", Path(made.path))):
        rows.append({"part": name, "weights": workshop.weights(path), "bytes": read(path).size})
    return rows


if __name__ == "__main__":
    workshop.run(lesson)
