"""Recognises zip archives and pickles of models, and the files of libraries for boosted trees.

Part of `formats`, on the way of every command: it imports no reader.
"""

from __future__ import annotations

import re
from pathlib import Path

from edgecheck.anatomy.accounting.limits import cut
from edgecheck.anatomy.encodings.span import Span
from edgecheck.anatomy.encodings.streams import compression, unpacked_head
from edgecheck.anatomy.encodings.ziparchive import STORED, Member, read_archive
from edgecheck.errors import ModelError

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


def zip_format(path: Path, span: Span) -> str:
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


def pickle_format(span: Span, head: bytes) -> str | None:
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


def compressed_pickle(path: Path, span: Span, head: bytes) -> str | None:
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


def boosters_format(head: bytes) -> str | None:
    """The value of the `ModelFormat` of a file by XGBoost, LightGBM or CatBoost, or `None` for other files.

    XGBoost's document begins with one of its two members, in UBJSON with the length of its name as an int64.
    """
    if head.startswith(b"CBM1"):
        return "catboost"
    if head.startswith((b"tree\n", b"tree\r\n")) and b"\nnum_class=" in head.replace(b"\r", b""):
        return "lightgbm"
    return "xgboost" if _XGBOOST.match(head) else None
