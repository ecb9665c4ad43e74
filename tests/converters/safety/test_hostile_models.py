"""Models made to get past the gate, each in another way: refused with what they would do, before any process starts.

Every kind has an honest neighbour that differs by one thing and is admitted. Covers `keras_files.py`.
"""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from edgecheck.converters.convert import convert
from edgecheck.converters.interface import TRUST_ALL, Request
from edgecheck.converters.safety.gate import admit
from edgecheck.errors import ConversionError, EdgecheckError
from tests.converters.bench import requires

if TYPE_CHECKING:
    from tests.converters.bench import Bench


def archive(path: Path, members: dict[str, str | bytes]) -> Path:
    with zipfile.ZipFile(path, "w") as made:
        for name, content in members.items():
            made.writestr(name, content)
    return path


def program(path: Path, **changes: Any) -> Path:
    """A .pt2 by its description; `changes` go into its graph module."""
    node = {"target": "torch.ops.aten.add.Tensor", "inputs": [], "metadata": {"stack_trace": "(any text)"}}
    graph = {"nodes": [node], "sym_int_values": {}, "tensor_values": {}}
    described = {"graph_module": {"graph": graph, "signature": {}, **changes}, "range_constraints": {}}
    return archive(path / "m.pt2", {"m/archive_format": "pt2", "m/models/model.json": json.dumps(described)})


def operator(name: str) -> Callable[[Path], Path]:
    return lambda folder: program(folder, inner=[{"as_graph": {"graph": {"nodes": [{"target": name}]}}}])


def script(code: str, data: bytes = b"\x80\x02N.") -> Callable[[Path], Path]:
    """A TorchScript with the code in a submodule of a submodule."""
    members = {"m/data.pkl": data, "m/constants.pkl": b"\x80\x02).", "m/version": b"3"}
    return lambda folder: archive(
        folder / "m.pt",
        {**members, "m/code/__torch__.py": "class M(Module):\n  pass\n", "m/code/__torch__/a/b.py": code},
    )


def field(number: int, content: bytes) -> bytes:
    """A field of a protobuf message, with a size of up to two bytes."""
    size = len(content)
    return bytes([number << 3 | 2]) + (bytes([size]) if size < 128 else bytes([size & 127 | 128, size >> 7])) + content


def node(operator_name: bytes) -> bytes:
    return field(1, b"n") + field(2, operator_name)


def saved(*fields: bytes, link: bool = False) -> Callable[[Path], Path]:
    """A SavedModel by the fields of its MetaGraphDef."""

    def build(folder: Path) -> Path:
        model = folder / "m"
        (model / "variables").mkdir(parents=True)
        (model / "saved_model.pb").write_bytes(b"\x08\x01" + field(2, b"".join(fields)))
        if link:
            (folder / "secret").write_text("secret")
            (model / "variables" / "variables.data-00000-of-00001").symlink_to(folder / "secret")
        return model

    return build


def in_function(operator_name: bytes, name: bytes = b"__inference_f_1") -> bytes:
    """A graph whose library has one function, with one node."""
    return field(2, field(1, node(name)) + field(2, field(1, field(1, field(1, name)) + field(3, node(operator_name)))))


def asset(file: bytes) -> bytes:
    return field(6, field(1, field(1, b"a:0")) + field(2, file))


def keras(layer: dict[str, Any], **members: str | bytes) -> Callable[[Path], Path]:
    """A `.keras` with the layer inside a wrapper inside a model inside a model."""
    wrapper = {"module": "keras.layers", "class_name": "TimeDistributed", "config": {"layer": layer}}
    inner = {"module": "keras", "class_name": "Functional", "config": {"layers": [wrapper]}}
    outer = {"module": "keras", "class_name": "Sequential", "config": {"layers": [inner]}}
    files = {"metadata.json": "{}", "config.json": json.dumps(outer)}
    return lambda folder: archive(folder / "m.keras", {**files, **members})


DENSE = {"module": "keras.layers", "class_name": "Dense", "config": {"units": 1}}


def arrays(value: object) -> bytes:
    content = io.BytesIO()
    np.savez(content, a=np.array([value], dtype=object if isinstance(value, dict) else None))
    return content.getvalue()


def skops(**inner: str) -> Callable[[Path], Path]:
    kept = {"__class__": "LinearRegression", "__module__": "sklearn.linear_model._base", "__loader__": "ObjectNode"}
    deep = {**kept, "content": {"content": {"coef_": {"content": [inner]}}}}
    return lambda folder: archive(folder / "m.skops", {"schema.json": json.dumps(deep)})


def compatible(class_name: str) -> Callable[[Path], Path]:
    """A joblib file of before 0.10, whose arrays are in other files that it names."""

    def build(folder: Path) -> Path:
        named = f"cjoblib.numpy_pickle_compat\n{class_name}\n" if class_name else "cnumpy\nndarray\n"
        path = folder / "m.joblib"
        path.write_bytes(b"\x80\x02" + named.encode() + b"q\x00X\x0d\x00\x00\x00../secret.npy\x85R.")
        return path

    return build


#: By name: source format; builds the model; what its refusal says; builds its honest neighbour.
KINDS: dict[str, tuple[str, Callable[[Path], Path], str, Callable[[Path], Path]]] = {
    "expression of a range": (
        "pt2",
        lambda folder: program(folder, range_constraints={"s0": {"min_val": {"expr_str": "open('x', 'w')"}}}),
        "the expression \"open('x', 'w')\"",
        lambda folder: program(folder, range_constraints={"s0": {"min_val": {"expr_str": "2*s0"}}}),
    ),
    "expression of a hint": (
        "pt2",
        lambda folder: program(folder, sym={"s1": {"as_expr": {"expr_str": "s0.__class__"}}}),
        "the expression 's0.__class__'",
        lambda folder: program(folder, sym={"s1": {"as_expr": {"expr_str": "Max(1, s0)"}}}),
    ),
    "name that becomes code": (
        "pt2",
        lambda folder: program(folder, outputs=[{"as_tensor": {"name": "x\nimport os"}}]),
        r"the name 'x\nimport os'",
        lambda folder: program(folder, outputs=[{"as_tensor": {"name": "x_1"}}]),
    ),
    "compiled library in a program": (
        "pt2",
        operator("torch.ops.higher_order.aoti_call_delegate"),
        "the operator 'torch.ops.higher_order.aoti_call_delegate'",
        operator("torch.ops.higher_order.cond"),
    ),
    "object in a program": (
        "pt2",
        operator("torch.ops.higher_order.call_torchbind"),
        "the operator 'torch.ops.higher_order.call_torchbind'",
        operator("torch.ops.higher_order.while_loop"),
    ),
    "function of Python in a program": (
        "pt2", operator("torch.hub.load"), "the operator 'torch.hub.load'", operator("math.ceil"),
    ),
    "operator of a script in three lines": (
        "torchscript",
        script("def f(x):\n  ops . \\\n  image . \\\n  write_file('x', x)\n"),
        "the operator ops.image.write_file",
        script("def f(x):\n  ops.prim.device(x)\n"),
    ),
    "operator of a script after a text that Python ends elsewhere": (
        "torchscript",
        script("def f(x):\n  a = f'{1}'\n  torch . save(x, 'a')\n"),
        "the operator torch.save",
        script("def f(x):\n  a = 'saved'\n  torch.sub(x, x)\n"),
    ),
    "class of C++ in the pickle of a script": (
        "torchscript",
        script("def f(x):\n  return x\n", b"\x80\x02c__torch__.torch.classes.dist_rpc\nWorkerInfo\n)R."),
        "the class __torch__.torch.classes.dist_rpc.WorkerInfo",
        script("def f(x):\n  return x\n", b"\x80\x02c__torch__.torch.classes.quantized\nLinearPackedParamsBase\n)R."),
    ),
    "operator in a function": (
        "savedmodel", saved(in_function(b"ReadFile")), "the operator ReadFile", saved(in_function(b"Relu")),
    ),
    "function with the name of an operator": (
        "savedmodel",
        saved(in_function(b"WriteFile", b"WriteFile")),
        "the operator WriteFile",
        saved(in_function(b"Relu", b"my_function")),
    ),
    "operator that reads by a pattern": (
        "savedmodel", saved(field(2, field(1, node(b"RecordInput")))), "the operator RecordInput",
        saved(field(2, field(1, node(b"Identity")))),
    ),
    "operator that restores across devices": (
        "savedmodel", saved(field(2, field(1, node(b"DTensorRestoreV2")))), "the operator DTensorRestoreV2",
        saved(field(2, field(1, node(b"NoOp")))),
    ),
    "asset outside of the folder": (
        "savedmodel",
        saved(asset(b"../../etc/passwd")),
        "its asset '../../etc/passwd' is not in its folder",
        saved(asset(b"words.txt")),
    ),
    "link out of the folder": (
        "savedmodel",
        saved(in_function(b"Relu"), link=True),
        "variables.data-00000-of-00001 is a link that leads outside",
        saved(in_function(b"Relu")),
    ),
    "registered name of a Lambda": (
        "keras",
        keras({"module": None, "class_name": "Own>Lambda", "registered_name": "Own>Lambda", "config": {}}),
        "a Lambda layer or other Python code",
        keras(DENSE),
    ),
    "function of a module in an activation": (
        "keras",
        keras({**DENSE, "config": {"activation": {"module": "os", "class_name": "function", "config": "system"}}}),
        "the class os.function",
        keras({**DENSE, "config": {"activation": {"module": "builtins", "class_name": "function", "config": "relu"}}}),
    ),
    "type of a tensor": (
        "keras",
        keras({"module": "builtins", "class_name": "__typespec__", "spec_name": "eval", "config": {}}),
        "the class builtins.__typespec__",
        keras({"module": "builtins", "class_name": "__tuple__", "items": [1]}),
    ),
    "file outside of an archive": (
        "keras",
        keras(DENSE, **{"assets/../../evil.txt": "x"}),
        "its member 'assets/../../evil.txt' would be unpacked outside of its folder",
        keras(DENSE, **{"assets/words.txt": "x"}),
    ),
    "pickle in an array": (
        "keras",
        keras(DENSE, **{"model.weights.npz": arrays({"a": 1})}),
        "a pickle in the array a.npy of model.weights.npz",
        keras(DENSE, **{"model.weights.npz": arrays(1.0)}),
    ),
    "type deep in a description": (
        "skops",
        skops(__class__="call", __module__="subprocess", __loader__="FunctionNode"),
        "subprocess.call",
        skops(__class__="ndarray", __module__="numpy", __loader__="NdArrayNode"),
    ),
    "array in a file that the pickle names": (
        "joblib", compatible("NDArrayWrapper"), "joblib.numpy_pickle_compat.NDArrayWrapper", compatible(""),
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", KINDS)
def test_it_is_refused_with_what_it_would_do(empty_bench: Bench, tmp_path: Path, name: str) -> None:
    source, build, said, _ = KINDS[name]
    model = build(tmp_path)
    before = sorted(tmp_path.rglob("*"))
    request = Request(model=model, source=source, format="onnx", variant="float32")
    with pytest.raises(EdgecheckError) as caught:
        convert(request, empty_bench.settings, progress=empty_bench.said.append)
    assert said in caught.value.message
    assert caught.value.exit_code in (2, 3)
    assert empty_bench.conversions == 0, "no process was started to open it"
    assert sorted(tmp_path.rglob("*")) == before


@pytest.mark.parametrize("name", KINDS)
def test_its_honest_neighbour_is_admitted(tmp_path: Path, name: str) -> None:
    source, _, _, build = KINDS[name]
    assert admit(Request(model=build(tmp_path), source=source, format="onnx", variant="float32")).request.trusted == ""


@pytest.mark.parametrize("name", KINDS)
def test_trust_admits_it(tmp_path: Path, name: str) -> None:
    source, build, _, _ = KINDS[name]
    request = Request(model=build(tmp_path), source=source, format="onnx", variant="float32", trusted=TRUST_ALL)
    assert admit(request).request.trusted == TRUST_ALL


def link(file: Any, other: str) -> None:
    file["e"] = __import__("h5py").ExternalLink(other, "/a")


def external(file: Any, other: str) -> None:
    file.create_dataset("e", (4,), "f8", external=[(other, 0, 32)])


def virtual(file: Any, other: str) -> None:
    h5py = __import__("h5py")
    layout = h5py.VirtualLayout((4,), "f8")
    layout[:] = h5py.VirtualSource(other, "a", (4,))
    file.create_virtual_dataset("e", layout)


HDF5 = {
    "link": (link, "the link /layers/e"),
    "external": (external, "the external dataset /layers/e"),
    "virtual": (virtual, "the virtual dataset /layers/e"),
}


@pytest.mark.convert
@pytest.mark.parametrize("kind", HDF5)
@pytest.mark.parametrize("suffix", ["h5", "keras", "user block"])
def test_hdf5_that_leads_to_other_files(tmp_path: Path, kind: str, suffix: str) -> None:
    h5py = pytest.importorskip("h5py")
    other, weights = tmp_path / "other.h5", tmp_path / "m.h5"
    with h5py.File(other, "w") as file:
        file["a"] = np.arange(4.0)
    for build, said in ((HDF5[kind][0], HDF5[kind][1]), (None, "")):
        with h5py.File(weights, "w", userblock_size=512 if suffix == "user block" else 0) as file:
            file.attrs["model_config"] = json.dumps(DENSE)
            group = file.create_group("layers")
            group["own"], group["soft"] = np.zeros(3), h5py.SoftLink("/layers/own")
            if build is not None:
                build(group, str(other))
        model = weights
        if suffix == "keras":
            model = keras(DENSE, **{"model.weights.h5": weights.read_bytes()})(tmp_path)
        request = Request(model=model, source="hdf5" if model is weights else "keras", format="onnx", variant="float32")
        if not said:
            assert admit(request)
            continue
        with pytest.raises(ConversionError) as caught:
            admit(request)
        assert caught.value.message == f"{model.name} would read other files when it is opened, by {said}."
        assert "`trusted: sha256:" in caught.value.hint


@pytest.mark.convert
@requires("onnx", "onnxruntime")
def test_an_operator_of_python_in_onnx_is_named(empty_bench: Bench, tmp_path: Path) -> None:
    from onnx import TensorProto, helper

    for domain, name in (("com.microsoft", "PythonOp"), ("ai.onnx.contrib", "PyOp")):
        ends = [helper.make_tensor_value_info(end, TensorProto.FLOAT, [1, 4]) for end in "xy"]
        weight = helper.make_tensor("w", TensorProto.FLOAT, [4, 4], [1.0] * 16)
        nodes = [
            helper.make_node("MatMul", ["x", "w"], ["m"]),
            helper.make_node(name, ["m"], ["y"], domain=domain, name="os.system"),
        ]
        graph = helper.make_graph(nodes, "g", ends[:1], ends[1:], [weight])
        imports = [helper.make_opsetid("", 17), helper.make_opsetid(domain, 1)]
        path = tmp_path / f"{name}.onnx"
        path.write_bytes(helper.make_model(graph, opset_imports=imports, ir_version=8).SerializeToString())
        with pytest.raises(ConversionError, match=name):
            empty_bench.make(path, "onnx", "int8-dynamic")


def test_no_frozen_graph_is_opened(tmp_path: Path) -> None:
    """TensorFlow's frozen graphs are not converted at all."""
    path = tmp_path / "frozen.pb"
    path.write_bytes(field(1, node(b"PyFunc")) + field(1, node(b"Const")))
    from edgecheck.anatomy.formats import identify

    with pytest.raises(EdgecheckError):
        identify(path)
