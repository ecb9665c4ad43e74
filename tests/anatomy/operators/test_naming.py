"""What the file says about executed operators: name, layer, parts, shape, work and bytes."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from onnx import TensorProto, helper

from edgecheck.anatomy.operators.naming import known_operators
from edgecheck.anatomy.reading import read
from edgecheck.anatomy.tables import table
from edgecheck.core.metrics import Provenance
from edgecheck.core.operators import summarised
from tests.agent.small_models import model, save, value
from tests.core.operator_profiles import seen, seen_profile

if TYPE_CHECKING:
    from pathlib import Path

FLOAT = TensorProto.FLOAT


def two_layers(path: Path) -> Path:
    weights = {
        "backbone.conv.weight": np.zeros((8, 4, 3, 3), dtype=np.float32),
        "head.weight": np.zeros((8, 2), dtype=np.float32),
    }
    nodes = [
        helper.make_node("Conv", ["x", "backbone.conv.weight"], ["a"], name="/backbone/conv/Conv"),
        helper.make_node("Relu", ["a"], ["b"], name="/backbone/relu/Relu"),
        helper.make_node("GlobalAveragePool", ["b"], ["c"], name="/pool"),
        helper.make_node("Flatten", ["c"], ["d"], name="/flat"),
        helper.make_node("MatMul", ["d", "head.weight"], ["y"], name="/head/MatMul"),
    ]
    return save(path, model(nodes, [value("x", FLOAT, [1, 4, 12, 12])], [value("y", FLOAT, [1, 2])], weights=weights))


def test_layer_parts_work_and_bytes(tmp_path: Path) -> None:
    path = two_layers(tmp_path / "net.onnx")
    executed = [
        seen(
            "/backbone/conv/Conv_nchwc",
            5,
            place=9,
            inputs=(("float", (1, 4, 12, 12)), ("float", (8, 4, 3, 3))),
            outputs=(("float", (1, 8, 10, 10)),),
            activation_bytes=2304,
            parameter_bytes=1152,
            output_bytes=3200,
        ),
        seen("ReorderOutput", 1, type="ReorderOutput"),
        seen("/pool", 1, type="GlobalAveragePool"),
        seen("/flat", 1, type="Flatten"),
        seen("/head/MatMul", 2, type="MatMul", inputs=(("float", (1, 8)),), outputs=(("float", (1, 2)),)),
    ]
    profile = summarised([seen_profile([9], *executed)], runtime="", plain=None, provenance=Provenance.MEASURED)
    conv, reorder, _, _, head = known_operators(path, executed, profile.operators)
    assert (conv.name, conv.alias) == ("/backbone/conv/Conv", "/backbone/conv/Conv_nchwc")
    assert conv.parts == ("/backbone/conv/Conv", "/backbone/relu/Relu")
    assert (conv.macs, conv.bytes, conv.shape) == (8 * 100 * 36, 6656, "1 x 8 x 10 x 10")
    assert (reorder.name, reorder.layer, reorder.macs) == ("ReorderOutput", "", None)
    assert (head.macs, head.bytes) == (16, None)
    rows = {row.name for row in table(read(path))}
    assert conv.layer in rows
    assert head.layer in rows
    assert (conv.layer, head.layer) == ("backbone/conv", "head")
