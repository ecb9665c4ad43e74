"""The cost of a conversion compared with a direct call of its converter, and of a second check with the first.

    python benchmarks/conversion.py [ROUNDS] [WORD...]     # only routes whose line contains every WORD

Direct ("bare") means a fresh Python that loads the model, calls the converter with the same settings and writes the
file; for onnxruntime's quantisers with the preparation that they recommend. edgecheck does the same in a child process,
and also hashes the source, opens the artifact in its runtime, inspects its weights, and caches it. The two take turns;
the figures are ratios of medians within one run. On a busy machine, processor time (user and system, of all processes)
is more reliable than wall time. Peaks are the kernel's high-water marks (VmHWM) of the processes that convert.
"""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT))

from edgecheck.anatomy.formats import identify  # noqa: E402
from edgecheck.converters.convert import convert  # noqa: E402
from edgecheck.converters.interface import TRUST_ALL, ConversionSettings, Request  # noqa: E402
from examples.real_models import fetch  # noqa: E402

if TYPE_CHECKING:
    from collections.abc import Callable

EDGECHECK = str(Path(sys.executable).parent / "edgecheck")
QUIET = {"CUDA_VISIBLE_DEVICES": "", "KERAS_BACKEND": "tensorflow", "PYTHONHASHSEED": "0", "TF_CPP_MIN_LOG_LEVEL": "2"}
SHAPES = {"fer": (64, 64, 1), "MobileNetV2": (224, 224, 3), "MobileNetV3-small": (3, 224, 224)}

PEAK = """
import sys
print("peak", next(l.split()[1] for l in open("/proc/self/status") if l.startswith("VmHWM")), file=sys.stderr)
"""

KERAS = """
import sys, numpy as np, tensorflow as tf
model, out, shape = sys.argv[1], sys.argv[2], eval(sys.argv[3])
net = tf.keras.models.load_model(model, compile=False)
"""
TFLITE = (
    KERAS
    + """
c = tf.lite.TFLiteConverter.from_keras_model(net)
{settings}
open(out, "wb").write(c.convert())
"""
)
DEFAULT = "c.optimizations = [tf.lite.Optimize.DEFAULT]"
TFLITE_SETTINGS = {
    "float32": "",
    "float16": f"{DEFAULT}; c.target_spec.supported_types = [tf.float16]",
    "int8-dynamic": DEFAULT,
    "int8": f"{DEFAULT}\nr = np.random.Generator(np.random.PCG64(0))\n"
    "feeds = [r.random((1, *shape), dtype=np.float32) for _ in range(16)]\n"
    "c.representative_dataset = lambda: ([each] for each in feeds)\n"
    "c.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS_INT8]",
}
EXPORT = (
    KERAS
    + """
net(np.zeros((1, *shape), np.float32))
net.export(out, format="onnx", verbose=False)
"""
)
TORCH = """
import sys, warnings, torch
sys.path.insert(0, "{home}")
from mobilenet_v3 import MobileNetV3Small
warnings.simplefilter("ignore")
net = MobileNetV3Small(); net.load_state_dict(torch.load(sys.argv[1], weights_only=True)); net.eval()
torch.onnx.export(net, (torch.rand(2, *eval(sys.argv[3])),), sys.argv[2], dynamo=True, external_data=False,
    verbose=False, input_names=["image"], dynamic_shapes=({{0: torch.export.Dim("batch")}},))
"""
ORT = """
import sys, numpy as np, onnx
model, out, shape = sys.argv[1], sys.argv[2], eval(sys.argv[3])
"""
PREPARE = """from onnxruntime.quantization.shape_inference import quant_pre_process
quant_pre_process(model, out + ".prepared", skip_symbolic_shape=True); model = out + ".prepared"
"""
ONNX_CALLS = {
    "float16": "from onnxruntime.transformers.float16 import convert_float_to_float16 as half\n"
    "onnx.save(half(onnx.load(model), keep_io_types=True), out)",
    "int8-dynamic": f"{PREPARE}from onnxruntime.quantization import QuantType, quantize_dynamic\n"
    "quantize_dynamic(model, out, op_types_to_quantize=['Gemm', 'MatMul'], weight_type=QuantType.QInt8)",
    "int8": f"{PREPARE}"
    "from onnxruntime.quantization import CalibrationDataReader, QuantFormat, QuantType, quantize_static\n"
    "r = np.random.Generator(np.random.PCG64(0)); name = onnx.load(model).graph.input[0].name\n"
    "class Reader(CalibrationDataReader):\n"
    "    rest = iter([{name: r.random((1, *shape), dtype=np.float32)} for _ in range(16)])\n"
    "    def get_next(self): return next(self.rest, None)\n"
    "quantize_static(model, out, Reader(), quant_format=QuantFormat.QDQ, per_channel=True,\n"
    "    activation_type=QuantType.QUInt8, weight_type=QuantType.QInt8)",
}
AEQ = """
import sys
from ai_edge_quantizer import quantizer, recipe_manager, qtyping
recipe = recipe_manager.RecipeManager()
recipe.add_{kind}_config(".*", qtyping.TFLOperationName.ALL_SUPPORTED, num_bits=8)
made = quantizer.Quantizer(sys.argv[1], recipe.get_quantization_recipe()).quantize(None)
open(sys.argv[2], "wb").write(bytes(made.quantized_model))
"""


@dataclass(frozen=True)
class Route:
    """One conversion, and the code that calls its converter bare."""

    network: str
    model: Path
    target: str
    variant: str
    bare: str
    factory: str = ""

    def __str__(self) -> str:
        return f"{self.network} {identify(self.model).value} to {self.target} {self.variant}"

    def request(self) -> Request:
        """What edgecheck is asked for."""
        shapes = {"image": (1, *SHAPES[self.network])} if self.factory else {}
        return Request(
            model=self.model,
            source=identify(self.model).value,
            format=self.target,
            variant=self.variant,
            inputs=shapes,
            factory=self.factory,
            home=ROOT / "benchmarks",
            trusted=TRUST_ALL if self.factory else "",
        )


def made_models(folder: Path) -> dict[str, Path]:
    """The networks, built and saved in separate processes."""
    keras, weights = folder / "mobilenet_v2.keras", folder / "mobilenet_v3.pth"
    run(f"import keras; keras.applications.MobileNetV2(weights=None).save({str(keras)!r})")
    run(
        f"import sys; sys.path.insert(0, {str(ROOT / 'benchmarks')!r}); import torch; from mobilenet_v3 import *\n"
        f"torch.manual_seed(0); torch.save(MobileNetV3Small().eval().state_dict(), {str(weights)!r})"
    )
    fer = folder / "fer.hdf5"
    fer.write_bytes(fetch("emotion.hdf5").read_bytes())
    return {"fer": fer, "MobileNetV2": keras, "MobileNetV3-small": weights}


def routes(models: dict[str, Path], workshop: ConversionSettings) -> list[Route]:
    """Every route that takes one of the networks."""
    found = []
    for network in ("fer", "MobileNetV2"):
        keras = models[network]
        found += [
            Route(network, keras, "tflite", variant, TFLITE.format(settings=settings))
            for variant, settings in TFLITE_SETTINGS.items()
        ]
        found.append(Route(network, keras, "onnx", "float32", EXPORT))
        ready = Path(convert(found[-5].request(), workshop, progress=quiet).path)
        found.append(Route(network, ready, "tflite", "int8-weights", AEQ.format(kind="weight_only")))
        found.append(Route(network, ready, "tflite", "int8-dynamic", AEQ.format(kind="dynamic")))
    network, weights = "MobileNetV3-small", models["MobileNetV3-small"]
    torch = TORCH.format(home=ROOT / "benchmarks")
    found.append(Route(network, weights, "onnx", "float32", torch, "mobilenet_v3:MobileNetV3Small"))
    ready = Path(convert(found[-1].request(), workshop, progress=quiet).path)
    return [*found, *(Route(network, ready, "onnx", variant, f"{ORT}{call}") for variant, call in ONNX_CALLS.items())]


def quiet(_words: str) -> None:
    """Ignore progress messages."""


class Cost(NamedTuple):
    """What a conversion took."""

    wall: float
    """Seconds."""
    processor: float
    """Seconds, of this process and its children."""
    peak: float
    """MB."""


def run(code: str, *arguments: str) -> float:
    """The peak, in MB, of a fresh Python with this code."""
    done = subprocess.run(
        [sys.executable, "-c", code + PEAK, *arguments],
        check=True,
        capture_output=True,
        text=True,
        env=os.environ | QUIET,
        cwd=tempfile.gettempdir(),
    )
    peak = next(line for line in done.stderr.splitlines() if line.startswith("peak "))
    return int(peak.split()[1]) * 1024 / 1e6


def cost(work: Callable[[Path], float]) -> Cost:
    """Do `work`, which returns its peak, in a fresh folder."""
    with tempfile.TemporaryDirectory() as folder:
        begun, used = time.perf_counter(), sum(os.times()[:4])
        peak = work(Path(folder))
        return Cost(time.perf_counter() - begun, sum(os.times()[:4]) - used, peak)


def compare(route: Route, rounds: int) -> Cost:
    """The ratios, printed with the absolute figures."""

    def ours(folder: Path) -> float:
        return (convert(route.request(), ConversionSettings(folder), progress=quiet).peak_memory or 0) / 1e6

    def bare(folder: Path) -> float:
        return run(route.bare, str(route.model), str(folder / f"out.{route.target}"), repr(SHAPES[route.network]))

    pairs = [(cost(ours), cost(bare)) for _ in range(rounds)]
    whole, alone = (Cost(*map(statistics.median, zip(*side, strict=True))) for side in zip(*pairs, strict=True))
    ratios = Cost(whole.wall / alone.wall, whole.processor / alone.processor, whole.peak / alone.peak)
    print(
        f"{route!s:48} {alone.wall:6.2f} s x {ratios.wall:.2f}   {alone.processor:6.2f} s x {ratios.processor:.2f}"
        f"   {alone.peak:5.0f} MB x {ratios.peak:.2f}",
        flush=True,
    )
    return ratios


def second_check(model: Path) -> float:
    """Time of a second check, which converts nothing, as a share of the first."""
    with tempfile.TemporaryDirectory() as folder:
        environment = os.environ | {"XDG_CACHE_HOME": folder}
        argv = [EDGECHECK, "check", str(model), "--limit", "size=100MB", "--limit", "agreement=0.9"]
        argv += ["--device", "pixel-8", "--target", "local", "--limit", "latency_p50=10s", "--on-unknown", "ignore"]
        took = []
        for _ in range(2):
            begun = time.perf_counter()
            done = subprocess.run(argv, check=False, capture_output=True, text=True, env=environment, cwd=folder)
            assert done.returncode == 0, done.stdout + done.stderr
            took.append(time.perf_counter() - begun)
    print(
        f"{model.name:58} first check {took[0]:6.2f} s, second {took[1]:6.2f} s: x {took[1] / took[0]:.2f}", flush=True
    )
    return took[1] / took[0]


def main(rounds: int, words: list[str]) -> None:
    """Measure and print."""
    with tempfile.TemporaryDirectory() as folder:
        models = made_models(Path(folder))
        every = routes(models, ConversionSettings(Path(folder) / "cache"))
        chosen = [route for route in every if all(word in str(route) for word in words)]
        print(f"Medians of {rounds} rounds. Bare, and edgecheck's as a ratio of it; the aim is x 1.10")
        print(f"{'route':48} {'wall':>8} {'':8} {'processor':>8} {'':8} {'peak':>8}", flush=True)
        ratios = Cost(*map(statistics.median, zip(*(compare(route, rounds) for route in chosen), strict=True)))
        print(f"{'median':57} x {ratios.wall:.2f}{'':11}  x {ratios.processor:.2f}{'':11}  x {ratios.peak:.2f}")
        for network in ("fer", "MobileNetV2"):
            if all(word in network for word in words):
                second_check(models[network])


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 3, sys.argv[2:])
