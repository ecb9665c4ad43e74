"""Real inference from a bundle, in an interpreter that sees nothing else; and the same files as a full installation."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from edgecheck.bundles import Bundle, DevicePlatform, unpack, unpacked
from edgecheck.bundles.probe import facts
from examples.real_models import fetch

Bundled = Callable[..., Bundle]
Here = Callable[..., DevicePlatform]

WORKER = """
import importlib, json, sys
root, runtime, model = sys.argv[1:]
sys.path.insert(0, root)
import numpy, psutil
numpy.random.RandomState(0).uniform(size=3)
if runtime == "onnxruntime":
    import onnxruntime
    session = onnxruntime.InferenceSession(model, providers=["CPUExecutionProvider"])
    asked = session.get_inputs()[0]
    shape = [size if isinstance(size, int) else 1 for size in asked.shape]
    output = session.run(None, {asked.name: numpy.ones(shape, numpy.float32)})[0]
else:
    interpreter = importlib.import_module(runtime + ".interpreter").Interpreter(model, num_threads=1)
    interpreter.allocate_tensors()
    asked = interpreter.get_input_details()[0]
    interpreter.set_tensor(asked["index"], numpy.ones(asked["shape"], asked["dtype"]))
    interpreter.invoke()
    output = interpreter.get_tensor(interpreter.get_output_details()[0]["index"])
loaded = {getattr(module, "__file__", None) or "" for module in list(sys.modules.values())}
loaded |= {line.split(None, 5)[5].strip() for line in open("/proc/self/maps") if line.count("/")}
inside = sorted({path[len(root) + 1:] for path in loaded if path.startswith(root + "/")})
first = [float(each) for each in output.ravel()[:5]]
print(json.dumps({"output": first, "loaded": inside, "numpy": numpy.__version__}))
"""

MODELS = {
    "tflite_runtime": "face_landmark.tflite",
    "ai_edge_litert": "face_landmark.tflite",
    "onnxruntime": "mtcnn_onet.onnx",
}


def run(interpreter: Path | str, folder: Path, runtime: str) -> dict[str, object]:
    argv = [interpreter, "-I", "-S", "-B", "-c", WORKER, folder, runtime, fetch(MODELS[runtime])]
    environment = {"PATH": os.environ["PATH"], "ORT_DISABLE_TELEMETRY": "1"}
    done = subprocess.run(argv, capture_output=True, text=True, check=False, env=environment)
    assert done.returncode == 0, done.stderr
    answer: dict[str, object] = json.loads(done.stdout.splitlines()[-1])
    return answer


@pytest.mark.parametrize(
    ("runtime", "requirements"),
    [
        ("tflite_runtime", ["tflite-runtime==2.14.0", "numpy<2"]),
        ("ai_edge_litert", ["ai-edge-litert==2.3.0", "numpy==2.4.6"]),
        ("ai_edge_litert", ["ai-edge-litert==1.0.1"]),
        ("onnxruntime", ["onnxruntime==1.32.0", "numpy==2.4.6"]),
        ("onnxruntime", ["onnxruntime==1.18.0"]),
    ],
)
@pytest.mark.skipif(sys.version_info[:2] != (3, 11), reason="the wheels are named for Python 3.11")
def test_a_bundle_loads_what_a_full_installation_loads(
    cache: Path, bundled: Bundled, here: Here, runtime: str, requirements: list[str]
) -> None:
    """Otherwise the RAM measured with it would differ from the RAM of a deployment."""
    bundle = bundled(requirements, here(python="3.11"))
    lean = run(sys.executable, unpacked(bundle, cache=cache), runtime)
    full = run(sys.executable, installed(cache, bundle), runtime)
    assert lean == full
    assert len(str(lean["loaded"])) > 1000
    assert lean["output"] != [0.0] * 5


def installed(cache: Path, bundle: Bundle) -> Path:
    """The bundle's wheels as pip installs them, kept for the next run."""
    folder = cache / "installed" / bundle.digest
    if not folder.exists():
        argv = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--no-compile", "--only-binary=:all:"]
        fresh = folder.with_suffix(".new")
        subprocess.run([*argv, "--target", fresh, *bundle.pins], check=True, capture_output=True)
        fresh.rename(folder)
    return folder


#: The Pythons (by minor version) that tflite-runtime was built for, and those that ai-edge-litert is tried with here.
TFLITE_RUNTIME, LITERT = range(7, 12), range(12, 15)


def test_every_python_runs_the_newest_runtimes_that_fit_it(
    python: tuple[str, Path], cache: Path, bundled: Bundled, here: Here
) -> None:
    version, interpreter = python
    minor = int(version.partition(".")[2])
    runtimes = {
        "onnxruntime": "onnxruntime",
        **({"tflite_runtime": "tflite-runtime"} if minor in TFLITE_RUNTIME else {}),
        **({"ai_edge_litert": "ai-edge-litert"} if minor in LITERT else {}),
    }
    for runtime, requirement in runtimes.items():
        bundle = bundled([requirement], here(python=version))
        answer = run(interpreter, unpacked(bundle, cache=cache), runtime)
        assert answer["output"] != [0.0] * 5
        assert f"numpy=={answer['numpy']}" in bundle.pins


def test_the_bundle_s_runtime_runs_under_this_interpreter_too(bundled: Bundled, here: Here, tmp_path: Path) -> None:
    """`unpack` into a private folder, as when a disk for the emulated machine is made."""
    bundle = bundled(["onnxruntime"], here())
    unpack(bundle, tmp_path / "disk")
    assert run(sys.executable, tmp_path / "disk", "onnxruntime")["output"]
    assert facts()["python"] == bundle.platform.python
