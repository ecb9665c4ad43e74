"""What a model gives for its samples, on disk: made in a child process by the model's own framework or runtime."""

from __future__ import annotations

import json
import zipfile
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from edgecheck.converters.interface import Made, Request
from edgecheck.converters.matching import short
from edgecheck.converters.samples import feeds
from edgecheck.converters.sources.table import FRAMEWORKS

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from edgecheck.converters.sources.interface import Output, Source

#: What outputs may take on disk; then the rest of the samples is left out.
_MOST = 256 * 2**20


@dataclass(frozen=True, slots=True)
class Recording:
    """Outputs by sample: `values[sample][output]`."""

    names: tuple[str, ...]
    values: tuple[tuple[NDArray[Any], ...], ...]
    logits: tuple[tuple[NDArray[Any] | None, ...], ...]
    """What went into the softmax that made the value; None where there is none."""
    seeded: bool
    """Whether the inputs were random, for lack of samples."""


def record(request: Request, folder: Path) -> Made:
    """Run the model of `request` on its samples; leaves `outputs.npz`, `samples.npz` and `recording.json`."""
    module, _, opener = FRAMEWORKS[request.source].opener.partition(":")
    source: Source = getattr(import_module(f"edgecheck.converters.sources.{module}"), opener)(request)
    fed = feeds(source.ports, request)
    runs: list[list[Output]] = []
    taken = 0
    for feed in fed.each:
        runs.append(source.run(feed))
        taken += sum(output.value.nbytes for output in runs[-1])
        if taken > _MOST:
            break
    _save(folder / "outputs.npz", _arrays(runs))
    inputs = {short(port.name): np.stack([feed[port.name] for feed in fed.each[: len(runs)]]) for port in source.ports}
    _save(folder / "samples.npz", inputs)
    facts = {"names": [output.name for output in runs[0]], "count": len(runs), "seeded": fed.seeded}
    (folder / "recording.json").write_text(json.dumps(facts), encoding="utf-8")
    files = tuple(folder / name for name in ("recording.json", "outputs.npz", "samples.npz"))
    return Made(files, f"{FRAMEWORKS[request.source].title} on {fed.words}")


def _save(file: Path, arrays: dict[str, NDArray[Any]]) -> None:
    """An .npz: numpy's own function takes names as keywords, which an array called `file` would break."""
    with zipfile.ZipFile(file, "w") as archive:
        for name, array in arrays.items():
            with archive.open(f"{name}.npy", "w", force_zip64=True) as member:
                np.lib.format.write_array(member, np.ascontiguousarray(array), allow_pickle=False)


def load(folder: Path) -> Recording:
    """What `record` left."""
    facts = json.loads((folder / "recording.json").read_text(encoding="utf-8"))
    count, outputs = facts["count"], range(len(facts["names"]))
    with np.load(folder / "outputs.npz", allow_pickle=False) as kept:
        names = set(kept.files)
        values = tuple(tuple(kept[f"{sample}.{place}"] for place in outputs) for sample in range(count))
        logits = tuple(
            tuple(kept[key] if (key := f"{sample}.{place}.logits") in names else None for place in outputs)
            for sample in range(count)
        )
    return Recording(tuple(facts["names"]), values, logits, facts["seeded"])


def _arrays(runs: Sequence[Sequence[Output]]) -> dict[str, NDArray[Any]]:
    """Each output of each sample under its own key: shapes may differ from sample to sample."""
    arrays = {}
    for sample, outputs in enumerate(runs):
        for place, output in enumerate(outputs):
            arrays[f"{sample}.{place}"] = _plain(output.value)
            if output.logits is not None:
                arrays[f"{sample}.{place}.logits"] = output.logits
    return arrays


def _plain(value: NDArray[Any]) -> NDArray[Any]:
    return value.astype(str) if value.dtype.kind in "OS" else value
