"""The advice promises what the conversion saves."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from onnx import helper

from edgecheck.anatomy.advice import Advice, Means, advise
from edgecheck.anatomy.drivers import drivers
from edgecheck.anatomy.reading import read
from edgecheck.anatomy.values import Anatomy
from examples.real_models import fetch
from tests.anatomy.real_anatomies import NAMES, anatomy
from tests.anatomy.small_files import dense_model, float_tensor, onnx_model, save, torch_archive, torch_tensor


def by_means(found: Anatomy) -> dict[Means, Advice]:
    return {advice.means: advice for advice in advise(found)}


def test_int8_and_float16_save_what_the_quantiser_saves() -> None:
    from ai_edge_quantizer import qtyping, quantizer, recipe

    path = fetch("nmp.tflite")
    promised = by_means(anatomy("nmp.tflite"))
    integers = quantizer.Quantizer(str(path))
    integers.load_quantization_recipe(recipe.weight_only_wi8_afp32())
    floats = quantizer.Quantizer(str(path))
    weights = qtyping.TensorQuantizationConfig(num_bits=16, dtype=qtyping.TensorDataType.FLOAT)
    floats.update_quantization_recipe(
        regex=".*",
        operation_name=qtyping.TFLOperationName.ALL_SUPPORTED,
        op_config=qtyping.OpQuantizationConfig(
            weight_tensor_config=weights, compute_precision=qtyping.ComputePrecision.FLOAT, explicit_dequantize=True
        ),
        algorithm_key="float_casting",
    )
    for means, quantised, tolerance in ((Means.INT8, integers, 0.05), (Means.FLOAT16, floats, 0.02)):
        saved = path.stat().st_size - len(quantised.quantize().quantized_model)
        assert promised[means].saves == pytest.approx(saved, rel=tolerance)


def test_int8_saves_what_onnx_runtime_saves(tmp_path: Path) -> None:
    from onnxruntime.quantization import QuantType, quantize_dynamic

    path = fetch("mtcnn_onet.onnx")
    quantize_dynamic(path, tmp_path / "q.onnx", weight_type=QuantType.QInt8)
    saved = path.stat().st_size - (tmp_path / "q.onnx").stat().st_size
    assert by_means(anatomy("mtcnn_onet.onnx"))[Means.INT8].saves == pytest.approx(saved, rel=0.02)


def test_dropping_the_optimiser_saves_what_it_takes() -> None:
    assert by_means(anatomy("emotion.hdf5"))[Means.DROP_OPTIMIZER].saves == 455_612


def test_an_optimisers_state_does_not_count_as_weights_to_quantise() -> None:
    promised = by_means(anatomy("emotion.hdf5"))
    assert promised[Means.FLOAT16].saves == 2 * 58_423


def test_saving_a_slice_saves_the_entire_storage(tmp_path: Path) -> None:
    slice_of = torch_tensor("0", "FloatStorage", 100_000, (0, (10,), (1,)))
    found = read(save(tmp_path / "m.pt", torch_archive({"w": slice_of}, {"0": bytes(400_000)})))
    assert by_means(found)[Means.DROP_UNUSED].saves == 400_000 - 40


def test_copies_are_promised_exactly(tmp_path: Path) -> None:
    model = dense_model({"a": (64, 64), "b": (64, 64)})
    model.graph.initializer[1].raw_data = model.graph.initializer[0].raw_data
    advice = by_means(read(save(tmp_path / "m.onnx", model)))[Means.DEDUPLICATE]
    assert (advice.saves, advice.measured) == (64 * 64 * 4, True)
    assert "a.weight = b.weight" in advice.sentence


def test_half_of_a_vocabulary_saves_half_of_all_tensors_of_its_length(tmp_path: Path) -> None:
    table, head = float_tensor("embedding.weight", (5000, 16)), float_tensor("head.weight", (16, 5000))
    nodes = [
        helper.make_node("Gather", ["embedding.weight", "x"], ["h"]),
        helper.make_node("MatMul", ["h", "head.weight"], ["y"]),
    ]
    advice = by_means(read(save(tmp_path / "m.onnx", onnx_model(nodes, [table, head]))))[Means.VOCABULARY]
    assert advice.saves == 5000 * 16 * 4
    assert advice.sentence == "Halve the 5,000 rows of embedding.weight: each takes 128 bytes in 2 tensors."


def test_a_vectoriser_of_words_is_a_vocabulary() -> None:
    advice = by_means(anatomy("profanity_vectorizer.joblib"))[Means.VOCABULARY]
    assert advice.saves == (199_638 + 8 * 15_442) // 2


def test_numbers_written_one_by_one_could_be_raw(tmp_path: Path) -> None:
    values = np.full(10_000, -1, np.int8)
    tensor = helper.make_tensor("w", 3, [100, 100], values)
    assert by_means(read(save(tmp_path / "m.onnx", onnx_model([], [tensor]))))[Means.RAW_DATA].saves == 90_000


def test_trees_are_not_quantised(tmp_path: Path) -> None:
    values = [float(number) for number in range(5000)]
    node = helper.make_node("TreeEnsembleRegressor", ["x"], ["y"], domain="ai.onnx.ml", nodes_values=values)
    found = read(save(tmp_path / "m.onnx", onnx_model([node], [])))
    assert by_means(found) == {}
    assert "Its trees have 5,000 nodes, 5 bytes each: fewer or shallower trees save the most." in drivers(found)


@pytest.mark.parametrize("name", NAMES)
def test_advice_is_sorted_and_never_promises_more_than_the_file(name: str) -> None:
    found = anatomy(name)
    advice = advise(found)
    assert [each.saves for each in advice] == sorted((each.saves for each in advice), reverse=True)
    assert all(0 < each.saves <= found.size for each in advice)
    assert all(each.sentence.endswith(".") for each in advice)
