"""What edgecheck itself costs on this host, as ratios and differences within one run.

    python benchmarks/host.py [ROUNDS]

Prints each figure with its aim. On a busy machine only the ratios mean something, each of which is the median over
rounds that measure both of its commands one after the other.
"""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT))
EDGECHECK = str(Path(sys.executable).parent / "edgecheck")


def wall(argv: list[str], **options: object) -> float:
    """Seconds that a command takes, start to end."""
    begun = time.perf_counter()
    done = subprocess.run(argv, check=False, capture_output=True, **options)  # type: ignore[call-overload]
    assert done.returncode in (0, 1, 3), done.stderr
    return time.perf_counter() - begun


def check_overhead(model: Path) -> float:
    """Seconds of a check that are not the workers' own: wall time minus the time from each one's start to its exit."""
    with tempfile.TemporaryDirectory() as folder:
        report = Path(folder) / "report.json"
        seconds = wall(
            [EDGECHECK, "check", str(model), "--limit", "latency_p50=10s", "--format", f"json={report}"], cwd=folder
        )
        run = json.loads(report.read_text())["checks"][0]["run"]
        workers = sum(worker["ending"]["at"] for worker in run["workers"])
    return float(seconds - workers)


def peak_of_host(model: Path) -> float:
    """MB that the host process itself holds at its peak, by the kernel's account of it."""
    script = (
        "import sys; sys.argv = ['edgecheck', *sys.argv[1:]]; from edgecheck.__main__ import main; main();"
        "peak = [line.split()[1] for line in open('/proc/self/status') if line.startswith('VmHWM')];"
        "print(*peak, file=sys.stderr)"
    )
    with tempfile.TemporaryDirectory() as folder:
        argv = [sys.executable, "-c", script, "check", str(model), "--limit", "latency_p50=10s"]
        done = subprocess.run(argv, check=False, capture_output=True, text=True, cwd=folder)
    return int(done.stderr.split()[-1]) * 1024 / 1e6


def main() -> None:
    """Measure and print."""
    from examples.real_models import fetch

    rounds = int(sys.argv[1]) if len(sys.argv) > 1 else 9
    model = fetch("mtcnn_onet.onnx")
    helps, devices = [], []
    for _ in range(rounds):
        empty = wall([sys.executable, "-c", "pass"])
        helps.append(wall([EDGECHECK, "--help"]) / empty)
        devices.append(wall([EDGECHECK, "devices"]) / empty)
    overheads = [check_overhead(model) for _ in range(max(3, rounds // 3))]
    print(f"edgecheck --help / python -c pass   {statistics.median(helps):.2f}     aim: at most 3")
    print(f"edgecheck devices / python -c pass  {statistics.median(devices):.1f}     aim: at most 12")
    print(f"host overhead of a check            {statistics.median(overheads):.2f} s   aim: under 0.4 s")
    print(f"peak RSS of the host process        {peak_of_host(model):.0f} MB    aim: under 80 MB")
    print(f"load average {os.getloadavg()[0]:.1f}, {os.cpu_count()} CPUs, {rounds} rounds, medians")


if __name__ == "__main__":
    main()
