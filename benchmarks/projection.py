"""What a projected latency is worth, and what counting for it costs: the tables of docs/explanation/projection.md.

    python benchmarks/projection.py                  # errors, in some seconds
    python benchmarks/projection.py --cost MODEL     # processor time of a check with and without the plugin

Each error is that of a network that the fit has not seen, nor any of its relatives, on this device or another with the
same core. Published latencies and the counts of the same networks are in tools/projection/.
"""

from __future__ import annotations

import argparse
import resource
import sys
from dataclasses import replace
from pathlib import Path
from statistics import median

sys.path.insert(0, str(Path(__file__).parents[1]))

from edgecheck.checks import session
from edgecheck.config import Profiles
from edgecheck.core.address import EMULATED
from edgecheck.targets import Reuse, Workload
from edgecheck.targets.qemu import QemuTarget, open_target
from tools.projection import fit

DEVICE = "raspberry-pi-4-2gb"


class Uncounted(QemuTarget):
    """The machine without the plugin."""

    def _counting(self, *_: object) -> tuple[None, tuple[bytes, ...]]:
        return None, ()


def cost(model: Path, runs: int = 3) -> None:
    """Processor seconds of a run whose machine is saved already; one warm-up of each kind is left out."""
    profile = Profiles().get(DEVICE)
    target = open_target(EMULATED, profile)
    kinds = {"without the plugin": Uncounted(profile=profile), "with the plugin": replace(target)}
    job = {"protocol": 1, "format": model.suffix[1:], "deadline_s": 600, **session._EMULATED}  # noqa: SLF001
    workload = Workload(
        job=job, model=(model,), requirements=profile.runtimes[model.suffix[1:]], reuse=Reuse(fresh=True)
    )
    print("| | processor seconds | lines of the agent |\n| --- | --- | --- |")
    for words, each in kinds.items():
        spent, count = [], 0
        for _ in range(runs + 1):
            before = resource.getrusage(resource.RUSAGE_CHILDREN)
            with each.launch(workload, lambda _words: None) as lines:
                count = len(list(lines))
            after = resource.getrusage(resource.RUSAGE_CHILDREN)
            spent.append(after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime)
        print(f"| {words} | {median(spent[1:]):.1f} | {count} |")


def main() -> None:
    """Print the tables: with LLVM's cycles, and without; or the cost."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--cost", type=Path, metavar="MODEL")
    arguments = parser.parse_args()
    if arguments.cost is not None:
        cost(arguments.cost)
        return
    for kind in fit.SETS:
        print("\n".join(fit.table(kind)), end="\n\n")


if __name__ == "__main__":
    main()
