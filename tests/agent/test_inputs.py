"""What models are fed: every type of input, shapes that are open, samples that fit and samples that do not."""

from __future__ import annotations

import zipfile
from pathlib import Path

import numpy as np
import pytest
from onnx import TensorProto, helper

from edgecheck_agent import inputs, refusals
from examples.real_models import fetch
from tests.agent import small_models
from tests.agent.agent_runs import QUICK, AgentRun, Array, decoded, job, run

INTEGERS = ["int8", "uint8", "int16", "uint16", "int32", "uint32", "int64", "uint64"]


def fed(path: Path, kind: int, shape: list[int | str | None], **fields: object) -> Array:
    """What a model that returns its input was fed."""
    heard = run(job(small_models.identity(path, kind, shape), outputs=True, **fields))
    assert heard.ending == ("completed", "exit", None), heard.end
    return decoded(heard.of("output")[0])


@pytest.mark.parametrize("name", ["float", "float16", "double"])
def test_floating_point_is_uniform_from_0_to_1(name: str, tmp_path: Path) -> None:
    kind = {"float": small_models.FLOAT, "float16": small_models.FLOAT16, "double": small_models.DOUBLE}[name]
    found = fed(tmp_path / "m.onnx", kind, [300, 300])  # more than one chunk
    assert found.dtype == helper.tensor_dtype_to_np_dtype(kind)
    assert 0 <= found.min() < 0.01
    assert 0.99 < found.max() < 1
    assert found.astype(float).mean() == pytest.approx(0.5, abs=0.01)
    assert len(np.unique(found[0])) > 250


@pytest.mark.parametrize("name", INTEGERS)
def test_integers_are_safe_for_an_embedding_and_bytes_span_their_range(name: str, tmp_path: Path) -> None:
    found = fed(tmp_path / "m.onnx", TensorProto.DataType.Value(name.upper()), [100, 100])
    assert found.dtype == name
    limits = np.iinfo(name)
    expected = {0, 1} if limits.bits > 8 else set(range(limits.min, limits.max + 1))
    assert set(found.reshape(-1).tolist()) == expected


def test_truth_values_are_of_both_kinds(tmp_path: Path) -> None:
    assert 0.4 < fed(tmp_path / "m.onnx", TensorProto.BOOL, [1000]).mean() < 0.6


@pytest.mark.parametrize("shape", [[], [1], [1, 1]])
def test_a_lone_integer_is_1(shape: list[int | str | None], tmp_path: Path) -> None:
    found = fed(tmp_path / "m.onnx", TensorProto.INT64, shape)
    assert found.shape == tuple(shape)
    assert found.reshape(-1).tolist() == [1]


def test_a_lone_real_number_has_no_axes(tmp_path: Path) -> None:
    assert fed(tmp_path / "m.onnx", small_models.FLOAT, []).shape == ()


def test_text_comes_and_goes(tmp_path: Path) -> None:
    heard = run(job(small_models.identity(tmp_path / "m.onnx", TensorProto.STRING, [2]), outputs=True))
    assert heard.of("output")[0]["values"] == ["edgecheck", "edgecheck"]
    assert heard.of("inputs")[0]["inputs"][0]["dtype"] == "string"


def test_a_type_that_numpy_has_not_is_refused_by_name(tmp_path: Path) -> None:
    heard = run(job(small_models.identity(tmp_path / "m.onnx", TensorProto.BFLOAT16, [2]), outputs=True))
    assert heard.ending[0] == "refused"
    assert "bfloat16" in heard.end["message"] or heard.end["reason"] == "unsupported-operator"


def test_the_seed_decides(tmp_path: Path) -> None:
    first, again, other = (fed(tmp_path / "m.onnx", small_models.FLOAT, [64], seed=seed) for seed in (7, 7, 8))
    assert (first == again).all()
    assert abs(np.corrcoef(first, other)[0, 1]) < 0.5


def test_any_whole_number_is_a_seed(tmp_path: Path) -> None:
    assert fed(tmp_path / "m.onnx", small_models.FLOAT, [4], seed=-1).shape == (4,)


def test_a_map_and_a_not_a_number_come_out_as_json(tmp_path: Path) -> None:
    """What skl2onnx writes for a classifier: a list of {class: probability}."""
    scores, result = (
        small_models.value("x", small_models.FLOAT, [1, 2]),
        small_models.value("y", small_models.FLOAT, [1, 2]),
    )
    node = helper.make_node("ZipMap", ["x"], ["z"], domain="ai.onnx.ml", classlabels_int64s=[10, 20])
    kind = helper.make_map_type_proto(TensorProto.INT64, helper.make_tensor_type_proto(small_models.FLOAT, []))
    zipped = helper.make_value_info("z", helper.make_sequence_type_proto(kind))
    whole = small_models.model(
        [node, helper.make_node("Identity", ["x"], ["y"])], [scores], [zipped, result], domains=["ai.onnx.ml"]
    )
    np.savez(tmp_path / "s.npz", x=np.array([[[0.25, np.nan]]], dtype=np.float32))
    heard = run(job(small_models.save(tmp_path / "m.onnx", whole), samples=str(tmp_path / "s.npz"), outputs=True))
    zipmap, plain = heard.of("output")
    assert (zipmap["dtype"], zipmap["values"]) == ("other", [[[10, 0.25], [20, "nan"]]])
    assert np.isnan(decoded(plain)[0, 1])
    assert heard.codes() == {"nan-output"}


# Open dimensions


def test_an_open_batch_is_1_and_no_doubt() -> None:
    heard = run(job(fetch("mtcnn_rnet.onnx"), outputs=True))
    assert heard.of("inputs")[0]["inputs"][0]["shape"] == [1, 24, 24, 3]
    assert heard.codes() == set()


def test_a_model_that_fails_at_1_is_not_called_broken() -> None:
    heard = run(job(fetch("mtcnn_pnet.onnx"), outputs=True))
    assert heard.ending == ("refused", "first-inference", "open-dimension")
    assert heard.end["message"] == "input input_1: shape [?, ?, ?, 3]; give inputs: {input_1: [1, H, W, 3]}"


def test_it_runs_in_the_requested_shape() -> None:
    heard = run(job(fetch("mtcnn_pnet.onnx"), inputs={"input_1": [1, 128, 128, 3]}, outputs=True))
    assert heard.ending == ("completed", "exit", None)
    assert heard.of("output")[0]["shape"] == [1, 59, 59, 4]


def test_a_batch_that_must_not_be_1_is_requested(tmp_path: Path) -> None:
    heard = run(job(small_models.needs_three_rows(tmp_path / "m.onnx"), outputs=True))
    assert heard.ending == ("refused", "first-inference", "open-dimension")
    assert heard.end["message"] == "input x: shape [?, 4]; give inputs: {x: [N, 4]}"


def test_pictures_with_channels_first_are_requested_as_such() -> None:
    heard = run(job(fetch("ocr_classify.onnx"), outputs=True))
    assert heard.codes() == {"guessed-dimension"}
    assert heard.of("note")[0]["message"] == "input x: shape [?, 3, ?, ?]; give inputs: {x: [1, 3, H, W]}"


def test_a_guess_that_runs_is_a_doubt_that_names_every_input() -> None:
    heard = run(job(fetch("voicefilter.int8.onnx"), outputs=True))
    assert heard.of("note")[0]["message"] == (
        "input stacked_logmel: shape [?, ?, 512] and input dvec: shape [?, 256] and input h0: shape [3, ?, 512]"
        " and input c0: shape [3, ?, 512]; give inputs:"
        " {stacked_logmel: [1, D1, 512], dvec: [1, 256], h0: [3, D1, 512], c0: [3, D1, 512]}"
    )


def test_an_open_batch_of_a_tflite_file_is_resized() -> None:
    heard = run(job(fetch("nmp.tflite"), inputs={"input_2": [2, 43844, 1]}, outputs=True))
    assert heard.ending == ("completed", "exit", None)
    assert {event["shape"][0] for event in heard.of("output")} == {2}


@pytest.mark.parametrize(
    ("inputs", "message"),
    [
        ({"picture": [1, 24, 24, 3]}, "inputs name picture, but the model's inputs are: input_2"),
        ({"input_2": [1, 25, 24, 3]}, "input input_2 has shape [?, 24, 24, 3] and does not take [1, 25, 24, 3]"),
        ({"input_2": [24, 24, 3]}, "input input_2 has shape [?, 24, 24, 3] and does not take [24, 24, 3]"),
    ],
)
def test_a_shape_that_does_not_fit_is_reported(inputs: dict[str, list[int]], message: str) -> None:
    heard = run(job(fetch("mtcnn_rnet.onnx"), inputs=inputs, outputs=True))
    assert heard.ending == ("refused", "load", "wrong-sample")
    assert heard.end["message"] == message


# Samples


def sampled(
    tmp_path: Path, shape: list[int | str | None], arrays: dict[str, Array], kind: int = small_models.FLOAT
) -> AgentRun:
    """A model that returns its input, on the samples."""
    np.savez_compressed(tmp_path / "s.npz", **arrays)  # type: ignore[arg-type] # none of them is named allow_pickle
    model = small_models.identity(tmp_path / "m.onnx", kind, shape)
    return run(job(model, samples=str(tmp_path / "s.npz"), outputs=True))


def test_every_sample_is_run_once_in_order_and_gets_its_batch_axis(tmp_path: Path) -> None:
    given = np.arange(12, dtype=np.float64).reshape(3, 4)
    heard = sampled(tmp_path, ["n", 4], {"x": given})
    assert [event["sample"] for event in heard.of("output")] == [0, 1, 2]
    for event, sample in zip(heard.of("output"), given, strict=True):
        assert decoded(event).dtype == np.float32
        assert (decoded(event) == sample[np.newaxis]).all()
    assert heard.of("inputs")[0]["inputs"][0]["source"] == "samples"


def test_samples_decide_open_dimensions(tmp_path: Path) -> None:
    heard = sampled(tmp_path, ["n", "m"], {"x": np.zeros((2, 1, 7), dtype=np.float32)})
    assert heard.of("output")[0]["shape"] == [1, 7]
    assert heard.codes() == set()


def test_one_array_needs_not_have_the_inputs_name(tmp_path: Path) -> None:
    assert sampled(tmp_path, [1, 4], {"arr_0": np.zeros((1, 1, 4), dtype=np.float32)}).end["outcome"] == "completed"


def test_text_goes_into_a_tflite_file_too(tmp_path: Path) -> None:
    """Are two texts equal? One sample where they are, one where they are not."""
    model = small_models.text_equality(tmp_path / "m.tflite")
    np.savez(tmp_path / "s.npz", a=np.array([["é"], ["x"]]), b=np.array([["é"], ["y"]]))
    heard = run(job(model, samples=str(tmp_path / "s.npz"), outputs=True))
    assert [decoded(event).tolist() for event in heard.of("output")] == [[True], [False]]
    assert run(job(model, outputs=True)).end["outcome"] == "completed"


def test_text_samples_arrive(tmp_path: Path) -> None:
    heard = sampled(tmp_path, [2], {"x": np.array([["grüß", "gott"]])}, TensorProto.STRING)
    assert heard.of("output")[0]["values"] == ["grüß", "gott"]


@pytest.mark.parametrize(("real", "stored"), [(0.0, -128), (2.855, -100), (100.0, 127)])
def test_real_samples_are_quantised_for_an_integer_input(real: float, stored: int, tmp_path: Path) -> None:
    """hey_mycroft takes int8 with scale 0.102 and zero point -128; what is beyond the range is clipped."""
    given = np.full((1, 1, 3, 40), real, dtype=np.float32), np.full((1, 1, 3, 40), stored, dtype=np.int8)
    outputs = []
    for array in given:
        np.savez(tmp_path / "s.npz", x=array)
        heard = run(job(fetch("hey_mycroft.tflite"), samples=str(tmp_path / "s.npz"), outputs=True))
        outputs.append(int(decoded(heard.of("output")[0])[0, 0]))
    assert outputs == [{-128: 9, -100: 5, 127: 2}[stored]] * 2


@pytest.mark.parametrize(
    ("arrays", "message"),
    [
        ({"x": np.zeros((1, 1, 5), dtype=np.float32)}, "input x has shape [1, 4] and does not take [1, 5]"),
        ({"x": np.array([["a"] * 4])}, "input x takes numbers, but its samples are not numbers"),
        ({"x": np.zeros((0, 1, 4), dtype=np.float32)}, "every array of s.npz needs the same number of samples"),
        ({"x": np.zeros((2, 4)), "z": np.zeros((2, 4))}, "samples name z, but the model's inputs are: x"),
        ({"x": np.zeros((2, 4)), "z": np.zeros((3, 4))}, "every array of s.npz needs the same number of samples"),
        ({"x": np.array([{"a": 1}], dtype=object)}, "s.npz cannot be read: x.npy holds Python objects"),
    ],
)
def test_samples_that_do_not_fit_are_reported(arrays: dict[str, Array], message: str, tmp_path: Path) -> None:
    heard = sampled(tmp_path, [1, 4], arrays)
    assert heard.end["outcome"] == "refused"
    assert heard.end["reason"] == "wrong-sample"
    assert message in heard.end["message"]


def test_samples_in_columns_are_read_in_their_order(tmp_path: Path) -> None:
    given = np.arange(12, dtype=np.float32).reshape(3, 4)
    heard = sampled(tmp_path, [1, 4], {"x": np.asfortranarray(given)})
    assert np.concatenate([decoded(event) for event in heard.of("output")]).tolist() == given.tolist()


@pytest.mark.parametrize("content", [b"", b"PK\x03\x04 cut short", b"<html></html>"])
def test_a_file_that_is_not_an_npz_is_reported(content: bytes, tmp_path: Path) -> None:
    (tmp_path / "s.npz").write_bytes(content)
    heard = run(job(fetch("mtcnn_rnet.onnx"), samples=str(tmp_path / "s.npz"), outputs=True))
    assert heard.end["reason"] == "wrong-sample"


def test_samples_that_are_not_used_cost_no_memory(tmp_path: Path) -> None:
    """400 MB of samples: the latency pass takes 64 MB of them, the memory pass those that it uses."""
    samples = tmp_path / "s.npz"
    with (
        zipfile.ZipFile(samples, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive,
        archive.open("x.npy", "w") as file,
    ):
        header = {"descr": "<f4", "fortran_order": False, "shape": (1600, 1, 65536)}
        np.lib.format.write_array_header_1_0(file, header)
        for _ in range(1600):
            file.write(bytes(65536 * 4))
    model = small_models.identity(tmp_path / "m.onnx", small_models.FLOAT, [1, 65536])
    heard = run(job(model, samples=str(samples), latency=QUICK, memory={"processes": [1, 1], "inferences": 3}))
    assert [end["outcome"] for end in heard.of("end")] == ["completed", "completed"]
    for process, most in ((1, 80e6 + 2 * 64e6), (2, 80e6)):
        marks = {event["phase"]: event for event in heard.of("phase", process=process)}
        assert marks["steady"]["hwm"] - marks["start"]["rss"] < most


def test_inputs_that_differ_behind_the_colon_keep_their_names() -> None:
    two = [inputs.Input(f"ids:{at}", np.dtype("float32"), (1, 2), (1, 2), None) for at in range(2)]
    assert inputs.by_input(two, {"ids:0": "a", "ids:1": "b"}, "samples") == {"ids:0": "a", "ids:1": "b"}
    with pytest.raises(refusals.Refused, match="samples name ids, but the model's inputs are: ids:0, ids:1"):
        inputs.by_input(two, {"ids": "a"}, "samples")
    assert inputs.by_input(two[:1], {"ids": "a"}, "samples") == {"ids:0": "a"}
