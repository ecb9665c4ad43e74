"""`.onnx` to `.onnx`: every variant, on real models and on small ones with a known trap.

Covers `from_onnx.py`, `quantised.py` and `sources/onnx_*.py`.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import onnx
import onnxruntime
import pytest

from edgecheck.converters.interface import VARIANTS
from edgecheck.converters.model_files import gzipped
from edgecheck.errors import ConversionError
from examples.real_models import fetch
from tests.cli.command import edgecheck
from tests.converters import onnx_models
from tests.converters.bench import requires

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from tests.converters.bench import Bench


@pytest.fixture(scope="module")
def onet() -> Path:
    return fetch("mtcnn_onet.onnx")


#: By variant: share of the float32 file's size, least agreement.
ONET = {"float32": (1.0, 1.0), "float16": (0.51, 0.9999), "int8-weights": (0.27, 0.998), "int8-dynamic": (0.43, 0.99)}
ONET["int8"] = (0.27, 0.99)


@pytest.mark.parametrize("variant", VARIANTS)
def test_every_variant_of_a_trained_network(bench: Bench, onet: Path, variant: str) -> None:
    share, least = ONET[variant]
    made = bench.make(onet, "onnx", variant)
    agreement = bench.agreement(onet, "onnx", variant)
    assert made.size <= share * onet.stat().st_size
    assert agreement.cosine >= least
    assert agreement.top1 == 1.0
    assert agreement.seeded
    assert agreement.samples == 16
    assert agreement.note == "compared before the softmax"
    assert (variant == "float32") == (made.route == "as it is")


@pytest.mark.parametrize("variant", VARIANTS)
def test_pruning_empties_half_of_every_kernel_and_shrinks_only_the_download(
    bench: Bench, onet: Path, variant: str
) -> None:
    plain, made = bench.make(onet, "onnx", variant), bench.make(onet, "onnx", variant, prune=0.5)
    assert abs(made.size - plain.size) < 200
    assert gzipped(Path(made.path)) < 0.8 * gzipped(Path(plain.path))
    assert made.route.startswith("50% of the weights pruned by magnitude")
    assert Path(made.path).exists()


def test_pruning_is_exact(bench: Bench, onet: Path) -> None:
    made = bench.make(onet, "onnx", "float32", prune=0.5)
    kernels = [each for each in onnx.load(made.path).graph.initializer if len(each.dims) > 1 and sum(each.dims) > 1]
    checked = 0
    for tensor in kernels:
        values = onnx.numpy_helper.to_array(tensor)
        if sum(size > 1 for size in values.shape) > 1 and values.dtype == np.float32:
            assert int((values == 0).sum()) >= values.size // 2
            checked += values.size
    assert checked > 300_000


def test_an_artifact_can_be_run_with_any_batch_that_the_source_takes(bench: Bench, onet: Path) -> None:
    for variant in VARIANTS:
        session = onnxruntime.InferenceSession(str(bench.make(onet, "onnx", variant).path))
        given = {session.get_inputs()[0].name: np.zeros((3, 48, 48, 3), np.float32)}
        assert [len(each) for each in session.run(None, given)] == [3, 3, 3]
        assert session.get_inputs()[0].type == "tensor(float)"


def test_external_weights_stay_external(bench: Bench, tmp_path: Path) -> None:
    path = onnx_models.dense(tmp_path / "inside.onnx", (256, 256, 10))
    onnx.save(onnx.load(path), tmp_path / "outside.onnx", save_as_external_data=True, location="weights.bin")
    for variant in VARIANTS:
        made = bench.make(tmp_path / "outside.onnx", "onnx", variant)
        assert len(made.files) == 2, variant
        assert made.size == sum(Path(file).stat().st_size for file in made.files)
        agreement = bench.agreement(tmp_path / "outside.onnx", "onnx", variant)
        assert agreement.cosine > 0.99, variant


def test_artifacts_with_external_weights_share_a_folder(tmp_path: Path) -> None:
    """Each refers to its weights by file name only, so the names have to differ."""
    for name, size in (("one", 256), ("two", 320)):
        path = onnx_models.dense(tmp_path / "inside.onnx", (size, size, 10))
        onnx.save(onnx.load(path), tmp_path / f"{name}.onnx", save_as_external_data=True, location=f"{name}.bin")
    made = []
    for name in ("one", "two"):
        for arguments in (("--variant", "float16"), ("--variant", "int8"), ("--prune", "0.5")):
            done = edgecheck("convert", f"{name}.onnx", *arguments, "-o", "made", cwd=tmp_path)
            assert done.code == 0, done.err
            made.append(tmp_path / done.out.partition(":")[0])
    assert len(set(made)) == 6
    assert len(list((tmp_path / "made").iterdir())) == 12
    for path in made:
        width = 256 if path.name.startswith("one") else 320
        session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
        ports = session.get_inputs()
        assert session.run(None, {ports[0].name: np.zeros((1, width), np.float32)})[0].shape == (1, 10)


@pytest.mark.parametrize("variant", VARIANTS)
def test_a_model_with_operators_that_onnx_removed(bench: Bench, tmp_path: Path, variant: str) -> None:
    model = onnx_models.old(tmp_path / "old.onnx")
    assert bench.agreement(model, "onnx", variant).cosine >= 0.999
    assert variant == "float32" or bench.make(model, "onnx", variant).size < model.stat().st_size / 1.5


@pytest.mark.parametrize("variant", ["float16", "int8-weights", "int8-dynamic", "int8"])
def test_weights_that_are_listed_as_inputs(bench: Bench, tmp_path: Path, variant: str) -> None:
    model = onnx_models.weights_listed_as_inputs(tmp_path / "listed.onnx")
    assert bench.agreement(model, "onnx", variant).cosine > 0.999
    assert [each.name for each in onnx.load(bench.make(model, "onnx", variant).path).graph.input] == ["image"]


def test_weights_in_constant_nodes_are_found(bench: Bench) -> None:
    model = fetch("ocr_classify.onnx")
    assert not onnx.load(model).graph.initializer
    made = bench.make(model, "onnx", "int8-weights")
    assert onnx_models.weight_types(Path(made.path))["INT8"] > 100_000
    agreement = bench.agreement(model, "onnx", "int8-weights", inputs={"x": (1, 3, 48, 192)})
    assert agreement.relative_error < 0.15
    assert agreement.top1 == 1.0


def test_an_open_dimension_is_named_and_taken_from_the_budget(bench: Bench) -> None:
    model = fetch("ocr_classify.onnx")
    with pytest.raises(ConversionError) as caught:
        bench.make(model, "onnx", "int8")
    assert caught.value.message == "The model leaves a dimension open: input x has shape [?, 3, ?, ?]."
    assert caught.value.hint == (
        "Give --samples FILE or --input x=1,3,D2,D3; in a budget `samples:` or `inputs: {x: [1, 3, D2, D3]}`."
    )
    made = bench.make(model, "onnx", "int8", inputs={"x": (1, 3, 48, 192)})
    assert made.size < 0.6 * model.stat().st_size


def test_a_bias_that_convolutions_share_does_not_break_the_file(bench: Bench, tmp_path: Path) -> None:
    sounds = np.random.default_rng(0).normal(0, 0.1, (2, 43844, 1)).astype(np.float32)
    np.savez(tmp_path / "s.npz", input_2=sounds)
    agreement = bench.agreement(fetch("nmp.onnx"), "onnx", "int8", samples=tmp_path / "s.npz")
    assert agreement.failure == ""
    assert agreement.cosine > 0.9


@requires("onnx_ir")
def test_matmulnbits_changes_nothing_on_gemm(tmp_path: Path) -> None:
    from onnxruntime.quantization.matmul_nbits_quantizer import MatMulNBitsQuantizer

    path = onnx_models.dense(tmp_path / "dense.onnx", (128, 512, 10))
    theirs = MatMulNBitsQuantizer(onnx.load(path), bits=8, block_size=32, is_symmetric=True)
    theirs.process()
    assert {node.op_type for node in theirs.model.model.graph.node} == {"Gemm", "Relu"}


def test_weights_of_gemm_become_int8(bench: Bench, tmp_path: Path) -> None:
    path = onnx_models.dense(tmp_path / "dense.onnx", (128, 512, 10))
    made = bench.make(path, "onnx", "int8-weights")
    assert onnx_models.weight_types(Path(made.path))["INT8"] == 128 * 512 + 512 * 10
    assert made.size < 0.3 * path.stat().st_size
    assert bench.agreement(path, "onnx", "int8-weights").cosine > 0.9999


def test_gemm_is_quantised_dynamically_although_the_quantiser_only_takes_matmul(bench: Bench, tmp_path: Path) -> None:
    path = onnx_models.dense(tmp_path / "dense.onnx", (128, 512, 10))
    made = bench.make(path, "onnx", "int8-dynamic")
    zero_points = 2
    assert onnx_models.weight_types(Path(made.path))["INT8"] == 128 * 512 + 512 * 10 + zero_points
    assert bench.agreement(path, "onnx", "int8-dynamic").cosine > 0.999


def test_dynamic_int8_leaves_convolutions_alone(bench: Bench, onet: Path, tmp_path: Path) -> None:
    made = bench.make(onet, "onnx", "int8-dynamic")
    assert "ConvInteger" not in {node.op_type for node in onnx.load(made.path).graph.node}
    assert made.notes == ("Its 4 convolutions stay float32: they run slower with dynamic int8.",)
    with pytest.raises(ConversionError, match="has no operator that int8-dynamic quantises"):
        bench.make(onnx_models.convolutions(tmp_path / "c.onnx"), "onnx", "int8-dynamic")


def test_types_that_are_in_the_file_need_not_be_inferred(bench: Bench, tmp_path: Path) -> None:
    plain = onnx_models.dense(tmp_path / "plain.onnx")
    onnx.save(onnx.shape_inference.infer_shapes(onnx.load(plain)), tmp_path / "typed.onnx")
    made = [bench.make(tmp_path / f"{name}.onnx", "onnx", "float16") for name in ("plain", "typed")]
    assert made[0].sha256 == made[1].sha256


def test_float16_takes_two_bytes_per_weight(bench: Bench, onet: Path) -> None:
    """Its weights are lists of floats, which onnxruntime would turn into varints of three bytes each."""
    assert bench.make(onet, "onnx", "float16").size < 0.51 * onet.stat().st_size


@pytest.mark.parametrize("variant", VARIANTS)
def test_a_quantised_model_is_not_converted_again(bench: Bench, variant: str) -> None:
    with pytest.raises(ConversionError) as caught:
        bench.make(fetch("voicefilter.int8.onnx"), "onnx", variant)
    assert caught.value.hint


def test_samples_calibrate_better_than_noise(bench: Bench, tmp_path: Path) -> None:
    """Inputs between 40 and 50, where random ones are between 0 and 1."""
    path = onnx_models.dense(tmp_path / "dense.onnx", (32, 64, 10))
    real = np.random.default_rng(1).uniform(40, 50, (32, 32)).astype(np.float32)
    np.savez(tmp_path / "s.npz", image=real)
    with_samples = bench.agreement(path, "onnx", "int8", samples=tmp_path / "s.npz")
    assert not with_samples.seeded
    assert with_samples.samples == 32
    assert with_samples.relative_error < 0.05
    noise = bench.make(path, "onnx", "int8")
    assert noise.notes == ("Calibrated on random inputs; real `samples` improve the agreement.",)
    clipped = onnxruntime.InferenceSession(str(noise.path)).run(None, {"image": real})[0]
    right = onnxruntime.InferenceSession(str(path)).run(None, {"image": real})[0]
    assert np.abs(clipped - right).max() / np.abs(right).max() > 0.5


@pytest.mark.parametrize("shape", [(1, 256), (1,), ()])
def test_a_bias_of_any_shape_is_quantised(bench: Bench, tmp_path: Path, shape: tuple[int, ...]) -> None:
    """onnxruntime's quantiser takes one number per column only, and magika's network has a row of them."""
    path = onnx_models.dense(tmp_path / "biased.onnx")
    model = onnx.load(path)
    bias = next(each for each in model.graph.initializer if each.name == "b0")
    values = onnx.numpy_helper.to_array(bias)
    other = values.reshape(shape) if shape == (1, 256) else values[0].reshape(shape)
    bias.CopyFrom(onnx.numpy_helper.from_array(other, "b0"))
    onnx.save(model, path)
    assert bench.make(path, "onnx", "int8").size < 30_000
    assert bench.agreement(path, "onnx", "int8").agreement > 0.99


def test_weights_behind_a_transpose_are_seen(tmp_path: Path) -> None:
    """As exports without constant folding have them."""
    from edgecheck.converters.sources import onnx_file

    weights = np.arange(12, dtype=np.float32).reshape(3, 4)
    nodes = [
        onnx.helper.make_node("Transpose", ["w"], ["t"], perm=[1, 0]),
        onnx.helper.make_node("MatMul", ["x", "t"], ["y"]),
    ]
    model = onnx_file.load(one_product(tmp_path / "behind.onnx", nodes, weights)).model
    found = onnx_file.float_weights(model, "behind.onnx")
    assert np.array_equal(onnx.numpy_helper.to_array(found["t"]), weights.T)
    assert [each.name for each in model.graph.initializer] == ["t"]


def test_weights_in_double_precision_are_named(tmp_path: Path) -> None:
    from edgecheck.converters.sources import onnx_file

    nodes = [onnx.helper.make_node("MatMul", ["x", "w"], ["y"])]
    path = one_product(tmp_path / "double.onnx", nodes, np.ones((4, 3)))
    with pytest.raises(ConversionError, match=r"double\.onnx holds float64 weights"):
        onnx_file.float_weights(onnx_file.load(path).model, "double.onnx")


def one_product(path: Path, nodes: list[Any], weights: NDArray[Any]) -> Path:
    """A model of one input and one weight."""
    kind = onnx.helper.np_dtype_to_tensor_dtype(weights.dtype)
    ends = [onnx.helper.make_tensor_value_info(name, kind, [1, size]) for name, size in (("x", 4), ("y", 3))]
    graph = onnx.helper.make_graph(nodes, "g", ends[:1], ends[1:], [onnx.numpy_helper.from_array(weights, "w")])
    onnx.save(onnx.helper.make_model(graph, opset_imports=[onnx.helper.make_opsetid("", 17)], ir_version=8), path)
    return path
