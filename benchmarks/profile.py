"""Compares `edgecheck profile` with the runtimes' own profilers called bare (`bare_profile.py`), operator by operator.

    python benchmarks/profile.py [--on local|emulated|ssh://…] [--rounds 21] [MODEL...]

Models are names from examples/real_models.yaml; by default three of each format, and nmp.onnx, which waits for memory.
On this machine and over SSH, both are taken in turns, since each process lays its memory out differently, and the
means of the rounds are compared, less a tenth at each end: an operator of more than 2 % of the inference should
differ by less than 5 %. How far the runtime's own tool differs from itself, in one half of the rounds and in the
other, is printed too. In the emulated machine one round is enough. The last figure is the largest difference.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import shlex
import statistics
import subprocess
import sys
import tempfile
from collections import Counter, defaultdict
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT))

from examples.real_models import fetch  # noqa: E402 - after the path is set

EDGECHECK = str(Path(sys.executable).parent / "edgecheck")
BARE = ROOT / "benchmarks" / "bare_profile.py"
DEVICE = "raspberry-pi-4-2gb"

#: The model, and the shape of its input where the file leaves one open.
MODELS = {
    "mtcnn_onet.onnx": "",
    "light_squeezenet.onnx": "",
    "light_shufflenet.onnx": "",
    "nmp.onnx": "1,43844,1",
    "face_detection_back.tflite": "",
    "face_landmark.tflite": "",
    "iris_landmark.tflite": "",
}
#: The name of that input.
INPUTS = {"nmp.onnx": "serving_default_input_2:0"}

#: onnxruntime numbers what it adds to a graph, in each process in another way.
TOKEN = re.compile(r"_token_\d+$")

#: The inferences of which the runtime's own tool takes the middle half.
RUNS = {".onnx": "60", ".tflite": "200"}

#: The share of an operator that is compared.
SHARE = 0.02


def ours(model: str, where: str) -> list[tuple[str, float]]:
    """Microseconds, or thousands of instructions, by operator in the order of execution."""
    shape = MODELS.get(model, "")
    argv = [EDGECHECK, "profile", str(fetch(model)), "--format", "json"]
    argv += ["--input", f"{INPUTS[model]}={shape}"] if shape else []
    if where == "emulated":
        argv += ["--device", DEVICE, "--target", "qemu", "--fresh"]
    elif where != "local":
        argv += ["--device", DEVICE, "--target", where, "--bundle", "system"]
    done = subprocess.run(argv, check=True, capture_output=True, text=True)
    found = json.loads(done.stdout)
    scale = 1e-3 if found["unit"] == "instructions" else 1e6
    name = "runtime_name" if model.endswith(".onnx") else "type"
    return [(TOKEN.sub("", each[name]), each["value"] * scale) for each in found["operators"]]


def bare(model: str, where: str) -> list[tuple[str, float]]:
    """The same by the runtime's own tool."""
    path, shape = fetch(model), MODELS.get(model, "")
    if where == "local":
        argv = [sys.executable, str(BARE), str(path), RUNS[path.suffix], shape]
        text = subprocess.run(argv, check=True, capture_output=True, text=True).stdout
    elif where == "emulated":
        text = _in_the_machine(path, shape)
    else:
        text = _over_ssh(where, path, shape)
    line = next(line for line in text.splitlines() if line.startswith("PROFILE "))
    return [(TOKEN.sub("", name), value) for name, value in json.loads(line.removeprefix("PROFILE "))]


def _over_ssh(where: str, path: Path, shape: str) -> str:
    ssh = shlex.split(os.environ.get("EDGECHECK_SSH", "ssh"))
    place, _, port = where.removeprefix("ssh://").partition(":")
    argv = [*ssh, *(["-p", port] if port else []), place]
    with tempfile.TemporaryDirectory() as folder:
        for file in (path, BARE):
            (Path(folder) / file.name).write_bytes(file.read_bytes())
        archive = subprocess.run(["tar", "-C", folder, "-c", "."], check=True, capture_output=True).stdout
    run = f"cd $D && python3 {BARE.name} {path.name} {RUNS[path.suffix]} {shlex.quote(shape)}"
    script = f"D=$(mktemp -d) && tar -C $D -x && {run}; rm -r $D"
    return subprocess.run([*argv, script], check=True, capture_output=True, input=archive).stdout.decode()


def _in_the_machine(path: Path, shape: str) -> str:
    from edgecheck.config import Profiles
    from edgecheck.core.address import EMULATED
    from edgecheck.emulator import machine, saved
    from edgecheck.emulator.cache import default_cache
    from edgecheck.targets.qemu import open_target

    def silent(_words: str) -> None:
        """Report no progress."""

    device = Profiles(()).get(DEVICE)
    target = open_target(EMULATED, device)
    pins = ("ai-edge-litert==2.3.0",) if path.suffix == ".tflite" else device.runtimes["onnx"]
    spec = target.spec(pins, path.stat().st_size, silent, ("busybox", "sh"))
    state = saved.ensure(spec, default_cache(), silent)
    with tempfile.TemporaryDirectory() as folder:
        for file in (path, BARE):
            (Path(folder) / file.name).write_bytes(file.read_bytes())
        run = f"cd /tmp && PYTHONPATH=/bundle python3 /job/{BARE.name} /job/{path.name} 3 '{shape}'"
        job = machine.Job(Path(folder), f"{run}\nexit\n".encode(), 600.0)
        with machine.run(spec, state, job) as running:
            return "\n".join(running.lines())


def compare(model: str, where: str, rounds: int) -> float:
    """Print one line; the largest difference of an operator of more than 2 %."""
    pairs = [(ours(model, where), bare(model, where)) for _ in range(rounds)]
    found, expected = (_means([pair[side] for pair in pairs]) for side in (0, 1))
    halves = [_means([theirs for _, theirs in pairs[half::2]]) for half in (0, 1) if len(pairs) > 1]
    if found.keys() != expected.keys():
        print(f"{model:36} the operators differ: {len(found)} and {len(expected)}")
        return 1.0
    total = sum(expected.values())
    large = [(name, found[name, at], b) for (name, at), b in expected.items() if b > SHARE * total]
    if not large:
        print(f"{model:36} {len(expected):4} operators, none above 2 %")
        return 0.0
    worst = max(large, key=lambda each: abs(each[1] / each[2] - 1))
    difference = abs(worst[1] / worst[2] - 1)
    within = sum(abs(a / b - 1) < 0.05 for _, a, b in large)
    print(
        f"{model:36} {len(expected):4} operators, {len(large):3} above 2 %, {within} of them within 5 %; at most "
        f"{100 * difference:.1f} %: {worst[0]} {worst[1]:.1f} against {worst[2]:.1f}"
    )
    if halves:
        itself = max(abs(halves[0][key] / halves[1][key] - 1) for key, b in expected.items() if b > SHARE * total)
        print(f"{'':36} the runtime's own tool differs from itself by up to {100 * itself:.1f} %")
    return float(difference)


def _means(rounds: list[list[tuple[str, float]]]) -> dict[tuple[str, int], float]:
    """By name, and by number among those of one name: onnxruntime does not order a graph in one way each time."""
    values: dict[tuple[str, int], list[float]] = defaultdict(list)
    for rows in rounds:
        seen: Counter[str] = Counter()
        for name, value in rows:
            values[name, seen[name]].append(value)
            seen[name] += 1
    return {key: _trimmed(each) for key, each in values.items()}


def _trimmed(values: list[float]) -> float:
    """The mean without a tenth at each end: over memory layouts, of which some are slow."""
    cut = len(values) // 10
    return statistics.fmean(sorted(values)[cut : len(values) - cut])


def main() -> None:
    """Compare, model by model."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("models", nargs="*", default=list(MODELS), metavar="MODEL")
    parser.add_argument("--on", default="local", metavar="WHERE")
    parser.add_argument("--rounds", type=int, default=21)
    options: Any = parser.parse_args()
    rounds = 1 if options.on == "emulated" else options.rounds
    worst = max(compare(model, options.on, rounds) for model in options.models)
    print(f"largest difference: {100 * worst:.1f} %")


if __name__ == "__main__":
    main()
