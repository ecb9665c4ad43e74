"""The networks to generate: each is a list of layers on an image or on rows of numbers; what both writers share."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Protocol

from edgecheck.converters.interface import Made, Request

#: The standard deviation of integers drawn uniformly from -127 to 127.
INT8_DEVIATION = 73.6

#: Compensates for the half that a ReLU removes (He et al. 2015, "Delving Deep into Rectifiers").
GAIN = math.sqrt(2)


@dataclass(frozen=True, slots=True)
class Convolution:
    """A convolution to `channels`, with a square kernel."""

    channels: int
    kernel: int = 1
    stride: int = 1


@dataclass(frozen=True, slots=True)
class Depthwise:
    """A depthwise convolution: one square kernel per channel."""

    kernel: int = 3
    stride: int = 1


@dataclass(frozen=True, slots=True)
class Dense:
    """A fully connected layer with `units` outputs."""

    units: int


@dataclass(frozen=True, slots=True)
class Doubling:
    """The input added to itself: little to compute, everything to read and write."""


Layer = Convolution | Depthwise | Dense | Doubling


@dataclass(frozen=True, slots=True)
class Network:
    """Layers one after another."""

    input: tuple[int, ...]
    """One image (1, height, width, channels), or rows (count, length)."""
    layers: tuple[Layer, ...]


#: By name. Together they cover the layers of real networks in realistic sizes: 3x3 and 1x1 convolutions, a wide first
#: layer, depthwise separable blocks, dense layers that fit the caches, and two that are bound by memory: weights that
#: are read once, and large activations.
NETWORKS: Mapping[str, Network] = MappingProxyType(
    {
        "convolutions": Network((1, 56, 56, 24), (Convolution(48, 3), Convolution(48, 3), Convolution(48, 3, 2))),
        "pointwise": Network((1, 40, 40, 128), (Convolution(128), Convolution(192), Convolution(128))),
        "separable": Network(
            (1, 80, 80, 32), (Depthwise(), Convolution(64), Depthwise(3, 2), Convolution(96), Depthwise(5), Doubling())
        ),
        "stem": Network((1, 224, 224, 3), (Convolution(32, 3, 2), Depthwise(), Convolution(16))),
        "dense": Network((16, 512), (Dense(512), Dense(512), Dense(512))),
        "weights": Network((1, 1024), (Dense(2048), Dense(1024))),
        "activations": Network((1, 160, 160, 32), (Doubling(), Depthwise(), Doubling(), Doubling())),
    }
)


class Writer(Protocol):
    """Returns one network as the content of a file."""

    def __call__(self, name: str, network: Network, *, is_int8: bool) -> bytes:
        """See `write_all`."""


def write_all(request: Request, folder: Path, suffix: str, written: Writer) -> Made:
    """Write the `NETWORKS` that `request.inputs` names, or all if it names none: `NAME-float` and `NAME-int8`."""
    files = []
    for name in tuple(request.inputs) or tuple(NETWORKS):
        for kind in ("float", "int8"):
            place = folder / f"{name}-{kind}{suffix}"
            place.write_bytes(written(name, NETWORKS[name], is_int8=kind == "int8"))
            files.append(place)
    return Made(tuple(files), "calibration networks")
