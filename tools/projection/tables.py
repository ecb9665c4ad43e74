"""The published latencies, the counts of the same networks, and which device and family each belongs to."""

from __future__ import annotations

import csv
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

FOLDER = Path(__file__).parent

#: Networks whose names begin alike are relatives: all of them are left out when one is predicted. The longest wins.
FAMILIES = {
    "squeezenet": "squeezenet",
    "mobilenet": "mobilenet",
    "mobilenet_v2": "mobilenet-v2",
    "mobilenetv2": "mobilenet-v2",
    "mnasnet": "mobilenet-v2",
    "proxylessnasnet": "mobilenet-v2",
    "mobilenet_v3": "mobilenet-v3",
    "shufflenet": "shufflenet",
    "nanodet": "shufflenet",
    "yolo_fastestv2": "shufflenet",
    "fastestdet": "shufflenet",
    "efficientnet": "efficientnet",
    "regnety": "regnet",
    "blazeface": "blazeface",
    "googlenet": "googlenet",
    "resnet": "resnet",
    "alexnet": "alexnet",
    "vgg": "vgg",
    "yolov4": "yolo-v4",
    "yolo_fastest_1.1": "yolo-fastest",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Device:
    """A device whose latencies were published."""

    name: str
    core: str
    model: str
    """LLVM's name of the core."""
    ghz: float
    l2: str
    """The second level of cache that one core uses: `512 KiB`."""
    counts: str
    """The name of the counts with the runtime of the table's date."""
    ncnn: str
    """That runtime's version."""
    published: str
    """The table's date."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Network:
    """One inference of a network on a device; counts in millions."""

    name: str
    seconds: float
    instructions: float
    multiplying: float
    l1: float
    l1_stores: float
    l2: float
    cycles: float

    @property
    def family(self) -> str:
        """The name that it shares with its relatives."""
        return FAMILIES[max((start for start in FAMILIES if self.name.startswith(start)), key=len)]


@cache
def devices() -> tuple[Device, ...]:
    """All of them, core by core."""
    return tuple(
        Device(
            name=row["device"],
            core=row["core"],
            model=row["model"],
            ghz=float(row["ghz"]),
            l2=row["l2"],
            counts=row["counts"],
            ncnn=row["ncnn"],
            published=row["published"],
        )
        for row in _rows("devices.csv")
    )


@cache
def networks(device: Device) -> tuple[Network, ...]:
    """Those that were both published and counted."""
    published = {row["network"]: float(row["ms"]) for row in _rows("latencies.csv") if row["device"] == device.name}
    level = f"l2_{_kib(device.l2)}k"
    return tuple(
        Network(
            name=row["network"],
            seconds=published[row["network"]] / 1e3,
            instructions=float(row["instructions"]),
            multiplying=float(row["multiplying"]),
            l1=float(row["l1"]),
            l1_stores=float(row["l1_stores"]),
            l2=float(row[level]),
            cycles=float(row[device.model]),
        )
        for row in _rows("counts.csv")
        if row["counts"] == device.counts and row["network"] in published
    )


def _kib(text: str) -> int:
    number, unit = text.split()
    return int(number) * {"KiB": 1, "MiB": 1024}[unit]


def _rows(name: str) -> Iterator[dict[str, str]]:
    with (FOLDER / name).open(encoding="utf-8", newline="") as file:
        yield from csv.DictReader(file)
