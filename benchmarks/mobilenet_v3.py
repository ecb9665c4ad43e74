"""MobileNetV3-small as in its paper (Howard et al. 2019, table 2), for benchmarks without torchvision."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import nn


class Block(NamedTuple):
    """A row of the paper's table."""

    kernel: int
    expansion: int
    out: int
    squeeze: bool
    hard_swish: bool
    stride: int


BLOCKS = (
    Block(3, 16, 16, squeeze=True, hard_swish=False, stride=2),
    Block(3, 72, 24, squeeze=False, hard_swish=False, stride=2),
    Block(3, 88, 24, squeeze=False, hard_swish=False, stride=1),
    Block(5, 96, 40, squeeze=True, hard_swish=True, stride=2),
    Block(5, 240, 40, squeeze=True, hard_swish=True, stride=1),
    Block(5, 240, 40, squeeze=True, hard_swish=True, stride=1),
    Block(5, 120, 48, squeeze=True, hard_swish=True, stride=1),
    Block(5, 144, 48, squeeze=True, hard_swish=True, stride=1),
    Block(5, 288, 96, squeeze=True, hard_swish=True, stride=2),
    Block(5, 576, 96, squeeze=True, hard_swish=True, stride=1),
    Block(5, 576, 96, squeeze=True, hard_swish=True, stride=1),
)


class Squeeze(nn.Module):  # type: ignore[misc] # torch is skipped by mypy here, so that it need not be installed
    """Squeeze and excite: each channel scaled by a function of all channels' means."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        inner = channels // 4
        self.scale = nn.Sequential(
            nn.AdaptiveAvgPool2d(1), nn.Conv2d(channels, inner, 1), nn.ReLU(), nn.Conv2d(inner, channels, 1)
        )

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        """The channels, scaled."""
        return image * nn.functional.hardsigmoid(self.scale(image))


class Bottleneck(nn.Module):  # type: ignore[misc] # see Squeeze
    """An inverted residual."""

    def __init__(self, channels: int, block: Block) -> None:
        super().__init__()
        act = nn.Hardswish if block.hard_swish else nn.ReLU
        self.body = nn.Sequential(
            convolution(channels, block.expansion, 1),
            act(),
            convolution(block.expansion, block.expansion, block.kernel, block.stride, block.expansion),
            act(),
            Squeeze(block.expansion) if block.squeeze else nn.Identity(),
            convolution(block.expansion, block.out, 1),
        )
        self.adds = block.stride == 1 and channels == block.out

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        """The block's output, added to its input if both have the same shape."""
        answer = self.body(image)
        return image + answer if self.adds else answer


def convolution(inner: int, outer: int, kernel: int, stride: int = 1, groups: int = 1) -> nn.Module:
    """A convolution and its batch norm."""
    return nn.Sequential(
        nn.Conv2d(inner, outer, kernel, stride, kernel // 2, groups=groups, bias=False), nn.BatchNorm2d(outer)
    )


class MobileNetV3Small(nn.Module):  # type: ignore[misc] # see Squeeze
    """2.5 million weights, 1,000 classes."""

    def __init__(self) -> None:
        super().__init__()
        blocks, channels = [], 16
        for block in BLOCKS:
            blocks.append(Bottleneck(channels, block))
            channels = block.out
        self.features = nn.Sequential(
            convolution(3, 16, 3, 2), nn.Hardswish(), *blocks, convolution(channels, 576, 1), nn.Hardswish()
        )
        self.classifier = nn.Sequential(nn.Linear(576, 1024), nn.Hardswish(), nn.Linear(1024, 1000))

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        """Logits."""
        return self.classifier(self.features(image).mean((2, 3)))
