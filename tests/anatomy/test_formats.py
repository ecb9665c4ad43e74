"""The format is recognised by the bytes; other files are refused with a sentence and a hint.

Also covers `foreign.py`.
"""

from __future__ import annotations

import gzip
import os
import subprocess
import sys
import zipfile
from pathlib import Path

import numpy as np
import pytest

from edgecheck.anatomy.formats import SUFFIXES, ModelFormat, identify
from edgecheck.errors import ModelError
from examples.real_models import fetch
from tests.anatomy.real_anatomies import FILES, NAMES
from tests.anatomy.small_files import (
    archive,
    keras_archive,
    npy,
    pickled,
    safetensors,
    save,
    torch_archive,
    torch_tensor,
)

BY_SUFFIX = {
    ".tflite": ModelFormat.TFLITE,
    ".onnx": ModelFormat.ONNX,
    ".hdf5": ModelFormat.HDF5,
    ".mlpackage": ModelFormat.MLPACKAGE,
    ".pt": ModelFormat.TORCH_LEGACY,
    ".pth": ModelFormat.TORCH_LEGACY,
    ".joblib": ModelFormat.JOBLIB,
    "": ModelFormat.SAVED_MODEL,
}
TENSOR = torch_tensor("0", "FloatStorage", 2, (0, (2,), (1,)))


@pytest.mark.parametrize("name", NAMES)
def test_real_models_are_recognised(name: str) -> None:
    path = fetch(name)
    assert identify(path) is BY_SUFFIX[path.suffix]


@pytest.mark.parametrize("name", FILES)
def test_the_name_does_not_matter(name: str, tmp_path: Path) -> None:
    expected = identify(fetch(name))
    path = save(tmp_path / "model.safetensors", fetch(name).read_bytes())
    assert identify(path) is expected


MADE = {
    "torch-zip": torch_archive({"w": TENSOR}, {"0": bytes(8)}),
    "torchscript": archive({"net/data.pkl": b"", "net/constants.pkl": b"", "net/code/net.py": b""}),
    "pt2": archive({"net/archive_format": b"pt2", "net/models/model.json": b"{}"}),
    "keras": keras_archive(b""),
    "skops": archive({"schema.json": b"{}"}),
    "safetensors": safetensors({"w": {"dtype": "F32", "shape": [1], "data_offsets": [0, 4]}}, bytes(4)),
    "pickle": pickled({"w": np.zeros(3)}),
}
OLD_PT2 = archive({"serialized_exported_program.json": b"{}", "version": b"1.1", "serialized_state_dict.pt": b""})


@pytest.mark.parametrize("expected", MADE)
def test_small_files_are_recognised(expected: str, tmp_path: Path) -> None:
    assert identify(save(tmp_path / "model", MADE[expected])).value == expected


def test_the_older_layout_of_pt2_is_recognised(tmp_path: Path) -> None:
    assert identify(save(tmp_path / "model", OLD_PT2)) is ModelFormat.PT2


@pytest.mark.parametrize("protocol", range(6))
def test_pickles_of_every_protocol_are_recognised(protocol: int, tmp_path: Path) -> None:
    path = save(tmp_path / "model", pickled({"w": np.zeros(3)}, protocol))
    assert identify(path) is ModelFormat.PICKLE


REFUSED = {
    "empty": (b"", "is empty.", "Export or download it again."),
    "blank": (b" \n" * 9, "contains only blanks.", "Name the file that"),
    "web page": (
        b"\n<!DOCTYPE html><html>",
        "is a web page that was saved under a model's name.",
        "download the model",
    ),
    "XML error": (b"<?xml version='1.0'?><Error>", "is a web page that", "download the model"),
    "git-lfs": (
        b"version https://git-lfs.github.com/spec/v1\noid sha256:1\nsize 9\n",
        "is a git-lfs pointer, not the model itself.",
        "Run `git lfs pull`.",
    ),
    "text": (b"# Weights\nSee below.\n", "is a text file, not a model; it begins with '# Weights'.", "Name the file"),
    "cut UTF-8": ("Gewichte für".encode()[:-2] + "ü".encode()[:1], "is a text file", "Name the file"),
    "GGUF": (b"GGUF\x03\0\0\0" + bytes(99), "is a GGUF file for llama.cpp, which", "Give the .safetensors"),
    "OpenVINO": (
        b'\xef\xbb\xbf<?xml version="1.0"?>\n<!-- by mo -->\n<net name="n" version="11"><layers>',
        "is the graph of an OpenVINO IR model",
        "Give the .onnx",
    ),
    "OpenVINO without a declaration": (b'<net name="n" version="10">', "OpenVINO IR", "Give the .onnx"),
    "TensorRT": (b"ftrt" + bytes(99), "is a TensorRT engine, compiled for one GPU, which", "Give the .onnx"),
    "TensorRT by Ultralytics": (b'\x40\x01\0\0{"description": "x"}ftrt' + bytes(99), "a TensorRT engine", "Give the"),
    "RKNN": (b"RKNN" + bytes(99), "is an RKNN model for Rockchip's NPU", "Give the .onnx"),
    "Hailo": (b"\x01HEF\0\0\0\x02" + bytes(99), "is a HEF file for Hailo's accelerators", "Give the .onnx"),
    "ncnn": (b"7767517\n75 83\nInput data 0 1 data\n", "is an ncnn .param file", "Give the .onnx"),
    "Core ML": (b"\x08\x05\x12\x02\x0a\0\xa2\x1f\x03abc", "is a Core ML .mlmodel", "Save it as .mlpackage"),
    "TensorFlow.js": (
        b'{"format": "layers-model", "generatedBy": "keras v3", "modelTopology": {}}',
        "is a TensorFlow.js model",
        "Give the .keras",
    ),
    "TensorFlow.js, old": (
        b'{"modelTopology": {"node": []}, "weightsManifest": []}',
        "TensorFlow.js",
        "tensorflowjs_con",
    ),
    "CatBoost JSON": (
        b'{\n "features_info": {}, "oblivious_trees": []}',
        "is a CatBoost model as JSON",
        "Save it as .cbm",
    ),
    "LightGBM dump": (
        b'{"name": "tree", "version": "v4", "tree_info": []}',
        "a dump of a LightGBM",
        "booster.save_model",
    ),
    "XGBoost dump": (b'[\n  { "nodeid": 0, "depth": 0}]', "a dump of an XGBoost model", "model.save_model"),
    "array": (npy(np.zeros(3)), "is not a model: it is a NumPy array.", "`samples`"),
    "arrays": (archive({"a.npy": b"", "b.npy": b""}), "is a NumPy archive of arrays, not a model.", "`samples`"),
    "picture": (b"\x89PNG\r\n\x1a\n" + bytes(99), "it is a PNG picture.", "Name the model's file."),
    "program": (b"\x7fELF" + bytes(99), "it is a program for Linux.", "Name the model's file."),
    "ORT": (b"\x10\0\0\0ORTM" + bytes(99), "is ONNX Runtime's own .ort format", "Give the .onnx file"),
    "ExecuTorch": (b"\x10\0\0\0ET12" + bytes(99), "is an ExecuTorch program", "Give the .pt2 file"),
    "ExecuTorch, later": (b"\x10\0\0\0ET13" + bytes(99), "is an ExecuTorch program", "Give the .pt2 file"),
    "tar": (bytes(257) + b"ustar" + bytes(250), "is a tar archive.", "Unpack it"),
    "gzip": (gzip.compress(b"nothing"), "is compressed with gzip.", "Unpack it"),
    "zipped model": (archive({"a/net.onnx": b""}), "is a zip archive that holds a/net.onnx.", "Unpack it"),
    "zipped folder": (archive({"m/saved_model.pb": b""}), "is a zip archive of a SavedModel.", "name the folder"),
    "zipped package": (archive({"m/Manifest.json": b""}), "is a zip archive of an .mlpackage.", "name the folder"),
    "zip": (archive({"a.txt": b""}), "is a zip archive, but not a model.", "Name the model's own file."),
    "noise": (bytes(range(255, 0, -1)) * 9, "its 2,295 bytes fit no known format.", "edgecheck reads .tflite"),
    "cut zip": (MADE["torch-zip"][:60], "without its end: it has been cut off.", "Download or export it again"),
    "cut safetensors": (MADE["safetensors"][:20], "it has been cut off.", "Download or export it again"),
    "cut TFLite": (b"\xff\0\0\0TFL3", "its first table is at byte 255, beyond its 8 bytes.", "Download"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_other_files_are_refused(case: str, tmp_path: Path) -> None:
    content, sentence, hint = REFUSED[case]
    path = save(tmp_path / "a model.tflite", content)
    with pytest.raises(ModelError) as caught:
        identify(path)
    assert caught.value.message.startswith(str(path))
    assert sentence in caught.value.message
    assert hint in caught.value.hint
    assert caught.value.exit_code == 2


def test_a_cut_onnx_model_is_recognised(tmp_path: Path) -> None:
    content = fetch("mtcnn_onet.onnx").read_bytes()
    with pytest.raises(ModelError, match="it is an ONNX model that has been cut off"):
        identify(save(tmp_path / "m.onnx", content[: len(content) // 2]))


def test_paths_that_do_not_exist_are_reported(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="does not exist"):
        identify(tmp_path / "none.onnx")
    (tmp_path / "dangling.onnx").symlink_to(tmp_path / "none.onnx")
    with pytest.raises(ModelError, match="is a link to a file that does not exist"):
        identify(tmp_path / "dangling.onnx")
    (tmp_path / "loop.onnx").symlink_to(tmp_path / "loop.onnx")
    with pytest.raises(ModelError, match="is a link that leads to itself"):
        identify(tmp_path / "loop.onnx")
    with pytest.raises(ModelError, match="is not a path"):
        identify(tmp_path / "a\0b")
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(ModelError, match="is neither a file nor a folder"):
        identify(tmp_path / "pipe")


def test_folders_that_are_not_models_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match=r"neither a SavedModel \(no saved_model.pb\) nor an .mlpackage"):
        identify(tmp_path)
    save(tmp_path / "net.onnx", b"")
    with pytest.raises(ModelError) as caught:
        identify(tmp_path)
    assert str(tmp_path / "net.onnx") in caught.value.hint


def test_one_file_of_a_saved_model_leads_to_its_folder(tmp_path: Path) -> None:
    content = (fetch("nmp_saved_model") / "saved_model.pb").read_bytes()
    with pytest.raises(ModelError) as caught:
        identify(save(tmp_path / "saved_model.pb", content))
    assert caught.value.hint == f"Name its folder: {tmp_path}."


def test_a_path_with_blanks_and_other_alphabets_is_fine(tmp_path: Path) -> None:
    path = save(tmp_path / "modèle de β 模型.onnx", fetch("mtcnn_pnet.onnx").read_bytes())
    assert identify(path) is ModelFormat.ONNX


def test_every_format_has_a_usual_name_or_is_a_folder() -> None:
    assert set(SUFFIXES) == set(ModelFormat)
    assert [each for each, suffixes in SUFFIXES.items() if not suffixes] == [ModelFormat.SAVED_MODEL]


def test_identifying_imports_the_standard_library_only() -> None:
    code = "import sys, edgecheck.anatomy.formats; print(*(name.partition('.')[0] for name in sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    loaded = set(done.stdout.split())
    assert loaded <= sys.stdlib_module_names | {"edgecheck", "__main__", "sitecustomize", "_distutils_hack"} | {
        name for name in loaded if name.startswith(("__editable__", "_virtualenv", "distutils-precedence"))
    }
    assert not {"zipfile", "pickletools", "tempfile", "json", "dataclasses", "inspect"} & loaded


def test_a_zip_comment_that_looks_like_an_end_record_does_not_confuse(tmp_path: Path) -> None:
    path = save(tmp_path / "net.pt", MADE["torch-zip"])
    with zipfile.ZipFile(path, "a") as opened:
        opened.comment = b"PK\x05\x06 is not the end"
    assert identify(path) is ModelFormat.TORCH_ZIP


def test_names_in_messages_cannot_steer_the_terminal(tmp_path: Path) -> None:
    name = "\x1b[31m\N{RIGHT-TO-LEFT OVERRIDE}.onnx"
    archived = save(tmp_path / "m.zip", archive({name: b""}))
    folder = tmp_path / "models"
    folder.mkdir()
    (folder / name).write_bytes(b"")
    for path in (archived, folder):
        with pytest.raises(ModelError) as caught:
            identify(path)
        said = caught.value.message + caught.value.hint
        assert ".onnx" in said
        assert said.isprintable()


def test_a_compiled_core_ml_folder_is_named(tmp_path: Path) -> None:
    save(tmp_path / "coremldata.bin", b"\0")
    with pytest.raises(ModelError, match="is a compiled Core ML model"):
        identify(tmp_path)
