"""Files that are taken for a model that edgecheck reads and are not: what they are, and what to give instead.

Part of `formats`, on the way of every command: it imports no reader.
"""

from __future__ import annotations

import re
from pathlib import Path

from edgecheck.anatomy.accounting.limits import MOST_PARTS, Damage
from edgecheck.anatomy.encodings.span import Span
from edgecheck.anatomy.encodings.wire import BYTES, VARINT, fields
from edgecheck.errors import ModelError

_ONNX_OR = "Give the .onnx, .tflite, Keras or PyTorch model that it was made from"
#: How models for other runtimes begin; what they are; what to give instead.
_COMPILED = (
    # https://github.com/ggml-org/ggml/blob/master/docs/gguf.md: the magic, a version; before, ggml had others
    (b"GGUF", "a GGUF file for llama.cpp", "Give the .safetensors or PyTorch model that it was made from"),
    (b"tjgg", "a GGML file for llama.cpp", "Give the .safetensors or PyTorch model that it was made from"),
    (b"lmgg", "a GGML file for llama.cpp", "Give the .safetensors or PyTorch model that it was made from"),
    # https://docs.nvidia.com/deeplearning/tensorrt/: a plan has no public layout; all versions begin with this tag
    (b"ftrt", "a TensorRT engine, compiled for one GPU", _ONNX_OR),
    (b"ptrt", "a TensorRT engine, compiled for one GPU", _ONNX_OR),
    # https://github.com/airockchip/rknn-toolkit2: the header's first four bytes
    (b"RKNN", "an RKNN model for Rockchip's NPU", _ONNX_OR),
    # https://github.com/hailo-ai/hailort, hailort/libhailort/src/hef: HEADER_MAGIC 0x01484546, big-endian
    (b"\x01HEF", "a HEF file for Hailo's accelerators", _ONNX_OR),
    # https://github.com/Tencent/ncnn/wiki/param-and-model-file-structure: the magic number is the first line
    (b"7767517\n", "an ncnn .param file", _ONNX_OR),
    (b"7767517\r\n", "an ncnn .param file", _ONNX_OR),
    # https://xgboost.readthedocs.io/en/release_1.7.0/tutorials/saving_model.html: the binary format before JSON
    (b"binf", "a model in the oldest format of XGBoost", "Open it with XGBoost 1.x or 2.x and save it as .ubj"),
)
#: How other files begin; what they are; what to do.
_OTHERS = (
    (b"\x93NUMPY", "a NumPy array", "Name the model; an array like this may be its `samples`"),
    (b"\x89PNG", "a PNG picture", "Name the model's file"),
    (b"\xff\xd8\xff", "a JPEG picture", "Name the model's file"),
    (b"%PDF", "a PDF document", "Name the model's file"),
    (b"\x7fELF", "a program for Linux", "Name the model's file"),
    (b"7z\xbc\xaf", "a 7z archive", "Unpack it and name the file inside"),
    (b"\x28\xb5\x2f\xfd", "compressed with zstd", "Unpack it and name the file inside"),
)
#: Other flatbuffers, by the identifier in bytes 4 to 8. ExecuTorch's (program.fbs) counts its versions: ET12, …
_FLATBUFFERS = (
    (re.compile(rb"ORTM"), "ONNX Runtime's own .ort format", "Give the .onnx file that it was made from"),
    (re.compile(rb"ET\d\d"), "an ExecuTorch program (.pte)", "Give the .pt2 file that it was made from"),
)
#: Documents of models, by what is in their first 4 KiB.
_DOCUMENTS = (
    # https://docs.openvino.ai, "OpenVINO IR format": the outermost element is <net>
    (
        re.compile(rb"^(?:<\?xml[^>]*>\s*)?(?:<!--.*?-->\s*)*<net[\s>]", re.DOTALL),
        "the graph of an OpenVINO IR model, whose weights are in the .bin next to it",
        _ONNX_OR,
    ),
    # https://github.com/tensorflow/tfjs/blob/master/tfjs-core/src/io/types.ts, interface ModelJSON
    (
        re.compile(
            rb'^\{.*?"(?:format"\s*:\s*"(?:layers|graph)-model"|modelTopology"\s*:|weightsManifest"\s*:)', re.DOTALL
        ),
        "a TensorFlow.js model, whose weights are in the .bin files next to it",
        "Give the .keras, .h5 or SavedModel that it was made from, or convert it back with tensorflowjs_converter",
    ),
    (
        re.compile(rb'^\{.*?"(?:features_info|oblivious_trees|model_info)"\s*:', re.DOTALL),
        "a CatBoost model as JSON",
        "Save it as .cbm: model.save_model('model.cbm')",
    ),
    (
        re.compile(rb'^\{\s*"name"\s*:\s*"tree"', re.DOTALL),
        "a dump of a LightGBM model for reading, which LightGBM does not open",
        "Save it with booster.save_model('model.txt')",
    ),
    (
        re.compile(rb'^(?:\[\s*\{\s*"nodeid"\s*:|booster\[0\]:)', re.DOTALL),
        "a dump of an XGBoost model for reading, which XGBoost does not open",
        "Save it with model.save_model('model.ubj')",
    ),
)
#: An engine by Ultralytics' exporter: the length of a JSON text (u32), the text, and the engine.
_ENGINE_BEHIND_JSON = re.compile(rb"^..\0\0\{\"")
#: Where a tar archive has its magic string.
_TAR_AT = slice(257, 262)
#: How a SavedModel message begins: saved_model_schema_version (field 1) is 1, then meta_graphs (field 2).
_SAVED_MODEL_PB = b"\x08\x01\x12"
#: Bytes of the longest character in UTF-8.
_LONGEST_CHARACTER = 4
#: Fields of Core ML's Model (https://apple.github.io/coremltools/mlmodel/Format/Model.html): specificationVersion,
#: description, isUpdatable; from 200 on, the kinds of models, of which a file has one.
_MLMODEL_WIRES = {1: VARINT, 2: BYTES, 10: VARINT}
_MLMODEL_KINDS = range(200, 4000)


def foreign(path: Path, head: bytes) -> ModelError | None:
    """The error for a file that is known not to be a model that edgecheck reads, by its first bytes, or `None`."""
    if head.startswith(b"version https://git-lfs"):
        return ModelError(f"{path} is a git-lfs pointer, not the model itself.", "Run `git lfs pull`.")
    if (error := _for_another_runtime(path, head)) is not None:
        return error
    lowered = head.lstrip(b"\xef\xbb\xbf \t\r\n").lower()
    if lowered.startswith((b"<!doctype html", b"<html", b"<head", b"<?xml", b"<error")):
        return ModelError(
            f"{path} is a web page that was saved under a model's name.",
            "The download led to an error or a login page; download the model itself.",
        )
    for signature, what, advice in _OTHERS:
        if head.startswith(signature):
            return ModelError(f"{path} is not a model: it is {what}.", f"{advice}.")
    if head[_TAR_AT] == b"ustar":
        return ModelError(f"{path} is a tar archive.", "Unpack it and name the model inside.")
    if path.name == "saved_model.pb" and head.startswith(_SAVED_MODEL_PB):
        return ModelError(f"{path} is one file of a SavedModel.", f"Name its folder: {path.parent}.")
    return _text(path, head)


def _for_another_runtime(path: Path, head: bytes) -> ModelError | None:
    """The error for a model of a runtime that edgecheck does not use."""
    for signature, what, advice in _COMPILED:
        if head.startswith(signature):
            return _unread(path, what, advice)
    for identifier, what, advice in _FLATBUFFERS:
        if identifier.fullmatch(head[4:8]):
            return _unread(path, what, advice)
    text = head.lstrip(b"\xef\xbb\xbf \t\r\n")
    for pattern, what, advice in _DOCUMENTS:
        if pattern.match(text):
            return _unread(path, what, advice)
    if _ENGINE_BEHIND_JSON.match(head):
        return _unread(path, "a TensorRT engine behind Ultralytics' description of it", _ONNX_OR)
    return None


def _unread(path: Path, what: str, advice: str) -> ModelError:
    return ModelError(f"{path} is {what}, which edgecheck does not read.", f"{advice}.")


def is_mlmodel(span: Span) -> bool:
    """Whether the top level is Core ML's Model: its version, its description and one kind of model."""
    seen: dict[int, int] = {}
    try:
        for count, field in enumerate(fields(span.data, span.start, span.start + span.size)):
            is_kind = field.number in _MLMODEL_KINDS and field.wire == BYTES
            if count > MOST_PARTS or not (is_kind or _MLMODEL_WIRES.get(field.number) == field.wire):
                return False
            key = _MLMODEL_KINDS.start if is_kind else field.number
            seen[key] = seen.get(key, 0) + 1
    except Damage:
        return False
    return {1, 2} <= seen.keys() and seen.get(_MLMODEL_KINDS.start) == 1


def mlmodel(path: Path) -> ModelError:
    """The error for a file that `is_mlmodel`."""
    return _unread(
        path, "a Core ML .mlmodel", "Save it as .mlpackage for `edgecheck size`; to run it, g" + _ONNX_OR[1:]
    )


def compiled_folder(path: Path) -> ModelError | None:
    """The error for a folder that holds a model of another runtime, or `None`."""
    if (path / "coremldata.bin").is_file():
        return _unread(path, "a compiled Core ML model (.mlmodelc)", "Give the .mlpackage that it was compiled from")
    return None


def _text(path: Path, head: bytes) -> ModelError | None:
    """The error for a text file, or `None`."""
    try:
        text = head.decode("utf-8")
    except UnicodeDecodeError as error:
        if len(head) - error.start >= _LONGEST_CHARACTER:  # otherwise the last character is only cut off
            return None
        text = head[: error.start].decode("utf-8")
    if not text or any(letter < " " and letter not in "\t\n\r\f" for letter in text):
        return None
    line = text.strip().partition("\n")[0][:60].rstrip()
    return ModelError(
        f"{path} is a text file, not a model; it begins with {line!r}." if line else f"{path} contains only blanks.",
        "Name the file that the training or the export wrote.",
    )
