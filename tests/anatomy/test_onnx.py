"""ONNX files written here: weights in every place where ONNX allows them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from edgecheck.anatomy.contents import Contents
from edgecheck.anatomy.reading import params, read
from edgecheck.anatomy.values import Anatomy, Kind, Role, Tensor
from edgecheck.errors import ModelError
from tests.anatomy.small_files import FLOAT, dense_model, float_tensor, onnx_model, save


def saved(tmp_path: Path, model: onnx.ModelProto) -> Anatomy:
    """The anatomy of a model, all of whose bytes are accounted for."""
    found = read(save(tmp_path / "m.onnx", model))
    assert found.totals.size == found.size == (tmp_path / "m.onnx").stat().st_size
    assert found.totals.unclaimed == 0
    assert sum(tensor.stored for tensor in found.tensors) == found.totals.tensors
    return found


def only(found: Anatomy) -> Tensor:
    (tensor,) = found.tensors
    return tensor


def test_typed_fields_are_read_packed_and_unpacked(tmp_path: Path) -> None:
    packed = helper.make_tensor("w", FLOAT, [2, 3], [1.0] * 6)
    found = saved(tmp_path, onnx_model([], [packed]))
    assert (only(found).stored, only(found).memory, only(found).encoding) == (24, 24, "")
    field = b"\x25" + np.float32(1).tobytes()  # field 4, one fixed32 a time: proto2 writers may do so
    raw = b"\x08\x06\x10\x01\x42\x01w" + field * 6
    graph = b"\x2a" + bytes([len(raw)]) + raw
    unpacked = read(save(tmp_path / "u.onnx", b"\x08\x08\x3a" + bytes([len(graph)]) + graph))
    assert (only(unpacked).shape, only(unpacked).stored, only(unpacked).encoding) == ((6,), 30, "unpacked")


@pytest.mark.parametrize(("kind", "name"), [(TensorProto.INT8, "int8"), (TensorProto.FLOAT16, "float16")])
def test_small_numbers_in_int32_data_take_more_on_disk_than_in_memory(kind: int, name: str, tmp_path: Path) -> None:
    values = np.full(1000, -1, np.int8) if name == "int8" else np.full(1000, -1, np.float16)
    tensor = only(saved(tmp_path, onnx_model([], [helper.make_tensor("w", kind, [10, 100], values)])))
    assert (tensor.dtype, tensor.encoding, tensor.params) == (name, "varint", 1000)
    assert tensor.memory == values.nbytes
    assert tensor.stored > tensor.memory


def test_strings_are_a_vocabulary_instead_of_weights(tmp_path: Path) -> None:
    words = helper.make_tensor("words", TensorProto.STRING, [2], [b"spam", b"ham"])
    tensor = only(saved(tmp_path, onnx_model([], [words])))
    assert (tensor.role, tensor.params, tensor.stored) == (Role.VOCABULARY, 0, len("spamham") + 4)


def test_branches_are_walked(tmp_path: Path) -> None:
    branch = helper.make_graph(
        [helper.make_node("Constant", [], ["c"], value=float_tensor("", (3, 5)))],
        "then",
        [],
        [],
        [float_tensor("inner", (7,))],
    )
    node = helper.make_node("If", ["x"], ["y"], then_branch=branch, else_branch=branch)
    found = saved(tmp_path, onnx_model([node], []))
    assert [tensor.name for tensor in found.tensors] == ["inner", "c", "inner", "c"]
    assert found.totals.params == 2 * (7 + 15)
    assert found.operators == {"If": 1, "Constant": 2}


def test_functions_and_training_graphs_are_walked(tmp_path: Path) -> None:
    model = onnx_model([], [float_tensor("w", (4,))])
    constant = helper.make_node("Constant", [], ["k"], value=float_tensor("", (6,)))
    model.functions.append(helper.make_function("tests", "F", [], ["k"], [constant], [helper.make_opsetid("", 17)]))
    info = model.training_info.add()
    info.algorithm.CopyFrom(helper.make_graph([], "step", [], [], [float_tensor("moment", (9,))]))
    found = saved(tmp_path, model)
    assert {tensor.name: tensor.role for tensor in found.tensors} == {
        "w": Role.WEIGHT,
        "k": Role.WEIGHT,
        "moment": Role.OPTIMIZER,
    }
    assert found.totals.params == 4 + 6


def test_shapes_in_functions_are_metadata(tmp_path: Path) -> None:
    model = onnx_model([], [float_tensor("w", (4,))])
    constant = helper.make_node("Constant", [], ["k"], value=float_tensor("", (6,)))
    function = helper.make_function("tests", "F", [], ["k"], [constant], [helper.make_opsetid("", 17)])
    model.functions.append(function)
    plain = saved(tmp_path, model).totals.metadata
    model.functions[0].value_info.append(helper.make_tensor_value_info("k" * 500, FLOAT, [6]))
    assert saved(tmp_path, model).totals.metadata > plain + 500


@pytest.mark.parametrize("field", ["raw_data", "int64_data"])
def test_constant_of_shape_is_generated_on_loading(field: str, tmp_path: Path) -> None:
    shape, raw = np.array([1000, 2000]), field == "raw_data"
    where = helper.make_tensor("shape", TensorProto.INT64, [2], shape.tobytes() if raw else shape, raw=raw)
    fill = helper.make_tensor("", FLOAT, [1], [0.5])
    nodes = [
        helper.make_node("Identity", ["shape"], ["alias"]),
        helper.make_node("ConstantOfShape", ["alias"], ["w"], value=fill),
        helper.make_node("MatMul", ["x", "w"], ["y"]),
    ]
    found = saved(tmp_path, onnx_model(nodes, [where]))
    made = next(tensor for tensor in found.tensors if tensor.name == "w")
    assert (made.shape, made.stored, made.memory, made.encoding) == ((1000, 2000), 4, 8_000_000, "filled")
    assert (made.operator, made.params) == ("MatMul", 2_000_000)


def test_a_shape_known_only_at_run_time_generates_no_weights(tmp_path: Path) -> None:
    nodes = [helper.make_node("Shape", ["x"], ["s"]), helper.make_node("ConstantOfShape", ["s"], ["y"])]
    assert saved(tmp_path, onnx_model(nodes, [])).totals.memory == 0


def test_sparse_initialisers_count_as_dense_tensors(tmp_path: Path) -> None:
    values = helper.make_tensor("w", FLOAT, [3], [1.0, 2.0, 3.0])
    indices = helper.make_tensor("", TensorProto.INT64, [3], [0, 5, 99])
    sparse = helper.make_sparse_tensor(values, indices, [10, 10])
    found = saved(tmp_path, onnx_model([], [], sparse_initializer=[sparse]))
    tensor = only(found)
    assert (tensor.name, tensor.shape, tensor.encoding, tensor.memory) == ("w", (10, 10), "sparse", 400)


def test_trees_are_weights(tmp_path: Path) -> None:
    node = helper.make_node(
        "TreeEnsembleRegressor",
        ["x"],
        ["y"],
        name="forest",
        domain="ai.onnx.ml",
        nodes_values=[0.5, 0.0, 0.0],
        nodes_featureids=[300, 0, 0],
        nodes_modes=["BRANCH_LEQ", "LEAF", "LEAF"],
        target_weights=[1.0, 2.0],
    )
    found = saved(tmp_path, onnx_model([node], []))
    by_name = {tensor.name: (tensor.role, tensor.shape, tensor.params) for tensor in found.tensors}
    assert by_name == {
        "forest.nodes_values": (Role.WEIGHT, (3,), 3),
        "forest.nodes_featureids": (Role.CONSTANT, (3,), 0),
        "forest.nodes_modes": (Role.CONSTANT, (3,), 0),
        "forest.target_weights": (Role.WEIGHT, (2,), 2),
    }


def test_four_bit_weights_of_onnx_runtime_have_the_nodes_shape(tmp_path: Path) -> None:
    packed = numpy_helper.from_array(np.zeros((64, 2, 16), np.uint8), "B")
    scales = numpy_helper.from_array(np.zeros(128, np.float32), "scales")
    node = helper.make_node(
        "MatMulNBits", ["x", "B", "scales"], ["y"], domain="com.microsoft", K=64, N=64, bits=4, block_size=32
    )
    found = saved(tmp_path, onnx_model([node], [packed, scales]))
    weight, scale = found.tensors
    assert (weight.dtype, weight.shape, weight.params, weight.stored) == ("uint4", (64, 64), 4096, 2048)
    assert (scale.role, scale.params) == (Role.CONSTANT, 0)


def test_documentation_is_metadata(tmp_path: Path) -> None:
    model = dense_model({"a": (4, 4)})
    plain = saved(tmp_path, model).totals.metadata
    model.graph.node[0].doc_string = "s" * 1000
    model.doc_string = "d" * 100
    helper.set_model_props(model, {"words": "p" * 10_000})
    assert saved(tmp_path, model).totals.metadata - plain > 11_000


def test_weights_in_another_file_are_counted_there(tmp_path: Path) -> None:
    model = dense_model({"a": (64, 64), "b": (64, 33)})
    expected = [proto.raw_data for proto in model.graph.initializer]
    onnx.save(model, str(tmp_path / "m.onnx"), save_as_external_data=True, location="m.data", size_threshold=0)
    found = read(tmp_path / "m.onnx")
    assert [file.name for file in found.files] == ["m.onnx", "m.data"]
    assert found.totals.size == sum(path.stat().st_size for path in tmp_path.iterdir())
    assert found.totals.params == 64 * 64 + 64 * 33
    assert found.totals.unclaimed == 0
    with Contents(found) as contents:
        assert [b"".join(contents.pieces(tensor)) for tensor in found.tensors] == expected
    (tmp_path / "m.data").unlink()
    with pytest.raises(ModelError, match=r"it keeps weights in m\.data, which is missing from its folder"):
        read(tmp_path / "m.onnx")


def external(location: str, **entries: str) -> onnx.ModelProto:
    tensor = TensorProto(name="w", data_type=FLOAT, dims=[4], data_location=TensorProto.EXTERNAL)
    for key, value in {"location": location, **entries}.items():
        tensor.external_data.add(key=key, value=value)
    return onnx_model([], [tensor])


@pytest.mark.parametrize("location", ["../secret", "/etc/passwd", "a/../../secret", "", "a\0b"])
def test_weights_outside_the_folder_are_refused(location: str, tmp_path: Path) -> None:
    (tmp_path / "m").mkdir()
    save(tmp_path / "secret", bytes(16))
    with pytest.raises(ModelError, match=r"outside its folder|is missing from its folder"):
        read(save(tmp_path / "m" / "m.onnx", external(location)))


def in_a_branch(tensor: TensorProto) -> onnx.ModelProto:
    branch = helper.make_graph([helper.make_node("Identity", ["w"], ["y"])], "b", [], [], [tensor])
    return onnx_model([helper.make_node("If", ["c"], ["y"], then_branch=branch, else_branch=branch)], [])


def in_a_branch_of_a_branch(tensor: TensorProto) -> onnx.ModelProto:
    inner = in_a_branch(tensor).graph
    return onnx_model([helper.make_node("If", ["c"], ["y"], then_branch=inner, else_branch=inner)], [])


def in_a_constant(tensor: TensorProto) -> onnx.ModelProto:
    return onnx_model([helper.make_node("Constant", [], ["w"], value=tensor)], [])


def in_a_list_of_constants(tensor: TensorProto) -> onnx.ModelProto:
    node = helper.make_node("Vendor", [], ["w"], domain="vendor")
    node.attribute.append(helper.make_attribute("all", [tensor]))
    return onnx_model([node], [])


def in_a_function(tensor: TensorProto) -> onnx.ModelProto:
    model = onnx_model([helper.make_node("F", [], ["y"], domain="own")], [])
    body = [helper.make_node("Constant", [], ["y"], value=tensor)]
    model.functions.append(helper.make_function("own", "F", [], ["y"], body, [helper.make_opsetid("", 17)]))
    return model


def in_a_sparse_tensor(tensor: TensorProto) -> onnx.ModelProto:
    model = onnx_model([], [])
    indices = helper.make_tensor("i", TensorProto.INT64, [4], [0, 1, 2, 3])
    model.graph.sparse_initializer.append(onnx.SparseTensorProto(values=tensor, indices=indices, dims=[8]))
    return model


NESTED = [
    in_a_branch,
    in_a_branch_of_a_branch,
    in_a_constant,
    in_a_list_of_constants,
    in_a_function,
    in_a_sparse_tensor,
]


@pytest.mark.parametrize("place", NESTED, ids=lambda place: place.__name__)
def test_weights_of_inner_graphs_come_from_the_folder(
    place: Callable[[TensorProto], onnx.ModelProto], tmp_path: Path
) -> None:
    (tmp_path / "m").mkdir()
    save(tmp_path / "secret", bytes(16))
    tensor = external("../secret").graph.initializer[0]
    with pytest.raises(ModelError, match="outside its folder"):
        read(save(tmp_path / "m" / "m.onnx", place(tensor)))
    save(tmp_path / "m" / "inside", bytes(16))
    tensor.external_data[0].value = "inside"
    found = read(save(tmp_path / "m" / "m.onnx", place(tensor)))
    assert [file.name for file in found.files] == ["m.onnx", "inside"]


def test_a_link_that_leads_out_of_the_folder_is_refused(tmp_path: Path) -> None:
    (tmp_path / "m").mkdir()
    (tmp_path / "m" / "w").symlink_to(save(tmp_path / "secret", bytes(16)))
    with pytest.raises(ModelError, match="w is a link that leads outside the model's folder"):
        read(save(tmp_path / "m" / "m.onnx", external("w")))


@pytest.mark.parametrize(
    ("entries", "sentence"),
    [
        ({"offset": "8", "length": "16"}, "16 bytes at byte 8 reach beyond the 16 bytes that are there"),
        ({"offset": "-8"}, "has the offset '-8'"),
        ({"length": str(2**60)}, "reach beyond the 16 bytes that are there"),
        ({"offset": "٣"}, "has the offset"),
    ],
)
def test_places_outside_the_other_file_are_refused(entries: dict[str, str], sentence: str, tmp_path: Path) -> None:
    save(tmp_path / "w", bytes(16))
    with pytest.raises(ModelError, match=sentence):
        read(save(tmp_path / "m.onnx", external("w", **entries)))


def test_quantisation_parameters_are_not_weights(tmp_path: Path) -> None:
    weights = numpy_helper.from_array(np.zeros((4, 4), np.int8), "w_quantized")
    scale, zero = (
        numpy_helper.from_array(np.zeros(4, kind), name) for kind, name in ((np.float32, "s"), (np.int8, "z"))
    )
    bias = numpy_helper.from_array(np.zeros(4, np.int32), "b")
    nodes = [
        helper.make_node("DequantizeLinear", ["w_quantized", "s", "z"], ["w"]),
        helper.make_node("DequantizeLinear", ["b", "s"], ["bf"]),
        helper.make_node("Gemm", ["x", "w", "bf"], ["y"], name="/head/Gemm"),
    ]
    found = saved(tmp_path, onnx_model(nodes, [weights, scale, zero, bias]))
    assert {tensor.name: tensor.params for tensor in found.tensors} == {"w_quantized": 16, "s": 0, "z": 0, "b": 4}
    assert found.tensors[0].operator == "Gemm"
    assert params(tmp_path / "m.onnx") == 20
    assert all(part.kind is not Kind.UNCLAIMED for part in found.files[0].parts)
