"""Keras models and SavedModels to both formats, with the traps of each route.

Covers `to_tflite/from_tensorflow.py`, `to_onnx/from_tensorflow.py`, `sources/keras_model.py` and
`sources/tensorflow_model.py`.
"""

from __future__ import annotations

import re
import shutil
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import onnx
import pytest

from edgecheck.anatomy.reading import read
from edgecheck.anatomy.signature import signature as signature_of
from edgecheck.converters.agreement import reference_of
from edgecheck.converters.model_files import gzipped
from edgecheck.errors import ConversionError
from examples.real_models import fetch
from tests.cli.command import edgecheck
from tests.converters.bench import requires

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.converters.bench import Bench

pytestmark = [pytest.mark.convert, requires("tensorflow", "tf2onnx", "ai_edge_quantizer", "onnxruntime")]

#: By format and variant of the emotion network: most bytes, least agreement, part of the route.
EMOTION = {
    ("tflite", "float32"): (245_000, 0.99999, "TensorFlow"),
    ("tflite", "float16"): (140_000, 0.9999, "TensorFlow"),
    ("tflite", "int8-weights"): (95_000, 0.99, "ai-edge-quantizer"),
    ("tflite", "int8-dynamic"): (100_000, 0.99, "TensorFlow"),
    ("tflite", "int8"): (110_000, 0.98, "TensorFlow"),
    ("onnx", "float32"): (240_000, 0.99999, "keras"),
    ("onnx", "float16"): (130_000, 0.9999, "float16"),
    ("onnx", "int8-weights"): (85_000, 0.99, "int8 weights"),
    ("onnx", "int8"): (130_000, 0.98, "quantize_static"),
}


@pytest.mark.parametrize(("target", "variant"), EMOTION)
def test_every_variant_of_a_trained_network(bench: Bench, keras_models: Path, target: str, variant: str) -> None:
    most, least, route = EMOTION[target, variant]
    model = keras_models / "emotion.keras"
    made, agreement = bench.make(model, target, variant), bench.agreement(model, target, variant)
    assert made.size <= most
    assert route in made.route
    assert made.seconds > 0
    assert made.peak_memory > 200 * 2**20
    assert agreement.cosine >= least
    assert agreement.top1 == 1.0
    assert agreement.note == "compared before the softmax"


def test_dynamic_int8_leaves_an_onnx_of_convolutions_alone(bench: Bench, keras_models: Path) -> None:
    with pytest.raises(ConversionError, match=r"emotion\.keras has no operator that int8-dynamic quantises"):
        bench.make(keras_models / "emotion.keras", "onnx", "int8-dynamic")


def test_pruning_reaches_through_the_converter(bench: Bench, keras_models: Path) -> None:
    model = keras_models / "emotion.keras"
    made = bench.make(model, "tflite", "int8-dynamic", prune=0.5)
    plain = bench.make(model, "tflite", "int8-dynamic")
    assert made.size == plain.size
    assert gzipped(Path(made.path)) < 0.8 * gzipped(Path(plain.path))
    assert made.route.startswith("50% of the weights pruned by magnitude, then TensorFlow")


def test_grouped_convolutions_become_onnx(bench: Bench, keras_models: Path) -> None:
    """Keras computes them in a function that XLA compiles, which tf2onnx leaves as a call."""
    made = bench.make(keras_models / "groups.keras", "onnx", "float32")
    nodes = onnx.load(made.path).graph.node
    groups = [each.i for node in nodes if node.op_type == "Conv" for each in node.attribute if each.name == "group"]
    assert sorted(groups) == [2, 2, 4]
    assert bench.agreement(keras_models / "groups.keras", "onnx", "float32").agreement > 0.99999


def test_a_real_hdf5(bench: Bench) -> None:
    made = bench.make(fetch("emotion.hdf5"), "tflite", "float32")
    assert made.size < 245_000
    assert bench.agreement(fetch("emotion.hdf5"), "tflite", "float32").cosine > 0.99999


@pytest.mark.parametrize("name", ["two.keras", "dict.keras", "named.keras", "two_saved"])
@pytest.mark.parametrize("target", ["tflite", "onnx"])
def test_inputs_and_outputs_are_not_mixed_up(bench: Bench, keras_models: Path, name: str, target: str) -> None:
    """Two outputs of the same shape, in lists that converters sort, and in dicts on which one converter fails."""
    samples = keras_models / "two.npz"
    agreement = bench.agreement(keras_models / name, target, "float32", samples=samples)
    assert agreement.relative_error < 1e-5
    assert not agreement.seeded
    assert agreement.samples == 6


@pytest.mark.parametrize("target", ["tflite", "onnx"])
@pytest.mark.parametrize(("signature", "width"), [("encode", 3), ("decode", 6)])
def test_the_signature_that_was_asked_for_is_converted(
    bench: Bench, keras_models: Path, signature: str, width: int, target: str
) -> None:
    model = keras_models / "signatures_saved"
    agreement = bench.agreement(model, target, "float32", signature=signature)
    assert agreement.agreement > 0.99999
    made = bench.make(model, target, "float32", signature=signature)
    assert signature_of(Path(made.path)).outputs[0].shape[-1] == width


def test_a_saved_model_of_several_signatures_needs_one(bench: Bench, keras_models: Path) -> None:
    model = keras_models / "signatures_saved"
    with pytest.raises(ConversionError, match="has several signatures, encode, decode, and none that serves") as caught:
        bench.make(model, "tflite", "float32")
    assert caught.value.hint == "Choose one: --signature encode (`signature:` in a budget)."
    with pytest.raises(ConversionError, match="has no signature 'train'; it has: encode, decode"):
        bench.make(model, "tflite", "float32", signature="train")


def test_random_row_numbers_reach_all_of_a_table(bench: Bench, keras_models: Path) -> None:
    """Of a SavedModel, and of the `.tflite` that it becomes."""
    model = keras_models / "table_saved"
    assert bench.agreement(model, "tflite", "float32").agreement > 0.99999
    made = bench.make(model, "tflite", "float32")
    for path, target in ((model, "tflite"), (Path(made.path), "tflite")):
        request = bench.request(path, target, "float32")
        with np.load(reference_of(request, bench.settings, progress=bench.said.append).samples) as samples:
            (numbers,) = samples.values()
        assert numbers.dtype == np.int64
        assert 30 < numbers.max() < 40


@pytest.mark.parametrize("name", ["recurrent_list.keras", "recurrent_dict.keras"])
def test_outputs_are_not_mixed_up_if_the_batch_is_fixed(bench: Bench, keras_models: Path, name: str) -> None:
    """Their file has no signature and sorts them by name: only exact names identify them."""
    assert bench.make(keras_models / name, "tflite", "float32").route.endswith("the batch fixed to 1")
    assert bench.agreement(keras_models / name, "tflite", "float32").relative_error < 1e-5


def test_a_route_that_fails_falls_through_and_says_so(bench: Bench, keras_models: Path) -> None:
    made = bench.make(keras_models / "dict.keras", "tflite", "float32")
    assert made.route == "TensorFlow 2.21.0 converter, the batch fixed to 1"
    assert made.notes[0].startswith("TensorFlow's converter failed first: TypeError:")


def test_an_lstm_with_a_free_batch_is_converted_with_a_fixed_one(bench: Bench, keras_models: Path) -> None:
    shape = {"input_layer": (1, 10, 4)}
    made = bench.make(keras_models / "lstm.keras", "tflite", "float32", inputs=shape)
    assert made.route.endswith("converter, the batch fixed to 1")
    assert "TensorListReserve" in made.notes[0]
    agreement = bench.agreement(keras_models / "lstm.keras", "tflite", "float32", inputs=shape)
    assert agreement.cosine > 0.99999


@pytest.mark.parametrize("name", ["filters.keras", "pooled.keras"])
@pytest.mark.parametrize("variant", ["float32", "int8", "int8-weights"])
def test_a_network_for_pictures_of_any_size(bench: Bench, keras_models: Path, name: str, variant: str) -> None:
    """Its file has a size of 1 by 1, which is too small for its convolutions."""
    size = {"image": (1, 20, 24, 3)}
    made = bench.make(keras_models / name, "tflite", variant, inputs=size)
    assert "batch fixed" not in made.route
    assert bench.agreement(keras_models / name, "tflite", variant, inputs=size).cosine > 0.99


def test_a_network_for_pictures_of_any_size_needs_one(bench: Bench, keras_models: Path) -> None:
    with pytest.raises(ConversionError, match="leaves a dimension open") as caught:
        bench.make(keras_models / "filters.keras", "tflite", "float32")
    assert caught.value.hint == (
        "Give --samples FILE or --input image=1,D1,D2,3; in a budget `samples:` or `inputs: {image: [1, D1, D2, 3]}`."
    )


def test_the_batch_that_a_route_fixes_is_fixed(bench: Bench, keras_models: Path) -> None:
    """In the file, the shape signature says which dimensions are open."""
    from ai_edge_litert.interpreter import Interpreter

    made = bench.make(keras_models / "lstm.keras", "tflite", "float32", inputs={"input_layer": (1, 10, 4)})
    interpreter = Interpreter(model_path=str(made.path))
    ends = [*interpreter.get_input_details(), *interpreter.get_output_details()]
    assert [each["shape_signature"].tolist() for each in ends] == [[1, 10, 4], [1, 3]]


@pytest.mark.parametrize("target", ["tflite", "onnx"])
def test_stateful_models_are_reset_before_each_sample(bench: Bench, keras_models: Path, target: str) -> None:
    agreement = bench.agreement(keras_models / "stateful.keras", target, "float32")
    assert agreement.relative_error < 1e-5
    assert agreement.samples == 16


def test_each_input_is_calibrated_on_its_samples(bench: Bench, keras_models: Path) -> None:
    """TensorFlow's converter sorts a Keras model's inputs by name: with the other's samples, the error is 0.99."""
    model = keras_models / "right_left.keras"
    agreement = bench.agreement(model, "tflite", "int8", samples=model.with_suffix(".npz"))
    assert agreement.cosine > 0.99
    assert agreement.relative_error < 0.05


@pytest.mark.parametrize("name", ["gelu.keras", "gelu_saved"])
def test_gelu_and_the_statistics_of_a_normalization_reach_onnx(bench: Bench, keras_models: Path, name: str) -> None:
    made = bench.make(keras_models / name, "onnx", "float32")
    assert len(onnx.load(made.path).graph.input) == 1
    assert bench.agreement(keras_models / name, "onnx", "float32").relative_error < 1e-5


@pytest.mark.parametrize("variant", ["int8-weights", "int8"])
def test_constants_that_share_a_buffer_in_a_float16_file(bench: Bench, keras_models: Path, variant: str) -> None:
    """Equal ones, such as zero biases, are stored once; the second one lost its values."""
    halved = bench.make(keras_models / "equal.keras", "tflite", "float16")
    agreement = bench.agreement(Path(halved.path), "tflite", variant)
    assert agreement.cosine > 0.99


def test_only_tflite_keeps_state_and_onnx_says_so(bench: Bench, keras_models: Path) -> None:
    import onnxruntime
    from ai_edge_litert.interpreter import Interpreter

    made = bench.make(keras_models / "stateful.keras", "onnx", "float32")
    assert made.notes[-1] == (
        "It is stateful, and .onnx keeps no state: each call starts from the initial one. As .tflite it keeps it."
    )
    session = onnxruntime.InferenceSession(made.path)
    feed = {session.get_inputs()[0].name: np.ones((1, 5, 3), np.float32)}
    assert np.array_equal(session.run(None, feed)[0], session.run(None, feed)[0])
    interpreter = Interpreter(str(bench.make(keras_models / "stateful.keras", "tflite", "float32").path))
    interpreter.allocate_tensors()
    outputs = []
    for _ in range(2):
        interpreter.set_tensor(interpreter.get_input_details()[0]["index"], np.ones((1, 5, 3), np.float32))
        interpreter.invoke()
        outputs.append(interpreter.get_tensor(interpreter.get_output_details()[0]["index"]))
    assert not np.array_equal(*outputs)


def test_a_saved_model_with_state_keeps_it(bench: Bench, keras_models: Path) -> None:
    made = bench.make(keras_models / "state_saved", "tflite", "float32")
    assert made.route == "TensorFlow 2.21.0 converter"
    assert bench.agreement(keras_models / "state_saved", "tflite", "float32").relative_error < 1e-5


@pytest.mark.parametrize("target", ["tflite", "onnx"])
def test_samples_set_the_size_of_an_open_dimension(
    bench: Bench, keras_models: Path, target: str, tmp_path: Path
) -> None:
    rows = np.random.default_rng(0).normal(size=(3, 10, 4)).astype(np.float32)
    np.savez(tmp_path / "rows.npz", input_layer=rows)
    agreement = bench.agreement(keras_models / "lstm.keras", target, "float32", samples=tmp_path / "rows.npz")
    assert agreement.relative_error < 1e-5
    assert agreement.samples == 3


def test_a_crash_of_the_int8_converter_is_reported(bench: Bench, keras_models: Path) -> None:
    with pytest.raises(ConversionError) as caught:
        bench.make(keras_models / "lstm.keras", "tflite", "int8", inputs={"input_layer": (1, 10, 4)})
    assert "the batch fixed to 1: crashed with SIGSEGV." in caught.value.message
    assert caught.value.hint == "Try another variant or another format."


def test_dynamic_int8_of_small_weights_is_left_to_the_other_quantiser(bench: Bench, keras_models: Path) -> None:
    """TensorFlow's converter silently leaves weights of fewer than 1,024 elements in float32."""
    made = bench.make(keras_models / "sequential.keras", "tflite", "int8-dynamic")
    assert "then ai-edge-quantizer" in made.route
    assert any("it changed nothing, no weight is int8" in note for note in made.notes)
    assert "int8" in {tensor.dtype for tensor in read(Path(made.path)).tensors}


@pytest.mark.parametrize(
    ("name", "target", "inputs"),
    [
        ("never_called.keras", "tflite", {}),
        ("never_called.h5", "onnx", {"row": (1, 6)}),
    ],
)
def test_a_model_saved_before_it_was_built_is_refused(
    bench: Bench, keras_models: Path, name: str, target: str, inputs: dict[str, tuple[int, ...]]
) -> None:
    """Calling it would create random weights, different each time; it would agree with nothing."""
    with pytest.raises(ConversionError) as caught:
        bench.make(keras_models / name, target, "float32", inputs=inputs)
    assert caught.value.message == f"{name} holds no weights: it was saved before it was built."
    assert caught.value.hint == "Call it once on real inputs, train it, and save it again."


def test_a_model_without_weights_need_not_have_been_called(bench: Bench, keras_models: Path) -> None:
    made = bench.make(keras_models / "weightless.keras", "onnx", "float32", inputs={"row": (1, 6)})
    assert made.size > 0


LAZY = """
import keras, numpy as np, pathlib
from edgecheck.converters.interface import Request
from edgecheck.converters.sources.keras_model import open_model

@keras.saving.register_keras_serializable("tests")
class Lazy(keras.Model):
    def __init__(self, **settings):
        super().__init__(**settings)
        self.dense = keras.layers.Dense(3)
        self.dense.build((None, 5))
    def call(self, inputs):
        return self.dense(inputs)
    def get_build_config(self):
        return None

model, row = Lazy(), np.ones((1, 5), np.float32)
wanted = np.asarray(model(row))
model.save("lazy.keras")
assert not keras.saving.load_model("lazy.keras").built
row_shape = {"row": (1, 5)}
request = Request(
    model=pathlib.Path("lazy.keras"), source="keras", format="tflite", variant="float32", inputs=row_shape
)
print(np.array_equal(open_model(request).run({"row": row})[0].value, wanted))
"""


def test_a_model_that_builds_itself_when_called_keeps_its_weights(run_in: Callable[[str], str]) -> None:
    assert run_in(LAZY) == "True"


def test_a_custom_class_is_refused_with_what_to_do(bench: Bench, keras_models: Path) -> None:
    with pytest.raises(ConversionError, match="a class that Keras does not know: Doubling") as caught:
        bench.make(keras_models / "own_class.keras", "tflite", "float32")
    assert "model.export" in caught.value.hint


def test_weights_alone_are_refused(bench: Bench, keras_models: Path) -> None:
    with pytest.raises(ConversionError, match="holds only weights") as caught:
        bench.make(keras_models / "only.weights.h5", "tflite", "float32")
    assert "model.save" in caught.value.hint


def test_outputs_that_int8_makes_zero_are_a_failure(bench: Bench, keras_models: Path, tmp_path: Path) -> None:
    """Next to one large sample, all others vanish in the scale of the output."""
    rows = np.ones((5, 16), np.float32)
    np.savez(tmp_path / "calibration.npz", rows=np.concatenate([rows, np.full((1, 16), 1e9, np.float32)]))
    np.savez(tmp_path / "ones.npz", rows=rows)
    model = keras_models / "tiny.keras"
    made = bench.make(model, "onnx", "int8", samples=tmp_path / "calibration.npz")
    from edgecheck.converters.agreement import agreement_of

    request = bench.request(model, "onnx", "int8", samples=tmp_path / "ones.npz")
    agreement = agreement_of(made, request, bench.settings, progress=bench.said.append)
    assert agreement.cosine == 0.0
    assert "of the artifact is zero for every sample" in agreement.failure


def test_every_command_reports_a_useless_artifact(keras_models: Path, tmp_path: Path) -> None:
    """With random weights no class is likely, and full integer rounds all of them to zero."""
    shutil.copy(keras_models / "flat.keras", tmp_path)
    done = edgecheck("convert", "flat.keras", "--variant", "int8", cwd=tmp_path)
    assert done.code == 1, done.out + done.err
    assert re.search(r"It cannot be used: output \S+ of the artifact is zero for every sample\.\n", done.out)
    assert (tmp_path / "flat.int8.tflite").exists()
    (tmp_path / "flat.yaml").write_text(
        "model: flat.keras\nvariants: [int8, int8-weights]\nlimits: {size: 5 MB}\n"
        "devices: {pixel-8: {ram_peak: off, latency_p50: off, footprint: off, download: off}}\n",
        encoding="utf-8",
    )
    done = edgecheck("check", "flat.yaml", cwd=tmp_path)
    assert done.code == 1, done.out + done.err
    assert re.search(r"✘ fail  agreement +≥ 0 +every artifact\n.*zero for every sample", done.out), done.out
    assert "Of 3 limits in 2 checks, 1 does not hold." in done.out


def test_a_saved_model_stores_each_weight_twice_and_the_artifact_once(bench: Bench, keras_models: Path) -> None:
    folder = keras_models / "emotion_saved"
    variables = sum(file.stat().st_size for file in (folder / "variables").iterdir())
    made = bench.make(folder, "tflite", "float32")
    assert variables > 1.9 * 4 * 58_000
    assert made.size < 1.1 * 4 * 58_000
    assert bench.agreement(folder, "tflite", "float32").note == "compared before the softmax"


@pytest.mark.parametrize("target", ["tflite", "onnx"])
def test_a_saved_model_of_tensorflow_2_4(bench: Bench, target: str, tmp_path: Path) -> None:
    """The objects of its training prevent loading it (`add_slot`); a v1 session needs none of them."""
    sounds = np.random.default_rng(0).normal(0, 0.1, (2, 43844, 1)).astype(np.float32)
    np.savez(tmp_path / "s.npz", input_2=sounds)
    model = fetch("nmp_saved_model")
    made = bench.make(model, target, "float32")
    assert made.route.endswith("from a v1 session")
    assert "add_slot" in made.notes[0]
    assert bench.agreement(model, target, "float32", samples=tmp_path / "s.npz").relative_error < 1e-4
