"""How long a check takes in the emulated machine, how much of that is inference, and how well its figures repeat.

    python benchmarks/emulator.py [--checks 20] [MODEL...]

Models are names from examples/real_models.yaml or paths of .tflite files. If TensorFlow can be imported, MobileNetV2
(random weights, float and int8) is added. Everything is built before the clock starts, except in the first table. A
check is one process in one machine, whose memory is sampled and whose instructions are then counted. For comparison,
the same is done without a saved machine: boot, import, job. At last the command is timed as its users call it: one
check, and a budget of eight. QEMU is the first one on PATH.
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING, Any

import psutil

from edgecheck import bundles
from edgecheck.emulator import build, disks, machine, saved
from edgecheck.emulator.cache import Cache
from edgecheck.emulator.hardware import Hardware, MachineSpec, Memory
from edgecheck.emulator.qemu import Patience, Qemu
from edgecheck.emulator.running import Running
from edgecheck.targets.interface import START, agent_folder
from edgecheck.targets.qemu import PYTHON_PATH, command_for

sys.path.insert(0, str(Path(__file__).parents[1]))
from examples.real_models import fetch

if TYPE_CHECKING:
    from edgecheck.emulator.hardware import Image

MODELS = ("emotion_quantized.tflite", "face_detection_short_range.tflite")
REQUIREMENTS = ("ai-edge-litert==2.3.0",)
RAM_BYTES = 1 << 30
SECONDS = 600.0
RUNTIME = {"format": "tflite", "runtime": None, "threads": 1}
LATENCY: dict[str, Any] = {"deterministic": {}}
MEMORY: dict[str, Any] = {"memory": {"processes": [1, 1], "interval_s": 0.02, "inferences": 2}}

_MOBILENET = """
import os, sys
os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
import keras, numpy, tensorflow
keras.utils.set_random_seed(1)
model = keras.applications.MobileNetV2(weights=None)
converter = tensorflow.lite.TFLiteConverter.from_keras_model(model)
open(sys.argv[1] + "/mobilenet_v2.tflite", "wb").write(converter.convert())
converter.optimizations = [tensorflow.lite.Optimize.DEFAULT]
images = numpy.random.default_rng(0).random((4, 1, 224, 224, 3), numpy.float32)
converter.representative_dataset = lambda: ([image] for image in images)
converter.target_spec.supported_ops = [tensorflow.lite.OpsSet.TFLITE_BUILTINS_INT8]
converter.inference_input_type = converter.inference_output_type = tensorflow.int8
open(sys.argv[1] + "/mobilenet_v2_int8.tflite", "wb").write(converter.convert())
"""


@dataclass(frozen=True)
class Pass:
    """One run of the agent; times in seconds since its start."""

    seconds: float
    inference_seconds: float
    instructions: float
    peak: int


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("models", nargs="*", default=MODELS, metavar="MODEL")
    parser.add_argument("--checks", type=int, default=20, help="how many to run in parallel (%(default)s)")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        models = [Path(name) if Path(name).exists() else fetch(name) for name in options.models]
        models += _mobilenets(Path(scratch))
        print(f"QEMU {build.info().qemu}")
        print(f"load average at the start: {psutil.getloadavg()[0]:.1f} on {psutil.cpu_count()} cores\n")
        spec, state = _prepared(Path(scratch))
        _checks(spec, state, models)
        _repeats(spec, state, models[0])
        _side_by_side(spec, state, models[0], options.checks)
        _as_users_call_it(Path(scratch))


def _mobilenets(folder: Path) -> list[Path]:
    if importlib.util.find_spec("tensorflow") is None:
        print("MobileNetV2 is left out: TensorFlow is not installed here.")
        return []
    subprocess.run([sys.executable, "-c", _MOBILENET, str(folder)], check=True, capture_output=True)
    return sorted(folder.glob("mobilenet*.tflite"))


def _prepared(scratch: Path) -> tuple[MachineSpec, saved.Saved]:
    """Build everything from scratch, in a separate cache, and print how long each step took."""
    print("| built from nothing | seconds |\n| --- | --- |")
    cache = Cache(scratch / "cache")
    begun = time.perf_counter()
    image = build.ensure(_silent, cache=cache)
    begun = _row("system: packages, kernel, disk", begun)
    spec = _spec(image, cache)
    begun = _row("disk of the bundle, its modules compiled", begun)
    state = saved.ensure(spec, cache, _silent)
    begun = _row("machine, booted and saved", begun)
    state = saved.ensure(_spec(build.ensure(_silent, cache=cache), cache), cache, _silent)
    _row("all of it once more, from the cache", begun)
    return spec, state


def _spec(image: Image, cache: Cache) -> MachineSpec:
    bundle = bundles.bundle_for(REQUIREMENTS, bundles.DevicePlatform(image.python, "aarch64"))
    parts = {
        "bundle": disks.bundle(bundle.digest, partial(bundles.unpack, bundle), image, cache, _silent),
        "agent": disks.agent(agent_folder(), cache, _silent),
    }
    return MachineSpec(
        image=image, cpu="cortex-a72", available_bytes=RAM_BYTES, disks=parts, command=command_for(RUNTIME)
    )


def _row(what: str, begun: float) -> float:
    now = time.perf_counter()
    print(f"| {what} | {now - begun:.2f} |")
    return now


def _checks(spec: MachineSpec, state: saved.Saved, models: list[Path]) -> None:
    print("\n| model | check, s | of it inference | from a fresh boot, s | instructions | peak RSS, MB |")
    print("| --- | --- | --- | --- | --- | --- |")
    for model in models:
        seen = _check(spec, state, model)
        share = seen.inference_seconds / seen.seconds
        cold = _cold(spec, state, model)
        figures = f"{seen.seconds:.1f} | {share:.0%} | {cold:.1f} | {seen.instructions / 1e6:.2f} M"
        print(f"| {model.name} | {figures} | {seen.peak / 1e6:.2f} |")


def _check(spec: MachineSpec, state: saved.Saved, model: Path) -> Pass:
    with tempfile.TemporaryDirectory() as folder:
        begun = time.perf_counter()
        shutil.copy(model, folder)
        with machine.run(spec, state, machine.Job(Path(folder), _stdin(model, LATENCY | MEMORY), SECONDS)) as running:
            return _listened(running, begun)


def _cold(spec: MachineSpec, state: saved.Saved, model: Path) -> float:
    """The same without a saved machine."""
    with tempfile.TemporaryDirectory() as folder, tempfile.TemporaryDirectory() as aside:
        begun = time.perf_counter()
        shutil.copy(model, folder)
        place = Path(aside) / "job.img"
        disks.make(Path(folder), place)
        hardware = Hardware(
            image=spec.image,
            cpu=spec.cpu,
            memory=Memory(state.ram_bytes),
            disks=spec.disks,
            scratch={"job": place},
        )
        with Qemu(hardware) as qemu:
            running = Running(qemu, Patience(SECONDS, qemu.pid))
            running.ready()
            running.start(("python3", f"/agent/{START}", "-"))
            running.mount()
            running.go(_stdin(model, LATENCY | MEMORY))
            for _ in running.lines():
                pass
        return time.perf_counter() - begun


def _stdin(model: Path, job: dict[str, Any]) -> bytes:
    common = {"protocol": 1, "model": f"/job/{model.name}", "python_path": PYTHON_PATH}
    return json.dumps({**common, **RUNTIME, **job}).encode() + b"\n"


def _listened(running: Running, begun: float) -> Pass:
    inference, instructions, peak, loaded = 0.0, 0.0, 0, 0.0
    for line in running.lines():
        event, now = json.loads(line), time.perf_counter() - begun
        if event["event"] == "phase":
            peak = event["hwm"]
            loaded = now if event["phase"] == "model-loaded" else loaded
            inference = now - loaded if event["phase"] == "steady" else inference
        if event["event"] == "batches":
            instructions = event["batches"][-1]["total_ns"] / event["batches"][-1]["count"]
    assert running.ending().status == 0
    return Pass(time.perf_counter() - begun, inference, instructions, peak)


def _repeats(spec: MachineSpec, state: saved.Saved, model: Path) -> None:
    idle = [_check(spec, state, model) for _ in range(3)]
    loops = [subprocess.Popen([sys.executable, "-c", "while True: pass"]) for _ in range(psutil.cpu_count() or 1)]
    busy = [_check(spec, state, model) for _ in range(3)]
    for loop in loops:
        loop.kill()
        loop.wait()
    print(f"\n{model.name}, three checks alone and three with a busy loop on every core:")
    for what, found in (
        ("instructions", [seen.instructions for seen in (*idle, *busy)]),
        ("peak RSS", [seen.peak for seen in (*idle, *busy)]),
    ):
        print(f"- {what}: {min(found):.0f} to {max(found):.0f}, {max(found) / min(found) - 1:.4%} apart")


def _side_by_side(spec: MachineSpec, state: saved.Saved, model: Path, count: int) -> None:
    seconds = {}
    for workers in (1, 2):
        begun = time.perf_counter()
        with ThreadPoolExecutor(workers) as pool:
            each = list(pool.map(lambda _: _check(spec, state, model).seconds, range(count)))
        seconds[workers] = time.perf_counter() - begun
        print(f"\n{count} checks, {workers} at a time: {seconds[workers]:.1f} s; one takes {median(each):.2f} s")
    print(f"\nTwo at a time give {seconds[1] / seconds[2]:.2f} times the checks.")


#: Two variants on three emulated devices, of which two share their core and runtime, and on this machine.
_BUDGET = """\
model: {model}
variants: [as-is, int8-dynamic]
limits: {{size: 5 MB, ram_peak: 500 MiB, latency_p50: 1 s}}
devices: {{{devices}}}
"""
_DEVICES = ("raspberry-pi-4-2gb", "pixel-8", "jetson-orin-nano", "this-machine")


def _as_users_call_it(scratch: Path) -> None:
    """The command, in a cache that has wheels and converted models, but no system, disk, machine or result."""
    model = fetch("mtcnn_onet.onnx")
    for name, devices in {"one": _DEVICES[:1], "eight": _DEVICES, **{each: (each,) for each in _DEVICES}}.items():
        text = _BUDGET.format(model=model, devices=", ".join(f"{each}: " for each in devices))
        one = text.replace("[as-is, int8-dynamic]", "[as-is]")
        (scratch / f"{name}.yaml").write_text(one if name == "one" else text, encoding="utf-8")
    _command(scratch, "eight.yaml")
    shutil.rmtree(scratch / "users/edgecheck/emulator")
    print("\n| the command, as its users call it | seconds |\n| --- | --- |")
    begun = time.perf_counter()
    for what, words in (
        ("one check: the first one, from nothing but its wheels", ["one.yaml"]),
        ("one check, from the saved machine", ["one.yaml", "--fresh"]),
        ("one check, the same again", ["one.yaml"]),
    ):
        _command(scratch, *words)
        begun = _row(what, begun)
    _command(scratch, "eight.yaml", "--fresh", "-j", "2")  # saves the machines that the rest starts
    begun = time.perf_counter()
    for device in _DEVICES:
        _command(scratch, f"{device}.yaml", "--fresh")
    begun = _row("eight checks, each device by itself", begun)
    for what, words in (("eight checks together", ["--fresh", "-j", "2"]), ("eight checks, the same again", [])):
        _command(scratch, "eight.yaml", *words)
        begun = _row(what, begun)


def _command(scratch: Path, *words: str) -> None:
    command = [str(Path(sys.executable).parent / "edgecheck"), "check", *words]
    environment = os.environ | {"XDG_CACHE_HOME": str(scratch / "users")}
    done = subprocess.run(command, check=False, cwd=scratch, env=environment, capture_output=True, text=True)
    assert done.returncode in (0, 1), done.stderr + done.stdout


def _silent(_: str) -> None:
    pass


if __name__ == "__main__":
    main()
