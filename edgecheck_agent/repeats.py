"""Whether a model returns the same again for the same inputs, as some accelerators do not."""

from typing import Any, Dict, List

import numpy as np

from edgecheck_agent import inputs

# Runs of each sample on an accelerator.
RUNS = 3


class Spread:
    """How much each output differs from the first run of its sample, as a share of the largest value in that."""

    def __init__(self) -> None:
        self._first: Dict[str, Any] = {}
        self._sample = -1
        self._worst: Dict[str, float] = {}
        self._samples = 0

    def add(self, sample: int, found: List[inputs.Output]) -> None:
        """Take in the outputs of a run; a new `sample` starts over."""
        values = {one.name: one.value for one in found if isinstance(one.value, np.ndarray)}
        if sample != self._sample:
            self._sample, self._first = sample, {name: np.array(value) for name, value in values.items()}
            self._samples += 1
            return
        for name, value in values.items():
            share = _difference(self._first.get(name), value)
            if share > 0:
                self._worst[name] = max(share, self._worst.get(name, 0.0))

    def words(self) -> str:
        """A clause about the outputs that differ; empty if none does."""
        if not self._worst:
            return ""
        shown = ", ".join("%s by up to %.3g %%" % (name, 100 * share) for name, share in sorted(self._worst.items()))
        return "outputs differ from run to run on the same inputs: %s of the largest value (%d runs of %d sample%s)" % (
            shown,
            RUNS,
            self._samples,
            "s" if self._samples > 1 else "",
        )


def _difference(first: Any, value: Any) -> float:
    if first is None or first.shape != value.shape or value.dtype.kind not in "biuf":
        return 0.0 if first is not None and np.array_equal(first, value) else 1.0
    if np.array_equal(first, value):
        return 0.0
    one, two = first.astype(np.float64), value.astype(np.float64)
    if not np.array_equal(np.isfinite(one), np.isfinite(two)):
        return 1.0
    finite = np.isfinite(one)
    largest = np.abs(one[finite]).max() if finite.any() else 0.0
    apart = np.abs(one[finite] - two[finite]).max() if finite.any() else 0.0
    return float(apart / largest) if largest else float(apart > 0)
