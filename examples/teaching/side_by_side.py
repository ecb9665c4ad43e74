"""Two results of `edgecheck check --format json=FILE`, side by side: give it the two files."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from edgecheck.core.metrics import METRICS
from examples.teaching.table import markdown

if TYPE_CHECKING:
    from collections.abc import Sequence

    from examples.teaching.table import Row


#: What is compared, of what both reports have.
SHOWN = ("params", "size", "download", "ram_model", "latency_p50")


def compared(*reports: Path) -> list[Row]:
    """A row for each variant and metric: the figure in each report, and the last over the first."""
    checks = [json.loads(report.read_text(encoding="utf-8"))["checks"] for report in reports]
    return [
        _row(reports, pair, metric)
        for pair in zip(*checks, strict=True)
        for metric in SHOWN
        if all(metric in check["figures"] for check in pair)
    ]


def _row(reports: Sequence[Path], pair: Sequence[dict[str, Any]], metric: str) -> Row:
    values = [check["figures"][metric]["value"] for check in pair]
    row: Row = {"variant": pair[0]["variant"], "metric": metric}
    row |= {report.stem: METRICS[metric].show(value) for report, value in zip(reports, values, strict=True)}
    return row | {"ratio": values[-1] / values[0]}


if __name__ == "__main__":
    print(markdown(compared(*map(Path, sys.argv[1:]))), end="")
