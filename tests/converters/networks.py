"""Networks that factories build: imported by conversions' child processes and by the scripts that train them."""

from __future__ import annotations

import torch
from torch import nn


class Classifier(nn.Module):  # type: ignore[misc] # torch is skipped by mypy here, so that it need not be installed
    """A convolution, a dense layer and a softmax."""

    def __init__(self) -> None:
        super().__init__()
        self.convolution = nn.Conv2d(1, 8, 3)
        self.dropout = nn.Dropout(0.5)
        self.dense = nn.Linear(8 * 26 * 26, 10)

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        """Probabilities."""
        hidden = torch.relu(self.convolution(image)).flatten(1)
        return torch.softmax(self.dense(self.dropout(hidden)), 1)


class Recurrent(nn.Module):  # type: ignore[misc] # see Classifier
    """A GRU and a dense layer."""

    def __init__(self) -> None:
        super().__init__()
        self.gru = nn.GRU(8, 16, batch_first=True)
        self.dense = nn.Linear(16, 4)

    def forward(self, steps: torch.Tensor) -> torch.Tensor:
        """The last step's."""
        return self.dense(self.gru(steps)[0][:, -1])


class Two(nn.Module):  # type: ignore[misc] # see Classifier
    """Two inputs, and two outputs of the same shape."""

    def __init__(self) -> None:
        super().__init__()
        self.left = nn.Linear(8, 5)
        self.right = nn.Linear(4, 5)

    def forward(self, zeta: torch.Tensor, alpha: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """The sum, and the left part of it."""
        left = self.left(zeta)
        return left + self.right(alpha), left


class OneAtATime(nn.Module):  # type: ignore[misc] # see Classifier
    """Takes a batch of one and no other."""

    def __init__(self) -> None:
        super().__init__()
        self.dense = nn.Linear(8, 5)

    def forward(self, row: torch.Tensor) -> torch.Tensor:
        """The dense layer's values, as a batch of one."""
        return self.dense(row).view(1, 5)


class Optional(nn.Module):  # type: ignore[misc] # see Classifier
    """Two optional arguments, whose position alone does not say which one is passed."""

    def __init__(self) -> None:
        super().__init__()
        self.dense = nn.Linear(6, 6)

    def forward(
        self, row: torch.Tensor, gain: torch.Tensor | None = None, shift: torch.Tensor | None = None
    ) -> torch.Tensor:
        """A product, and a sum."""
        made = self.dense(row)
        made = made * gain if gain is not None else made
        return made + 10 * shift if shift is not None else made


class Deciding(nn.Module):  # type: ignore[misc] # see Classifier
    """Python decides by the values, and loops over the batch."""

    def __init__(self) -> None:
        super().__init__()
        self.one, self.other = nn.Linear(6, 4), nn.Linear(6, 4)

    def forward(self, row: torch.Tensor) -> torch.Tensor:
        """One product or the other."""
        made = self.one(row) if row.sum() > 0 else self.other(row)
        return torch.stack([made[each] * float(each + 1) for each in range(len(row))])


class Counting(nn.Module):  # type: ignore[misc] # see Classifier
    """Each call returns more than the one before."""

    def __init__(self) -> None:
        super().__init__()
        self.dense = nn.Linear(6, 4)
        self.register_buffer("calls", torch.zeros(1))

    def forward(self, row: torch.Tensor) -> torch.Tensor:
        """A product, and how often it was asked for."""
        self.calls.add_(1)
        return self.dense(row) + self.calls


class Tied(nn.Module):  # type: ignore[misc] # see Classifier
    """One matrix on both ends."""

    def __init__(self) -> None:
        super().__init__()
        self.inner, self.outer = nn.Linear(6, 6), nn.Linear(6, 6)
        self.outer.weight = self.inner.weight

    def forward(self, row: torch.Tensor) -> torch.Tensor:
        """Both products."""
        return self.outer(torch.relu(self.inner(row)))


def halved() -> nn.Module:
    """A factory of a network in half precision."""
    return Tied().half()


def classifier() -> nn.Module:
    """A factory."""
    return Classifier()


def recurrent() -> nn.Module:
    """A factory."""
    return Recurrent()


def two() -> nn.Module:
    """A factory."""
    return Two()


def one_at_a_time() -> nn.Module:
    """A factory."""
    return OneAtATime()


def no_network() -> str:
    """A factory that builds something else."""
    return "no network"
