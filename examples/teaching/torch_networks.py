"""Dense networks in PyTorch: built, trained on the digits, and exported."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING

import torch
from torch import nn

from examples.teaching.digits import TRAINING, pictures

if TYPE_CHECKING:
    from pathlib import Path

    from torch import Tensor

STUDENT = (784, 128, 10)
TEACHER = (784, 512, 256, 10)


def dense(sizes: tuple[int, ...], dropout: float = 0.0) -> nn.Sequential:
    """Dense layers with ReLU between them, and dropout after each ReLU if it is not zero."""
    torch.manual_seed(0)
    layers: list[nn.Module] = []
    for inner, outer in pairwise(sizes):
        layers += [nn.Linear(inner, outer), nn.ReLU()]
        if dropout:
            layers.append(nn.Dropout(dropout))
    return nn.Sequential(*layers[: -2 if dropout else -1])


def train(network: nn.Module, targets: Tensor, images: Tensor, epochs: int = 15) -> None:
    """Fit to class numbers, or to a teacher's probabilities."""
    torch.set_num_threads(1)
    optimizer = torch.optim.Adam(network.parameters(), lr=1e-3)
    network.train()
    for _ in range(epochs):
        for batch in torch.randperm(len(images)).split(64):
            optimizer.zero_grad()
            nn.functional.cross_entropy(network(images[batch]), targets[batch]).backward()
            optimizer.step()
    network.eval()


def flat_pictures() -> tuple[Tensor, Tensor]:
    """All pictures as rows of 784, and their labels."""
    images, labels = pictures()
    return torch.from_numpy(images).flatten(1), torch.from_numpy(labels)


def trained(sizes: tuple[int, ...]) -> nn.Sequential:
    """A network trained on the digits."""
    network = dense(sizes)
    images, labels = flat_pictures()
    train(network, labels[:TRAINING], images[:TRAINING])
    return network


def accuracy(network: nn.Module) -> float:
    """Share of the test pictures whose digit it names."""
    images, labels = flat_pictures()
    with torch.no_grad():
        return float((network(images[TRAINING:]).argmax(1) == labels[TRAINING:]).float().mean())


def count(network: nn.Module) -> int:
    """How many weights it has, as PyTorch counts."""
    return sum(each.numel() for each in network.parameters())


def export(network: nn.Module, path: Path) -> Path:
    """Save it as a .pt2: graph and weights, so that opening it does not need this code."""
    network.eval()
    batch = torch.export.Dim("batch")
    program = torch.export.export(network, (torch.rand(2, 784),), dynamic_shapes=({0: batch},))
    torch.export.save(program, path)
    return path
