"""What a rack costs on this host: 2,000 checks over 50 boards, against the work that the boards do.

    python benchmarks/rack.py [CHECKS [BOARDS [SECONDS]]]

The boards are stand-ins: real sshd's would load this machine more than edgecheck does. One check of a real model runs
on this machine, by the local target, and its agent's lines are kept. A board then is an address whose target sends
these lines again after SECONDS, a fifth more or less, without a process. Everything else is what a rack takes: the
queue, the events, the figures, the verdicts, and the report in every format.

The exit code is 1 if an aim is missed: scheduling and judging add less than 2 % to the work, edgecheck takes less than
200 MB, all formats together less than 10 s, and a check costs the same among 200 and among 2,000.
"""

from __future__ import annotations

import random
import resource
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT))

from edgecheck.checks import check as checking  # noqa: E402
from edgecheck.checks.boards import Boards  # noqa: E402
from edgecheck.checks.check import Check  # noqa: E402
from edgecheck.checks.invocation import Invocation, InvocationRequest, plan_invocation  # noqa: E402
from edgecheck.checks.plan import Selection  # noqa: E402
from edgecheck.config import load_project  # noqa: E402
from edgecheck.core.address import Address, parse  # noqa: E402
from edgecheck.core.device import DeviceProfile  # noqa: E402
from edgecheck.core.report import Report  # noqa: E402
from edgecheck.reports import FORMATS, render  # noqa: E402
from edgecheck.targets.interface import Target, Workload  # noqa: E402
from edgecheck.targets.local import LocalTarget  # noqa: E402

#: Shares of the work, bytes, and seconds.
MOST_OVERHEAD, MOST_MEMORY, MOST_RENDERING = 0.02, 200e6, 10.0

#: By how much a check among many may cost more than one among a tenth of them.
MOST_GROWTH = 1.5

BUDGET = """\
model: {model}
measure: {{min_time: 1 s, max_time: 1 s}}
limits: {{latency_p50: 1 s, ram_peak: 1 GiB, size: 100 MB, footprint: off, latency_p90: off}}
devices: [raspberry-pi-4-2gb]
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class StandIn:
    """A board that sends the lines of another one's agent again; see `Target`."""

    address: Address
    sent: list[bytes]
    seconds: float
    spans: list[tuple[float, float]]
    """When it began and ended each check."""
    has_runtime: bool = True
    emulated: bool = False
    tight: None = None

    @contextmanager
    def launch(self, workload: Workload, progress: Callable[[str], None]) -> Iterator[Iterator[bytes]]:
        """See `Target.launch`."""
        del workload
        progress("latency pass")
        yield self._lines()

    def _lines(self) -> Iterator[bytes]:
        """All lines, after the time that the board takes for them."""
        began = time.perf_counter()
        time.sleep(self.seconds)
        self.spans.append((began, time.perf_counter()))
        yield from self.sent


@dataclass(frozen=True, slots=True)
class Recorder:
    """The local target, whose agent's lines are kept; see `Target`."""

    lines: list[bytes]
    inner: LocalTarget
    address: Address
    has_runtime: bool = True
    emulated: bool = False
    tight: None = None

    @contextmanager
    def launch(self, workload: Workload, progress: Callable[[str], None]) -> Iterator[Iterator[bytes]]:
        """See `Target.launch`."""
        with self.inner.launch(workload, progress) as lines:
            yield self._kept(lines)

    def _kept(self, lines: Iterator[bytes]) -> Iterator[bytes]:
        for line in lines:
            self.lines.append(line)
            yield line


@contextmanager
def opened_by(opener: Callable[[Address, DeviceProfile], Target]) -> Iterator[None]:
    """Inside, checks run on the targets that `opener` makes."""
    name = "open_target"  # a row of the table of targets would be every user's
    before = getattr(checking, name)
    setattr(checking, name, opener)
    try:
        yield
    finally:
        setattr(checking, name, before)


def silent(_words: str) -> None:
    """Report no progress."""


def done(planned: Invocation) -> Report:
    """The report once all checks are done."""
    report = planned.empty
    for grown in planned.reports(silent):
        report = grown
    return report


def planned_once(folder: Path) -> Invocation:
    """One check of a real model."""
    from examples.real_models import fetch

    (folder / "net.yaml").write_text(BUDGET.format(model=fetch("mtcnn_onet.onnx").resolve()))
    request = InvocationRequest(selection=Selection(paths=(folder / "net.yaml",)), targets=("local",))
    return plan_invocation(request, load_project(folder))


def spread_out(check: Check, count: int, boards: tuple[Address, ...]) -> tuple[Check, ...]:
    """As many checks as are asked for, each of a separate budget, for a device that has these boards."""
    rack = Boards(addresses=boards)
    return tuple(
        replace(check, budget=replace(check.budget, path=f"{at}.yaml"), target=boards[0], boards=rack)
        for at in range(count)
    )


@dataclass(frozen=True, slots=True)
class Cost:
    """What `count` checks took."""

    count: int
    wall: float
    processor: float
    report: Report
    spans: Mapping[str, list[tuple[float, float]]]
    """By board: when it began and ended each check."""

    @property
    def overhead(self) -> float:
        """The time between a board's first beginning and last end in which it waited, as a share of its work."""
        work = sum(end - began for spans in self.spans.values() for began, end in spans)
        there = sum(spans[-1][1] - spans[0][0] for spans in self.spans.values())
        return there / work - 1

    @property
    def each(self) -> float:
        """Seconds of processor time for a check."""
        return self.processor / self.count


def measured(once: Invocation, count: int, boards: tuple[Address, ...], lines: list[bytes], seconds: float) -> Cost:
    """Do `count` checks on the boards."""
    checks = spread_out(once.checks[0], count, boards)
    empty = replace(once.empty, boards={checks[0].profile.id: tuple(map(str, boards))})
    spans: dict[str, list[tuple[float, float]]] = {str(board): [] for board in boards}
    chance = random.Random(7)

    def opened(address: Address, _profile: DeviceProfile) -> StandIn:
        takes = seconds * chance.uniform(0.8, 1.2)
        return StandIn(address=address, sent=lines, seconds=takes, spans=spans[str(address)])

    with opened_by(opened):
        wall, processor = time.perf_counter(), time.process_time()
        report = done(replace(once, checks=checks, empty=empty))
        return Cost(count, time.perf_counter() - wall, time.process_time() - processor, report, spans)


def verdict(name: str, value: float, most: float, text: str) -> bool:
    """Print a figure with its aim; returns whether it is missed."""
    missed = not value <= most
    print(f"{'MISSED' if missed else 'ok':<7}{name:<34}{text}")
    return missed


def main() -> int:
    """Measure and print."""
    count, many = (int(text) for text in (*sys.argv[1:3], *("2000", "50")[len(sys.argv[1:3]) :]))
    seconds = float(sys.argv[3]) if sys.argv[3:] else 5.0
    boards = tuple(parse(f"ssh://rack@board-{at:02}") for at in range(many))
    with tempfile.TemporaryDirectory() as name:
        once = planned_once(Path(name))
        lines: list[bytes] = []
        with opened_by(lambda address, _profile: Recorder(lines, LocalTarget(), address)):
            done(once)
        print(f"{len(lines)} lines of an agent, {sum(map(len, lines)) / 1e3:.0f} kB, sent again over {seconds:g} s")
        few = replace(measured(once, max(many, count // 10), boards, lines, seconds), report=once.empty)
        whole = measured(once, count, boards, lines, seconds)
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
        begun = time.process_time()
        written = {form: len(render(form, whole.report).encode()) for form in FORMATS}
        rendering = time.process_time() - begun
    print(f"{count:,} checks on {many} boards: {whole.wall:.1f} s, of which {whole.processor:.1f} s of processor time")
    print(f"reports: {', '.join(f'{form} {size / 1e6:.1f} MB' for form, size in written.items())}")
    overhead = whole.overhead
    growth = whole.each / few.each
    missed = [
        verdict("added to the work", overhead, MOST_OVERHEAD, f"{overhead:.2%}, aim: under {MOST_OVERHEAD:.0%}"),
        verdict("peak memory", peak, MOST_MEMORY, f"{peak / 1e6:.0f} MB, aim: under {MOST_MEMORY / 1e6:.0f} MB"),
        verdict("report in all formats", rendering, MOST_RENDERING, f"{rendering:.1f} s, aim: {MOST_RENDERING:g} s"),
        verdict(
            f"a check among {count:,} and {few.count:,}",
            growth,
            MOST_GROWTH,
            f"{whole.each * 1e3:.1f} and {few.each * 1e3:.1f} ms of processor time, {growth:.2f} times",
        ),
    ]
    return int(any(missed))


if __name__ == "__main__":
    sys.exit(main())
