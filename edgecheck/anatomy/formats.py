"""The format of a model, recognised by its bytes and never by its name.

This is on the way of every command: it imports no reader.
"""

from __future__ import annotations

import errno
import os
import re
import stat
from enum import Enum
from pathlib import Path

from edgecheck.anatomy.accounting.limits import cut
from edgecheck.anatomy.encodings.span import Damage, Span, explained, mapped
from edgecheck.anatomy.encodings.streams import compression, unpacked_head
from edgecheck.anatomy.encodings.wire import BYTES, VARINT, fields, varint
from edgecheck.anatomy.encodings.ziparchive import STORED, Member, read_archive
from edgecheck.anatomy.foreign import compiled_folder, foreign, is_mlmodel, mlmodel
from edgecheck.errors import ModelError


class ModelFormat(str, Enum):
    """The formats that are read here, under the names in reports and JSON."""

    TFLITE = "tflite"
    ONNX = "onnx"
    KERAS = "keras"
    HDF5 = "hdf5"
    SAVED_MODEL = "savedmodel"
    TORCH_ZIP = "torch-zip"
    """A state dict, a checkpoint or a pickled module, as torch has saved them since 1.6: a zip archive."""
    TORCH_LEGACY = "torch-legacy"
    """The same, as torch saved them before 1.6: consecutive pickles."""
    TORCHSCRIPT = "torchscript"
    PT2 = "pt2"
    SAFETENSORS = "safetensors"
    PICKLE = "pickle"
    JOBLIB = "joblib"
    SKOPS = "skops"
    MLPACKAGE = "mlpackage"
    XGBOOST = "xgboost"
    """XGBoost's `save_model`, as JSON or UBJSON."""
    LIGHTGBM = "lightgbm"
    """LightGBM's `save_model`, a text."""
    CATBOOST = "catboost"
    """CatBoost's `save_model` in its own binary format."""


#: The usual suffixes of each format; the first is the recommended one.
SUFFIXES = {
    ModelFormat.TFLITE: (".tflite", ".lite"),
    ModelFormat.ONNX: (".onnx",),
    ModelFormat.KERAS: (".keras",),
    ModelFormat.HDF5: (".h5", ".hdf5", ".keras"),
    ModelFormat.SAVED_MODEL: (),
    ModelFormat.TORCH_ZIP: (".pt", ".pth", ".bin", ".ckpt", ".tar"),
    ModelFormat.TORCH_LEGACY: (".pt", ".pth", ".bin", ".ckpt", ".tar"),
    ModelFormat.TORCHSCRIPT: (".pt", ".pth", ".ts", ".ptl", ".torchscript"),
    ModelFormat.PT2: (".pt2",),
    ModelFormat.SAFETENSORS: (".safetensors",),
    ModelFormat.PICKLE: (".pkl", ".pickle", ".joblib", ".sav"),
    ModelFormat.JOBLIB: (".joblib", ".pkl", ".pickle", ".sav"),
    ModelFormat.SKOPS: (".skops",),
    ModelFormat.MLPACKAGE: (".mlpackage",),
    ModelFormat.XGBOOST: (".ubj", ".json", ".model", ".xgb"),
    ModelFormat.LIGHTGBM: (".txt", ".model", ".lgb"),
    ModelFormat.CATBOOST: (".cbm",),
}

#: Fields of onnx's ModelProto and their wire types: ir_version, producer_name, producer_version, domain, model_version,
#: doc_string, graph, opset_import, metadata_props, training_info, functions, configuration.
_ONNX_WIRES = {
    1: VARINT, 2: BYTES, 3: BYTES, 4: BYTES, 5: VARINT, 6: BYTES, 7: BYTES, 8: BYTES, 14: BYTES, 20: BYTES, 25: BYTES,
    26: BYTES,
}  # fmt: skip
_ONNX_GRAPH = 7
#: The tag of ir_version: field 1, VARINT. Writers put it first.
_ONNX_FIRST_TAG = 1 << 3 | VARINT
#: No model has this many functions and properties; without a limit, a file of tiny fields would take minutes.
_ONNX_MOST_FIELDS = 1_000_000
#: What the format's own library allows.
_SAFETENSORS_LONGEST_HEADER = 100_000_000
_HDF5 = b"\x89HDF\r\n\x1a\n"
#: Where an HDF5 file may begin, after a user block.
_HDF5_PLACES = (0, 512, 1024, 2048, 4096)


def identify(path: Path) -> ModelFormat:
    """The format of the model at `path`, a file or a folder, by the ends of the file.

    Raises:
        ModelError: the path does not exist, is not a model that edgecheck reads, or has been cut off.
    """
    if stat.S_ISDIR(_status(path).st_mode):
        return _folder_format(path)
    with explained(path), mapped(path) as span:
        return _file_format(path, span)


def _status(path: Path) -> os.stat_result:
    try:
        status = path.stat()
    except FileNotFoundError:
        if path.is_symlink():
            raise ModelError(f"{path} is a link to a file that does not exist.", "Restore the file.") from None
        raise ModelError(
            f"{path} does not exist.", "Check the path; it is relative to the file or folder that names it."
        ) from None
    except OSError as error:
        if error.errno == errno.ELOOP:
            raise ModelError(f"{path} is a link that leads to itself.", "Link it to the model's file.") from None
        raise ModelError(f"{path} cannot be read: {error.strerror}.", "Check its path and permissions.") from None
    except ValueError as error:
        raise ModelError(f"{path!r} is not a path: {error}.", "Check the path.") from None
    if not stat.S_ISREG(status.st_mode) and not stat.S_ISDIR(status.st_mode):
        raise ModelError(f"{path} is neither a file nor a folder.", "Name the model's file.")
    return status


def is_model_folder(path: Path) -> bool:
    """Whether a folder is a model, whatever else lies in it: a SavedModel, or one of Core ML's."""
    return any((path / name).is_file() for name in ("saved_model.pb", "coremldata.bin")) or (
        (path / "Manifest.json").is_file() and (path / "Data").is_dir()
    )


def _folder_format(path: Path) -> ModelFormat:
    with explained(path):
        if (path / "saved_model.pb").is_file():
            return ModelFormat.SAVED_MODEL
        if (path / "Manifest.json").is_file() and (path / "Data").is_dir():
            return ModelFormat.MLPACKAGE
        if (error := compiled_folder(path)) is not None:
            raise error
        usual = {suffix for suffixes in SUFFIXES.values() for suffix in suffixes}
        inside = sorted(each.name for each in path.iterdir() if each.suffix.lower() in usual)
    if inside:
        raise ModelError(f"{path} is a folder.", f"Name the model inside, for example {path / cut(inside[0])}.")
    raise ModelError(
        f"{path} is a folder, but neither a SavedModel (no saved_model.pb) nor an .mlpackage.",
        "Name the model's file, or the folder that holds saved_model.pb.",
    )


def _file_format(path: Path, span: Span) -> ModelFormat:
    """The format of a file: those with a signature first, ONNX, which has none, last."""
    if not span.size:
        raise ModelError(f"{path} is empty.", "Export or download it again.")
    head = span.raw(0, min(span.size, 4096))
    if head.startswith((b"PK\x03\x04", b"PK\x05\x06")):
        return ModelFormat(_zip_format(path, span))
    for recognises, found in (
        (_is_tflite, ModelFormat.TFLITE),
        (_is_hdf5, ModelFormat.HDF5),
        (_is_safetensors, ModelFormat.SAFETENSORS),
    ):
        if recognises(span, head):
            return found
    name = _boosters_format(head) or _pickle_format(span, head) or _compressed_pickle(path, span, head)
    if name is not None:
        return ModelFormat(name)
    if (error := foreign(path, head)) is not None:
        raise error
    if _is_onnx(span):
        return ModelFormat.ONNX
    raise mlmodel(path) if is_mlmodel(span) else _unknown(path, span)


def _is_tflite(span: Span, head: bytes) -> bool:
    if head[4:8] != b"TFL3":  # the flatbuffer's file_identifier
        return False
    if span.u32(0) + 4 > span.size:
        raise Damage(f"its first table is at byte {span.u32(0):,}, beyond its {span.size:,} bytes")
    return True


def _is_hdf5(span: Span, head: bytes) -> bool:
    if head.startswith(_HDF5):
        return True
    return any(at + 8 <= span.size and span.raw(at, 8) == _HDF5 for at in _HDF5_PLACES)


def _is_safetensors(span: Span, head: bytes) -> bool:
    if head[8:9] != b"{":
        return False
    header = span.u64(0)  # the length of the JSON header
    if header > _SAFETENSORS_LONGEST_HEADER:
        raise Damage(f"its header claims {header:,} bytes, more than safetensors allows")
    if 8 + header > span.size:
        raise Damage(f"its header claims {header:,} bytes, and the file has {span.size:,}: it has been cut off")
    return True


def _is_onnx(span: Span) -> bool:
    """Whether the top level is onnx's ModelProto: only fields of it, and exactly one graph."""
    graphs = known = 0
    try:
        for field in fields(span.data, span.start, span.start + span.size):
            if _ONNX_WIRES.get(field.number) != field.wire:
                return False
            if known == _ONNX_MOST_FIELDS:
                return False
            known += 1
            graphs += field.number == _ONNX_GRAPH
    except Damage:
        if known and span.u8(0) == _ONNX_FIRST_TAG and _continues_like_onnx(span):
            raise Damage("it is an ONNX model that has been cut off") from None
        return False
    return graphs == 1


def _continues_like_onnx(span: Span) -> bool:
    """Whether the ir_version at the start of a cut-off file is followed by another field of ModelProto."""
    try:
        _, at = varint(span.data, span.start + 1, span.start + span.size)
        return span.data[at] >> 3 in _ONNX_WIRES
    except (Damage, IndexError):
        return False


def _unknown(path: Path, span: Span) -> ModelError:
    known = ", ".join(dict.fromkeys(suffixes[0] for suffixes in SUFFIXES.values() if suffixes))
    return ModelError(
        f"{path} is not a model that edgecheck reads: its {span.size:,} bytes fit no known format.",
        f"edgecheck reads {known} and SavedModel folders; if the file is one of these, it is damaged.",
    )


#: Suffixes of members that are models themselves.
_MODEL_SUFFIXES = (".tflite", ".onnx", ".keras", ".h5", ".hdf5", ".pt", ".pth", ".pt2", ".safetensors")

#: How torch's files began before 1.6: PROTO 2, and its magic number 0x1950a86a20f9469cfc6c as a LONG1 of ten bytes.
_TORCH_LEGACY = b"\x80\x02\x8a\nl\xfc\x9cF\xf9 j\xa8P\x19."
_PROTO = 0x80
_PROTOCOLS = (2, 3, 4, 5)
_SHORTEST = b"\x80\x02N."
#: Bytes in which joblib's name is searched, which takes about a millisecond.
_LOOK_AHEAD = 4 << 20
#: Opcodes with which an object may begin.
_PLAUSIBLE_NEXT = b"}])(NKJMGXUcVTCB\x88\x89\x8a\x8c\x95\x96\x8e\x8d\x8f\x91FILS"
#: How XGBoost's document begins, as JSON and as UBJSON.
_XGBOOST = re.compile(rb'\s*\{\s*"(?:learner"\s*:\s*\{|version"\s*:\s*\[)|\{L\0{7}\x07(?:learner\{|version\[)')
#: How writers of protocol 0 and 1 begin: a dict or a list (put into the memo at once), or an old instance.
_TEXT_BEGINNINGS = (b"(dp", b"(lp", b"(i", b"}q", b"]q")


def _zip_format(path: Path, span: Span) -> str:
    """The value of the archive's `ModelFormat`, by the names of its members.

    Raises:
        Damage: the archive has been cut off, or its directory is broken.
        ModelError: it is an archive, but not a model.
    """
    members = read_archive(span).members
    names = {member.name for member in members}
    if {"config.json", "metadata.json"} <= names:
        return "keras"
    inner = {name.partition("/")[2] for name in names}
    if {"serialized_exported_program.json", "version"} <= names or _says_pt2(span, members):
        return "pt2"
    if "data.pkl" in inner:
        return "torchscript" if "constants.pkl" in inner else "torch-zip"
    if "schema.json" in names:
        return "skops"
    raise _not_a_model(path, sorted(names))


def _says_pt2(span: Span, members: tuple[Member, ...]) -> bool:
    """Whether the archive has a member that names its format, as the current layout of .pt2 does."""
    for member in members:
        if member.name.rpartition("/")[2] == "archive_format" and member.method == STORED:
            return span.raw(member.start, min(member.size, 3)) == b"pt2"
    return False


def _not_a_model(path: Path, names: list[str]) -> ModelError:
    if names and all(name.endswith(".npy") for name in names):
        return ModelError(
            f"{path} is a NumPy archive of arrays, not a model.",
            "Name the model; arrays like these may be its `samples`.",
        )
    if any(name.endswith("saved_model.pb") for name in names):
        return ModelError(f"{path} is a zip archive of a SavedModel.", "Unpack it and name the folder.")
    if any(name.endswith("Manifest.json") for name in names):
        return ModelError(f"{path} is a zip archive of an .mlpackage.", "Unpack it and name the folder.")
    models = [name for name in names if name.lower().endswith(_MODEL_SUFFIXES)]
    if models:
        return ModelError(
            f"{path} is a zip archive that holds {cut(models[0])}.", "Unpack it and name the file inside."
        )
    return ModelError(f"{path} is a zip archive, but not a model.", "Name the model's own file.")


def _pickle_format(span: Span, head: bytes) -> str | None:
    """The value of the `ModelFormat` of an uncompressed pickle, or `None` for other files."""
    if head.startswith(_TORCH_LEGACY):
        return "torch-legacy"
    if not _is_binary_pickle(head) and not _is_text_pickle(span, head):
        return None
    return "joblib" if b"joblib" in span.raw(0, min(span.size, _LOOK_AHEAD)) else "pickle"


def _is_binary_pickle(head: bytes) -> bool:
    if len(head) < len(_SHORTEST):
        return False
    return head[0] == _PROTO and head[1] in _PROTOCOLS and head[2] in _PLAUSIBLE_NEXT


def _compressed_pickle(path: Path, span: Span, head: bytes) -> str | None:
    """The value of the `ModelFormat` of a pickle that joblib compressed, or `None` for uncompressed files.

    Raises:
        ModelError: the file is compressed, but does not contain a pickle.
    """
    name = compression(head)
    if name is None:
        return None
    inside = unpacked_head(span, name)
    if inside[:1] == b"\x80" or inside.startswith(b"c"):
        return "joblib"
    if name == "zlib":  # its signature has only two bytes, which other files have, too
        return None
    raise ModelError(f"{path} is compressed with {name}.", "Unpack it and name the file inside.")


def _is_text_pickle(span: Span, head: bytes) -> bool:
    """Whether it looks like a pickle of protocol 0 or 1, which has no signature."""
    if span.raw(span.size - 1, 1) != b".":
        return False
    if head.startswith(_TEXT_BEGINNINGS):
        return True
    # GLOBAL, with the names of a module and of a class
    module, _, rest = head[1:256].partition(b"\n")
    names = (module, rest.partition(b"\n")[0])
    return head[:1] == b"c" and all(_dotted(name) for name in names)


def _dotted(name: bytes) -> bool:
    return name.replace(b".", b"_").decode("ascii", "replace").isidentifier()


def _boosters_format(head: bytes) -> str | None:
    """The value of the `ModelFormat` of a file by XGBoost, LightGBM or CatBoost, or `None` for other files.

    XGBoost's document begins with one of its two members, in UBJSON with the length of its name as an int64.
    """
    if head.startswith(b"CBM1"):
        return "catboost"
    if head.startswith((b"tree\n", b"tree\r\n")) and b"\nnum_class=" in head.replace(b"\r", b""):
        return "lightgbm"
    return "xgboost" if _XGBOOST.match(head) else None
