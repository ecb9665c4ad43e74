"""A model's outputs for its samples, on disk: recorded in a child process by its own framework or runtime."""

from __future__ import annotations

import json
import zipfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from edgecheck.converters.interface import Made, Request
from edgecheck.converters.samples import feeds
from edgecheck.converters.sources.frameworks import FRAMEWORKS, Output, Source, open_source
from edgecheck.core.sayings import known, plain
from edgecheck.errors import ConversionError, EdgecheckError

if TYPE_CHECKING:
    from numpy.typing import NDArray

#: Bytes that the outputs may take on disk; the remaining samples are left out.
_MOST = 256 * 2**20


@dataclass(frozen=True, slots=True, kw_only=True)
class Recording:
    """Outputs by sample: `values[sample][output]`."""

    names: tuple[str, ...]
    values: tuple[tuple[NDArray[Any], ...], ...]
    logits: tuple[tuple[NDArray[Any] | None, ...], ...]
    """The input of the softmax that made the value; None where there is no softmax."""
    seeded: bool
    """Whether the inputs were random, for lack of samples."""


def record(request: Request, folder: Path) -> Made:
    """Run the model of `request` on its samples; writes `outputs.npz`, `samples.npz` and `recording.json`."""
    source = open_source(request)
    fed = feeds(source.ports, request)
    runs: list[list[Output]] = []
    taken = 0
    for feed in fed.each:
        runs.append(_run(source, feed, request, seeded=fed.seeded))
        taken += sum(output.value.nbytes for output in runs[-1])
        if taken > _MOST:
            break
    save(folder / "outputs.npz", _arrays(runs))
    inputs = {
        port.name: _without_objects(np.stack([feed[port.name] for feed in fed.each[: len(runs)]]))
        for port in source.ports
    }
    save(folder / "samples.npz", inputs)
    facts = {"names": [output.name for output in runs[0]], "count": len(runs), "seeded": fed.seeded}
    (folder / "recording.json").write_text(json.dumps(facts), encoding="utf-8")
    files = tuple(folder / name for name in ("recording.json", "outputs.npz", "samples.npz"))
    return Made(files, f"{FRAMEWORKS[request.source].title} on {fed.words}")


def _run(source: Source, feed: dict[str, NDArray[Any]], request: Request, *, seeded: bool) -> list[Output]:
    """The outputs for one sample.

    Raises:
        ConversionError: the model does not take random inputs, which says nothing about it.
    """
    try:
        return source.run(feed)
    except EdgecheckError:
        raise
    except Exception as error:
        if not seeded or known(str(error)) is not None:
            raise
        raise ConversionError(
            f"{request.title} does not take random inputs: {type(error).__name__}: {plain(str(error))}.",
            "Give samples: --samples FILE, or `samples:` in a budget.",
        ) from error


def _arrays(runs: Sequence[Sequence[Output]]) -> dict[str, NDArray[Any]]:
    """Each output of each sample under its own key: shapes may differ from sample to sample."""
    arrays = {}
    for sample, outputs in enumerate(runs):
        for place, output in enumerate(outputs):
            arrays[f"{sample}.{place}"] = _without_objects(output.value)
            if output.logits is not None:
                arrays[f"{sample}.{place}.logits"] = output.logits
    return arrays


def _without_objects(value: NDArray[Any]) -> NDArray[Any]:
    """Texts as numpy's own strings, which need no pickle."""
    return value.astype(str) if value.dtype.kind in "OS" else value


def save(file: Path, arrays: dict[str, NDArray[Any]]) -> None:
    """Write an .npz; `numpy.savez` takes the names as keywords, so that an array called `file` would break it."""
    with zipfile.ZipFile(file, "w") as archive:
        for name, array in arrays.items():
            with archive.open(f"{name}.npy", "w", force_zip64=True) as member:
                np.lib.format.write_array(member, np.ascontiguousarray(array), allow_pickle=False)


def load(folder: Path) -> Recording:
    """Read what `record` wrote."""
    facts = json.loads((folder / "recording.json").read_text(encoding="utf-8"))
    count, outputs = facts["count"], range(len(facts["names"]))
    with np.load(folder / "outputs.npz", allow_pickle=False) as kept:
        names = set(kept.files)
        values = tuple(tuple(kept[f"{sample}.{place}"] for place in outputs) for sample in range(count))
        logits = tuple(
            tuple(kept[key] if (key := f"{sample}.{place}.logits") in names else None for place in outputs)
            for sample in range(count)
        )
    return Recording(names=tuple(facts["names"]), values=values, logits=logits, seeded=facts["seeded"])
