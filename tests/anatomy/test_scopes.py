"""Layers have the names that a person knows."""

from __future__ import annotations

import time

import pytest

from edgecheck.anatomy.scopes import layer_of

NAMES = {
    "blocks.0.0.conv.weight": "blocks/0/0/conv",
    "module.layer1.0.bn1.running_mean": "layer1/0/bn1",
    "rnn.weight_ih_l0_reverse": "rnn",
    "encoder.weight": "encoder",
    "blocks.1.bn.bias": "blocks/1/bn",
    "block.scale.weight": "block/scale",
    "weight": "weight",
    "/layer1/layer1.0/conv1/Conv": "layer1/0/conv1",
    "/lstm/LSTM_1_quant": "lstm/LSTM_1",
    "model.out_proj.bias": "model/out_proj",
    "onnx::MatMul_367_quantized": "",
    "onnx::LSTM_321": "",
    "val_216": "",
    "/Constant_10_output_0": "",
    "/lstm/Constant_16_output_0": "lstm",
    "ConstantPad.weight": "ConstantPad",
    "arith.constant12": "",
    "tfl.pseudo_qconst5": "",
    "const_fold_opt__708": "",
    "conv2d_105.w_0": "conv2d_105",
    "batch_norm2d_148.b_0": "batch_norm2d_148",
    "fire2/expand1x1_w_0": "fire2/expand1x1",
    "conv2d_4/kernel:0": "conv2d_4",
    "model_weights/conv2d/conv2d/kernel:0": "conv2d",
    "model/dense/MatMul": "model/dense",
    "model/dense/BiasAdd/ReadVariableOp": "model/dense",
    "StatefulPartitionedCall/model/conv2d/Conv2D": "model/conv2d",
    "model_1/re_lu/Relu;model_1/bn/FusedBatchNormV3;model_1/conv2d_4/BiasAdd": "model_1/conv2d_4",
    "layer_with_weights-1/kernel/.ATTRIBUTES/VARIABLE_VALUE": "layer_with_weights-1",
    "Encoder/Attention/kernel": "Encoder/Attention",
    "p_re_lu/Alpha": "p_re_lu",
    "estimators_.3.tree_.values": "estimators_/3/tree_/values",
    "": "",
}


@pytest.mark.parametrize("name", NAMES)
def test_layers(name: str) -> None:
    assert layer_of(name) == NAMES[name]


def test_hostile_names_are_cut() -> None:
    layer = layer_of("a/b/" * 100_000)
    assert len(layer.split("/")) <= 25


def test_long_names_take_linear_time() -> None:
    names = ["/" + "_Conv" * 200 + "1" * 900 + f"-{number}-" for number in range(200)]
    started = time.process_time()
    assert all(layer_of(name) for name in names)
    assert time.process_time() - started < 2
