"""A teacher of 535,818 weights trains a student of 101,770; `teacher.yaml` and `student.yaml` then check each."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

from examples.teaching import workshop
from examples.teaching.digits import TRAINING
from examples.teaching.torch_networks import (
    STUDENT,
    TEACHER,
    accuracy,
    count,
    dense,
    export,
    flat_pictures,
    train,
    trained,
)

if TYPE_CHECKING:
    from pathlib import Path

    from examples.teaching.table import Row

#: Softens the teacher's probabilities, so that the student sees which mistakes are near (Hinton et al. 2015).
TEMPERATURE = 3.0


def lesson(folder: Path) -> list[Row]:
    """The student learns the teacher's answers, not the labels."""
    images, _ = flat_pictures()
    teacher = trained(TEACHER)
    with torch.no_grad():
        answers = torch.softmax(teacher(images[:TRAINING]) / TEMPERATURE, 1)
    student = dense(STUDENT)
    train(student, answers, images[:TRAINING], epochs=30)
    rows: list[Row] = []
    for name, network in (("teacher", teacher), ("student", student)):
        path = export(network, folder / f"{name}.pt2")
        rows.append(
            {
                "network": name,
                "weights": count(network),
                ".pt2 bytes": path.stat().st_size,
                "right digits": accuracy(network),
            }
        )
    return rows


if __name__ == "__main__":
    workshop.run(lesson)
