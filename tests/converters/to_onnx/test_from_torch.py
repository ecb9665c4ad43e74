"""PyTorch to `.onnx`, from every form in which a network is saved. Also covers `sources/torch_*.py`."""

from __future__ import annotations

import subprocess
import sys
import zipfile
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import onnx
import onnxruntime
import pytest

from edgecheck.converters.agreement import reference_of
from edgecheck.converters.comparison import compared
from edgecheck.converters.interface import TRUST_ALL
from edgecheck.errors import ConversionError
from examples.real_models import fetch
from tests.converters.bench import requires

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.converters.bench import Bench

pytestmark = [pytest.mark.convert, requires("torch", "onnxscript", "safetensors", "onnxruntime")]

#: The folder of `networks.py`.
HERE = Path(__file__).parents[1]
IMAGE = {"image": (1, 1, 28, 28)}


def factory(name: str) -> dict[str, object]:
    return {"factory": f"networks:{name}", "home": HERE, "trusted": TRUST_ALL}


def batch_is_free(path: object) -> bool:
    graph = onnx.load(str(path)).graph
    return all(each.type.tensor_type.shape.dim[0].dim_param for each in (*graph.input, *graph.output))


def test_weights_and_their_factory(bench: Bench, torch_models: Path) -> None:
    model = torch_models / "classifier.pth"
    made = bench.make(model, "onnx", "float32", inputs=IMAGE, **factory("classifier"))
    assert "dynamo exporter" in made.route
    assert batch_is_free(made.path), "with an example of one, dynamo silently fixes the batch"
    agreement = bench.agreement(model, "onnx", "float32", inputs=IMAGE, **factory("classifier"))
    assert agreement.cosine > 0.999999
    assert agreement.top1 == 1.0
    assert agreement.note == "compared before the softmax"


@pytest.mark.parametrize("name", ["classifier.safetensors", "legacy.pth", "classifier.ts", "classifier.pt2"])
def test_every_saved_form_is_the_same_network(bench: Bench, torch_models: Path, name: str) -> None:
    request = bench.request(torch_models / "classifier.pth", "onnx", "float32", inputs=IMAGE, **factory("classifier"))
    more = {} if name.endswith((".ts", ".pt2")) else factory("classifier")
    other = bench.request(torch_models / name, "onnx", "float32", inputs=IMAGE, **more)
    recordings = [reference_of(each, bench.settings, progress=bench.said.append).recording for each in (request, other)]
    assert compared(*recordings).relative_error < 1e-6


def pickled_otherwise(model: Path, target: Path, old: bytes, new: bytes) -> Path:
    """The same archive with other bytes in its pickle."""
    with zipfile.ZipFile(model) as source, zipfile.ZipFile(target, "w") as made:
        for entry in source.infolist():
            content = source.read(entry)
            if entry.filename.endswith("/data.pkl"):
                assert old in content
                content = content.replace(old, new)
            made.writestr(entry.filename, content)
    return target


def saved_on_a_gpu(model: Path, target: Path) -> Path:
    """The file that a machine with CUDA would write: the storages' device is a word in the pickle."""
    return pickled_otherwise(model, target, b"X\x03\x00\x00\x00cpu", b"X\x06\x00\x00\x00cuda:0")


def test_weights_that_were_saved_on_a_gpu(bench: Bench, torch_models: Path, tmp_path: Path) -> None:
    model = saved_on_a_gpu(torch_models / "classifier.pth", tmp_path / "gpu.pth")
    loads = f"import torch; torch.load({str(model)!r}, weights_only=True)"
    alone = subprocess.run([sys.executable, "-c", loads], check=False, capture_output=True, text=True)
    assert "Attempting to deserialize object on a CUDA device" in alone.stderr, "it is such a file"
    made = bench.make(model, "onnx", "float32", inputs=IMAGE, **factory("classifier"))
    plain = bench.make(torch_models / "classifier.pth", "onnx", "float32", inputs=IMAGE, **factory("classifier"))
    assert made.sha256 == plain.sha256


def test_the_rest_of_a_checkpoint_is_noted(bench: Bench, torch_models: Path) -> None:
    made = bench.make(torch_models / "checkpoint.pth", "onnx", "float32", inputs=IMAGE, **factory("classifier"))
    plain = bench.make(torch_models / "classifier.pth", "onnx", "float32", inputs=IMAGE, **factory("classifier"))
    assert made.notes == ("The checkpoint also holds optimizer_state_dict (0.4 MB), which is not part of the model.",)
    assert abs(made.size - plain.size) < 100


@pytest.mark.parametrize("variant", ["float16", "int8-weights", "int8-dynamic", "int8"])
def test_every_variant_goes_through_float32(bench: Bench, torch_models: Path, variant: str) -> None:
    made = bench.make(torch_models / "classifier.pt2", "onnx", variant)
    agreement = bench.agreement(torch_models / "classifier.pt2", "onnx", variant)
    assert made.route.startswith("torch")
    assert ", then " in made.route
    assert made.size < 0.6 * (torch_models / "classifier.pt2").stat().st_size
    assert agreement.cosine > 0.999
    assert made.seconds > bench.make(torch_models / "classifier.pt2", "onnx", "float32").seconds


@pytest.mark.parametrize("name", ["classifier.pt2", "recurrent.pt2", "two.pt2", "one_at_a_time.pt2"])
def test_exported_programs(bench: Bench, torch_models: Path, name: str) -> None:
    made = bench.make(torch_models / name, "onnx", "float32")
    assert batch_is_free(made.path) == (name != "one_at_a_time.pt2")
    assert bench.agreement(torch_models / name, "onnx", "float32").relative_error < 1e-5


def test_a_network_that_only_takes_a_batch_of_one(bench: Bench, torch_models: Path) -> None:
    more = {"inputs": {"row": (1, 8)}, **factory("one_at_a_time")}
    made = bench.make(torch_models / "one_at_a_time.pth", "onnx", "float32", **more)
    assert made.route.endswith("the batch fixed to 1")
    assert bench.agreement(torch_models / "one_at_a_time.pth", "onnx", "float32", **more).cosine > 0.999999


def test_a_recurrent_network_keeps_its_batch_free(bench: Bench, torch_models: Path) -> None:
    more = {"inputs": {"steps": (1, 5, 8)}, **factory("recurrent")}
    made = bench.make(torch_models / "recurrent.pth", "onnx", "float32", **more)
    assert batch_is_free(made.path)


def test_outputs_of_the_same_shape_are_not_mixed_up(bench: Bench, torch_models: Path) -> None:
    more = {"inputs": {"zeta": (1, 8), "alpha": (1, 4)}, **factory("two")}
    assert bench.agreement(torch_models / "two.pth", "onnx", "float32", **more).relative_error < 1e-5


def test_torchscript_takes_only_the_legacy_exporter(bench: Bench, torch_models: Path) -> None:
    made = bench.make(torch_models / "classifier.ts", "onnx", "float32", inputs=IMAGE)
    assert made.route.startswith("torch")
    assert made.route.endswith("legacy exporter")
    agreement = bench.agreement(torch_models / "classifier.ts", "onnx", "float32", inputs=IMAGE)
    assert agreement.cosine > 0.999999
    assert agreement.note == "compared before the softmax"
    with pytest.raises(ConversionError, match="No route converts torchscript to tflite"):
        bench.make(torch_models / "classifier.ts", "tflite", "float32", inputs=IMAGE)


def test_a_pickled_module_that_is_trusted(bench: Bench, torch_models: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTHONPATH", str(HERE.parents[1]))
    made = bench.make(torch_models / "module.pt", "onnx", "float32", inputs=IMAGE, trusted=TRUST_ALL)
    assert made.size > 200_000


def test_a_pickled_module_whose_class_is_missing(bench: Bench, torch_models: Path, tmp_path: Path) -> None:
    names = (b"tests.converters.networks", b"tests.converters.elsewher")
    moved = pickled_otherwise(torch_models / "module.pt", tmp_path / "moved.pt", *names)
    with pytest.raises(ConversionError) as caught:
        bench.make(moved, "onnx", "float32", inputs=IMAGE, trusted=TRUST_ALL)
    assert "The class of the module in moved.pt was not found" in caught.value.message


def test_weights_without_a_network_are_refused(bench: Bench, torch_models: Path) -> None:
    for weights in (torch_models / "classifier.pth", fetch("facenet_onet.pt")):
        with pytest.raises(ConversionError) as caught:
            bench.make(weights, "onnx", "float32", inputs=IMAGE)
        assert "without the network that they belong to" in caught.value.message
        assert "factory" in caught.value.hint


@pytest.mark.parametrize(
    ("built", "weights", "said"),
    [
        (
            "recurrent",
            "classifier.pth",
            "4 are missing (gru.bias_hh_l0, gru.bias_ih_l0, gru.weight_hh_l0, …) and 2",
        ),
        ("no_network", "classifier.pth", "returns a str, not a torch.nn.Module"),
        ("absent", "classifier.pth", "networks has no function absent"),
    ],
)
def test_a_factory_that_does_not_fit_is_refused(
    bench: Bench, torch_models: Path, built: str, weights: str, said: str
) -> None:
    with pytest.raises(ConversionError) as caught:
        bench.make(torch_models / weights, "onnx", "float32", inputs=IMAGE, **factory(built))
    assert said in caught.value.message


def test_missing_shapes_are_named(bench: Bench, torch_models: Path) -> None:
    with pytest.raises(ConversionError) as caught:
        bench.make(torch_models / "classifier.pth", "onnx", "float32", **factory("classifier"))
    assert caught.value.message == "classifier.pth does not say what shape its inputs have."
    assert "inputs: {image: [1, …]}" in caught.value.hint


def test_no_path_of_this_machine_is_shipped(bench: Bench, torch_models: Path) -> None:
    """The exporter notes for every node the file and line that it comes from."""
    made = bench.make(torch_models / "classifier.pt2", "onnx", "float32")
    content = Path(made.path).read_bytes()
    assert b"networks.py" not in content
    assert b"site-packages" not in content
    assert made.size < 4 * 54_178 + 2_000


def test_optional_arguments_are_passed_by_name(bench: Bench, torch_models: Path, tmp_path: Path) -> None:
    """By the order of the samples, or of the arguments, the wrong one would be multiplied."""
    import torch

    rows = np.random.default_rng(0).random((4, 6)).astype(np.float32)
    np.savez(tmp_path / "rows.npz", shift=rows, row=rows + 1)
    settings = {"samples": tmp_path / "rows.npz", **factory("Optional")}
    made = bench.make(torch_models / "Optional.pth", "onnx", "float32", **settings)
    session = onnxruntime.InferenceSession(made.path)
    weights = torch.load(torch_models / "Optional.pth", weights_only=True)
    plain = (rows + 1) @ weights["dense.weight"].numpy().T + weights["dense.bias"].numpy()
    assert np.allclose(session.run(None, {"row": rows + 1, "shift": rows})[0], plain + 10 * rows, atol=1e-5)
    assert bench.agreement(torch_models / "Optional.pth", "onnx", "float32", **settings).relative_error < 1e-5


def test_a_branch_that_a_trace_omits_is_noted(bench: Bench, torch_models: Path) -> None:
    made = bench.make(torch_models / "Deciding.pth", "onnx", "float32", inputs={"row": (1, 6)}, **factory("Deciding"))
    assert made.route.endswith("legacy exporter, the batch fixed to 1")
    assert made.notes[-1].startswith("Its code branches on the values of its inputs, or decides by int(), float() or")
    assert made.notes[0].startswith("Torch's dynamo exporter failed first: GuardOnDataDependentSymNode")


@pytest.mark.parametrize("variant", ["float32", "float16"])
def test_a_float16_network_is_converted_in_float32(bench: Bench, torch_models: Path, variant: str) -> None:
    settings = {"inputs": {"row": (1, 6)}, **factory("halved")}
    made = bench.make(torch_models / "halved.pth", "onnx", variant, **settings)
    assert "Its weights are float16; it was converted in float32." in made.notes
    assert bench.agreement(torch_models / "halved.pth", "onnx", variant, **settings).relative_error < 1e-3


def test_tied_weights_are_in_the_file_once(bench: Bench, torch_models: Path) -> None:
    settings = {"inputs": {"row": (1, 6)}, **factory("Tied")}
    assert bench.agreement(torch_models / "tied.safetensors", "onnx", "float32", **settings).relative_error < 1e-5


def test_a_programs_counter_is_reset_before_each_sample(bench: Bench, torch_models: Path) -> None:
    assert bench.agreement(torch_models / "counting.pt2", "onnx", "float32").relative_error < 1e-5


def test_numbers_that_python_takes_from_inputs_are_decisions(run_in: Callable[[str], str]) -> None:
    """`int()` and `item()` of an input, but not of a size or of a weight."""
    said = run_in(
        "import torch\n"
        "from edgecheck.converters.to_onnx.from_torch import decides_by_values\n"
        "class Net(torch.nn.Module):\n"
        "    def __init__(self, how):\n"
        "        super().__init__()\n"
        "        self.how, self.gain = how, torch.nn.Parameter(torch.ones(1))\n"
        "    def forward(self, x):\n"
        "        return x * self.how(self, x)\n"
        "ways = [lambda n, x: int(x.sum() * 2), lambda n, x: (x + 1).max().item(),\n"
        "        lambda n, x: 2 if x.sum() > 1 else 3,\n"
        "        lambda n, x: int(x.shape[0]), lambda n, x: float(n.gain), lambda n, x: x.sum()]\n"
        "print([decides_by_values(Net(how), (torch.ones(2, 3),)) for how in ways])\n"
    )
    assert said == "[True, True, True, False, False, False]"
