"""Post-training quantisation: the same trained network in all five variants, and what each costs."""

from __future__ import annotations

from typing import TYPE_CHECKING

from edgecheck.converters.interface import VARIANTS
from examples.teaching import workshop
from examples.teaching.digits import save_samples
from examples.teaching.keras_networks import trained

if TYPE_CHECKING:
    from pathlib import Path

    from examples.teaching.table import Row


def lesson(folder: Path) -> list[Row]:
    """From the least lossy variant on; `int8` is calibrated on 100 pictures."""
    trained().save(folder / "digits.keras")
    samples = save_samples(folder / "pictures.npz", "image", (28, 28, 1))
    rows: list[Row] = []
    for variant in VARIANTS:
        made = workshop.made(folder / "digits.keras", "tflite", variant, samples)
        found = workshop.agreement(made, folder / "digits.keras", samples)
        rows.append(
            {
                "variant": variant,
                "bytes": made.size,
                "download": made.download,
                "agreement": found.cosine,
                "same digit": found.top1,
            }
        )
    return rows


if __name__ == "__main__":
    workshop.run(lesson)
