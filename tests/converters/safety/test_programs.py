"""Models that are programs: what opening them would do is found, by every name that a framework reads.

Also covers `encodings/zipfile_errors.py`.
"""

from __future__ import annotations

import json
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

from edgecheck.converters.interface import TRUST_ALL, Request
from edgecheck.converters.model_files import digest_of
from edgecheck.converters.safety import programs
from edgecheck.converters.safety.gate import admit
from edgecheck.converters.safety.pickled_imports import PickledImports
from edgecheck.errors import ConversionError

_EVIL = '{"sizes": [{"as_expr": {"expr_str": "__import__(\'os\').system(\'id\')"}}]}'
_PLAIN = '{"sizes": [{"as_expr": {"expr_str": "s0 + 1"}}]}'
_WRITES = "def forward(self, x):\n  torch.save(x, 'a')\n"


def archive(path: Path, *members: tuple[str, str]) -> Path:
    with zipfile.ZipFile(path, "w") as made:
        for name, content in members:
            made.writestr(name, content)
    return path


def in_pt2(tmp_path: Path, *members: tuple[str, str]) -> PickledImports:
    return programs.of_pt2(archive(tmp_path / "model.pt2", ("archive_format", "pt2"), *members))


def test_a_program_that_only_computes_is_clear(tmp_path: Path) -> None:
    found = in_pt2(tmp_path, ("m/models/model.json", _PLAIN), ("m/data/weights/weight_0", "{ not JSON"))
    assert (found.names, found.runs, found.doubt) == (set(), (), "")


@pytest.mark.filterwarnings("ignore:Duplicate name")
@pytest.mark.parametrize(
    "members",
    [
        [("m/models/model.json", _EVIL)],
        [("m/models/model.json", _EVIL), ("m/models/model.json", _PLAIN)],
        [("m/models/model.json", _PLAIN), ("m/models/model.json", _EVIL)],
        [("m/models/other.JSON", _EVIL)],
        [("serialized_exported_program.json", _EVIL)],
    ],
)
def test_expressions_are_found_under_every_name(tmp_path: Path, members: list[tuple[str, str]]) -> None:
    assert in_pt2(tmp_path, *members).runs == ("the expression \"__import__('os').system('id')\"",)


@pytest.mark.parametrize("name", ["m/data/aotinductor/model/a.bin", "m/extra/libevil.so"])
def test_machine_code_is_code(tmp_path: Path, name: str) -> None:
    assert in_pt2(tmp_path, (name, "")).runs == (f"the machine code {name}",)


@pytest.mark.parametrize("content", ["{", "[" * 100_000, "\ud800"])
def test_what_cannot_be_read_is_in_doubt(tmp_path: Path, content: str) -> None:
    path = tmp_path / "model.pt2"
    with zipfile.ZipFile(path, "w") as made:
        made.writestr("m/models/model.json", content.encode("utf-8", "surrogatepass"))
    assert programs.of_pt2(path).doubt


def test_a_second_directory_is_in_doubt(tmp_path: Path) -> None:
    """Python finds the directory before the end record, torch where the end record says that it is."""
    path = archive(tmp_path / "model.pt", ("m/code/__torch__.py", "def forward(self, x):\n  return x\n"))
    assert not programs.of_torchscript(path).doubt
    path.write_bytes(b"\0" * 100 + path.read_bytes())
    assert "directory" in programs.of_torchscript(path).doubt


#: Where a record of a zip archive has its flags, its method, and its sizes (APPNOTE 4.3.7 and 4.3.12).
_IN_ENTRY = {"flags": 8, "method": 10, "packed size": 20, "size": 24, "header at": 42}


def patched(content: bytes, field_name: str, value: bytes) -> bytes:
    """The same archive, with a field of the last entry of its directory changed."""
    at = content.rindex(b"PK\x01\x02") + _IN_ENTRY[field_name]
    return content[:at] + value + content[at + len(value) :]


def renamed(content: bytes, old: bytes, new: bytes) -> bytes:
    """The same archive, one of whose members has another name at its start than in the directory."""
    assert len(old) == len(new)
    return content.replace(old, new, 1)


ODD_ZIPS: dict[str, Callable[[bytes], bytes]] = {
    "other name in the directory": lambda content: renamed(content, b"m/models/model.json", b"m/models/model.txt_"),
    "after something else": lambda content: b"#!/bin/sh\n" + content,
    "before something else": lambda content: content + b"\0" * 70_000,
    "directory twice": lambda content: content + content[content.index(b"PK\x01\x02") :],
    "another archive after it": lambda content: content + content,
    "encrypted": lambda content: patched(content, "flags", b"\x01\x00"),
    "unknown method": lambda content: patched(content, "method", b"\x63\x00"),
    "no size": lambda content: patched(content, "size", bytes(4)),
    "no packed size": lambda content: patched(content, "packed size", bytes(4)),
    "zip64 without its field": lambda content: patched(content, "size", b"\xff" * 4),
    "header elsewhere": lambda content: patched(content, "header at", b"\x05\x00\x00\x00"),
    "cut": lambda content: content[:-10],
}


@pytest.mark.parametrize("oddity", ODD_ZIPS)
def test_no_oddity_of_a_zip_hides_a_member(tmp_path: Path, oddity: str) -> None:
    """Readers differ on such archives: what Python does not see in one, torch may open."""
    plain = archive(tmp_path / "plain.pt2", ("archive_format", "pt2"), ("m/models/model.json", _EVIL)).read_bytes()
    path = tmp_path / "model.pt2"
    path.write_bytes(ODD_ZIPS[oddity](plain))
    assert path.read_bytes() != plain
    found = programs.of_pt2(path)
    assert found.runs or found.doubt
    if oddity == "encrypted":
        assert found.doubt == "its member m/models/model.json is encrypted"


@pytest.mark.parametrize("name", ["m/code/__torch__.py", "m/code/a/b.py", "m/CODE/__torch__.PY"])
def test_operators_of_scripts_are_found(tmp_path: Path, name: str) -> None:
    found = programs.of_torchscript(archive(tmp_path / "model.pt", ("m/data.pkl", "N."), (name, _WRITES)))
    assert found.runs == ("the operator torch.save",)


def test_scripts_of_the_first_format_are_in_doubt(tmp_path: Path) -> None:
    assert programs.of_torchscript(archive(tmp_path / "model.pt", ("m/model.json", "{}"))).doubt


def field(number: int, content: bytes) -> bytes:
    assert len(content) < 128
    return bytes([number << 3 | 2, len(content)]) + content


def saved_model(folder: Path, operator: bytes) -> Path:
    """A SavedModel of one node."""
    folder.mkdir()
    node = field(1, b"n") + field(2, operator)
    graph = field(1, node)
    (folder / "saved_model.pb").write_bytes(b"\x08\x01" + field(2, field(2, graph)))
    return folder


def test_operators_of_graphs_are_found(tmp_path: Path) -> None:
    assert programs.of_saved_model(saved_model(tmp_path / "good", b"MatMul")).runs == ()
    for operator in ("WriteFile", "PyFunc", "CSVDataset", "DumpTensor", "OfALaterTensorFlow"):
        found = programs.of_saved_model(saved_model(tmp_path / operator, operator.encode()))
        assert found.runs == (f"the operator {operator}",)


def test_a_second_graph_is_in_doubt(tmp_path: Path) -> None:
    folder = saved_model(tmp_path / "model", b"MatMul")
    (folder / "saved_model.cpb").write_bytes(b"")
    assert "saved_model.cpb" in programs.of_saved_model(folder).doubt


def test_a_refusal_names_the_operator_and_how_to_trust_it(tmp_path: Path) -> None:
    model = saved_model(tmp_path / "model", b"WriteFile")
    request = Request(model=model, source="savedmodel", format="onnx", variant="float32")
    with pytest.raises(ConversionError) as caught:
        admit(request)
    assert caught.value.message == "model would run the operator WriteFile when it is opened."
    digest = digest_of([model / "saved_model.pb"])
    assert f"write `trusted: sha256:{digest}` into the budget, or give --trust." in caught.value.hint
    assert caught.value.exit_code == 3
    for trusted in (TRUST_ALL, f"sha256:{digest}"):
        request = Request(model=model, source="savedmodel", format="onnx", variant="float32", trusted=trusted)
        assert admit(request).request.trusted == TRUST_ALL


def layer(**keys: object) -> str:
    inside = {"module": "keras.layers", "class_name": "Dense", "config": {}, "registered_name": None, **keys}
    model = {"module": "keras", "class_name": "Sequential", "config": {"layers": [inside]}}
    return json.dumps({**model, "compile_config": {"loss": {"module": "mine", "class_name": "Loss"}}})


@pytest.mark.parametrize(
    ("configuration", "said"),
    [
        (layer(), ()),
        (layer(module=None, class_name="Own", registered_name="Own"), ()),
        (layer(class_name="function", module="builtins", config="relu"), ()),
        (layer(class_name="Lambda"), ("a Lambda layer or other Python code",)),
        (layer(config={"f": {"class_name": "__lambda__"}}), ("a Lambda layer or other Python code",)),
        (layer(class_name="TFSMLayer"), ("a TFSMLayer, which is a program",)),
        (layer(module="os", class_name="system"), ("the class os.system",)),
        (layer(module="keras.utils", class_name="get_file"), ("the class keras.utils.get_file",)),
        (layer(module="builtins", class_name="exec"), ("the class builtins.exec",)),
        (layer(class_name="StringLookup", config={"vocabulary": ["a", "b"]}), ()),
        (
            layer(class_name="StringLookup", config={"vocabulary": "/etc/passwd"}),
            ("a StringLookup layer that reads the file '/etc/passwd'",),
        ),
    ],
)
def test_classes_of_keras_models(tmp_path: Path, configuration: str, said: tuple[str, ...]) -> None:
    path = archive(tmp_path / "model.keras", ("metadata.json", "{}"), ("config.json", configuration))
    found = programs.of_keras(path)
    assert (found.runs, found.doubt) == (said, "")


@pytest.mark.convert
def test_hdf5_whose_configuration_is_not_found_is_in_doubt(tmp_path: Path) -> None:
    h5py = pytest.importorskip("h5py")
    path = tmp_path / "model.h5"
    with h5py.File(path, "w") as file:
        file.attrs["model_config"] = layer(class_name="Lambda")
    assert programs.of_hdf5(path).runs == ("a Lambda layer or other Python code",)
    with h5py.File(path, "w") as file:
        file.attrs.create("model_config", layer(class_name="Lambda").encode(), dtype=f"S{4000}")
    assert "model_config" in programs.of_hdf5(path).doubt
    with h5py.File(path, "w") as file:
        file["weights"] = [1.0]
    assert programs.of_hdf5(path) == PickledImports()
