"""Checks the agent's figures: its p50 and its peak against other ways to get them, interleaved in one run.

    python benchmarks/agent.py [ROUNDS]
    python benchmarks/agent.py reading        # only what it costs to read how long the process waited

The bare loop and the agent run the same runtime on the same file with one thread; the peer is LiteRT's benchmark.
The kernel's account of the worker alone comes from `/usr/bin/time -v`. Ratios within one run: the machine may be noisy.
"""

from __future__ import annotations

import json
import re
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT))

from edgecheck.core.looks import for_agent  # noqa: E402
from examples.real_models import fetch  # noqa: E402

AGENT = ROOT / "edgecheck_agent"
MODELS = ("face_detection_short_range.tflite", "face_landmark.tflite", "mtcnn_onet.onnx")
INFERENCES = 400

BARE = {
    "tflite": """
import sys, time, statistics, numpy as np
from ai_edge_litert.interpreter import Interpreter
it = Interpreter(model_path=sys.argv[1], num_threads=1); it.allocate_tensors()
d = it.get_input_details()[0]; it.set_tensor(d["index"], np.random.rand(*d["shape"]).astype(d["dtype"]))
run = it.invoke
""",
    "onnx": """
import sys, time, statistics, numpy as np, onnxruntime as rt
o = rt.SessionOptions(); o.intra_op_num_threads = 1; o.inter_op_num_threads = 1
s = rt.InferenceSession(sys.argv[1], o, providers=["CPUExecutionProvider"]); i = s.get_inputs()[0]
x = {i.name: np.random.rand(*[n if isinstance(n, int) else 1 for n in i.shape]).astype("float32")}
names = [n.name for n in s.get_outputs()]
run = lambda: s.run(names, x)
""",
}
LOOP = """
until = time.perf_counter() + 0.5
while time.perf_counter() < until: run()
t = []
for _ in range(int(sys.argv[2])):
    a = time.perf_counter_ns(); run(); t.append(time.perf_counter_ns() - a)
print(statistics.median(t) / 1e9)
"""

READING = """
sys.path.insert(0, sys.argv[3])
from edgecheck_agent import waiting
import gc
run()
gc.disable()
with waiting.Waits() as waits:
    for _ in range(50): run(); waits.read_after()
    read, used = waits.read, time.thread_time_ns
    costs, plain, after = [], [], []
    for _ in range(int(sys.argv[2])):
        # By the processor's time: another process between two readings of the wall clock is not the reading's cost.
        a = used(); read(); read(); b = used(); run(); after.append(used() - b); costs.append(b - a)
        a = used(); b = used(); run(); plain.append(used() - b)
    inference = statistics.median(plain) / 1e9
    share = statistics.median(costs) / 1e9 / (waits.apart(inference) * inference)
    cold = (statistics.median(after) - statistics.median(plain)) / statistics.median(plain) / waits.apart(inference)
    print(share, cold, waits.apart(inference), statistics.median(costs) / 1e3, len(waits._files))
"""


def agent(model: Path, **plans: object) -> list[dict[str, Any]]:
    """The events of one job."""
    job = {"protocol": 1, "model": str(model), "format": model.suffix[1:], "deadline_s": 300, **plans}
    done = subprocess.run(
        [sys.executable, str(AGENT / "supervisor.py"), "-"],
        input=json.dumps(job) + "\n",
        check=True,
        capture_output=True,
        text=True,
    )
    return [json.loads(line) for line in done.stdout.splitlines()]


def agent_p50(model: Path) -> float:
    """Seconds, over the agent's steady inferences."""
    plan = {"min_count": INFERENCES, "max_count": INFERENCES, "min_s": 0.01, "max_s": 60.0}
    events = agent(model, latency=plan)
    sent = [event for event in events if event["event"] == "latencies"]
    return float(statistics.median(ns for event in sent for ns in event["values_ns"])) / 1e9


def bare_p50(model: Path) -> float:
    """Seconds, by a loop with nothing around it."""
    code = BARE[model.suffix[1:]] + LOOP
    argv = [sys.executable, "-c", code, str(model), str(INFERENCES)]
    return float(subprocess.run(argv, check=True, capture_output=True, text=True).stdout)


def peer_p50(model: Path) -> float | None:
    """Seconds, by LiteRT's benchmark; None if it cannot read the format."""
    if model.suffix != ".tflite":
        return None
    with tempfile.TemporaryDirectory() as folder:
        result = Path(folder) / "result.json"
        argv = [sys.executable, "-m", "ai_edge_litert.tools.benchmark_litert_model", f"--model={model}"]
        argv += ["--num_threads=1", f"--num_runs={INFERENCES}", "--warmup_runs=100", f"--result_json={result}"]
        done = subprocess.run(argv, check=False, capture_output=True, text=True)
        if not result.exists():
            print(done.stderr[-500:], file=sys.stderr)
            return None
        return _median_ms(json.loads(result.read_text())) / 1e3


def _median_ms(found: object) -> float:
    """The median, at any depth of the peer's JSON."""
    if isinstance(found, dict):
        for key, value in found.items():
            if "median" in key and isinstance(value, (int, float)):
                return float(value) / (1e3 if "us" in key else 1.0)
        for value in found.values():
            if (median := _median_ms(value)) > 0:
                return median
    return 0.0


def accuracy(rounds: int) -> None:
    """p50 of the latency pass against the bare loop and the peer."""
    print(f"{'model':<36} agent / bare loop   agent / litert-benchmark   (medians of {rounds} rounds)")
    for name in MODELS:
        model = fetch(name)
        bare, peer = [], []
        for _ in range(rounds):
            ours, loop, other = agent_p50(model), bare_p50(model), peer_p50(model)
            bare.append(ours / loop)
            if other:
                peer.append(ours / other)
        theirs = f"{statistics.median(peer):.3f}" if peer else "does not read it"
        print(f"{name:<36} {statistics.median(bare):.3f}               {theirs}")


def memory() -> None:
    """VmHWM as the agent reports it against what /usr/bin/time reports for a worker that does the same."""
    for name in MODELS:
        model = fetch(name)
        argv = ["/usr/bin/time", "-v", sys.executable, "-c", BARE[model.suffix[1:]] + LOOP, str(model), "20"]
        shown = subprocess.run(argv, check=True, capture_output=True, text=True).stderr
        match = re.search(r"Maximum resident set size \(kbytes\): (\d+)", shown)
        assert match is not None
        events = agent(model, memory={"processes": [1, 1]})
        peak = max(event["hwm"] for event in events if event["event"] == "phase")
        with tempfile.TemporaryDirectory() as folder:
            own = _worker_alone(model, Path(folder))
        print(f"{name:<36} VmHWM {peak / 1e6:.1f} MB, time -v on the worker alone {own / 1e6:.1f} MB: {peak / own:.4f}")


def _worker_alone(model: Path, folder: Path) -> int:
    """Bytes, from `time -v`: the supervisor starts a script named `python`, which runs every worker under it."""
    python = folder / "python"
    python.write_text(f'#!/bin/sh\nexec /usr/bin/time -v -o {folder}/time {sys.executable} "$@"\n', encoding="utf-8")
    python.chmod(0o755)
    code = f"import sys; sys.executable = {str(python)!r}; from edgecheck_agent import supervisor"
    job = {"protocol": 1, "model": str(model), "format": model.suffix[1:], "memory": {"processes": [1, 1]}}
    subprocess.run(
        [sys.executable, "-c", f"{code}; sys.exit(supervisor.main(['-']))"],
        input=json.dumps(job) + "\n",
        check=True,
        capture_output=True,
        text=True,
        env={"PYTHONPATH": str(ROOT), "PATH": "/usr/bin:/bin"},
    )
    match = re.search(r"Maximum resident set size \(kbytes\): (\d+)", (folder / "time").read_text())
    assert match is not None
    return int(match[1]) * 1024


def early(rounds: int) -> None:
    """Inferences and seconds that an early verdict saves against a fixed thousand."""
    for name in MODELS:
        model = fetch(name)
        for metric, quantile in (("latency_p50", 0.5), ("latency_p90", 0.9)):
            counts, seconds, p50 = [], [], 0.0
            for _ in range(rounds):
                looks = [for_agent(metric, quantile, 0.5, 30.0)]
                plan = {"min_count": 8, "min_s": 0.01, "max_s": 60.0, "looks": looks}
                sent = [event for event in agent(model, latency=plan) if event["event"] == "latencies"]
                values = [ns for event in sent for ns in event["values_ns"]]
                counts.append(len(values))
                seconds.append(sum(values) / 1e9)
                p50 = statistics.median(values) / 1e9
            saved = 1000 * p50 - statistics.median(seconds)
            print(f"{name:<36} {metric}: {statistics.median(counts):.0f} inferences of 1,000, {saved:.2f} s saved")


def reading() -> None:
    """What it costs to read the waiting before and after inferences, as a share of their time; at most 0.5 %."""
    for name in MODELS:
        model = fetch(name)
        argv = [sys.executable, "-c", BARE[model.suffix[1:]] + READING, str(model), str(INFERENCES), str(ROOT)]
        said = subprocess.run(argv, check=True, capture_output=True, text=True).stdout.split()
        share, cold, apart, cost, files = map(float, said)
        pair = f"two readings take {cost:.1f} us ({files:.0f} threads)"
        print(f"{name:<36} {pair}, for {apart:.0f} inferences: {share:.2%}; the one after them takes {cold:+.2%}")


def main() -> None:
    """Run all four."""
    if sys.argv[1:] == ["reading"]:
        reading()
        return
    rounds = int(sys.argv[1]) if len(sys.argv) > 1 else 5
    accuracy(rounds)
    memory()
    reading()
    early(3)


if __name__ == "__main__":
    main()
