"""Which model format a zip archive holds, by the names of its members."""

from __future__ import annotations

from pathlib import Path

from edgecheck.anatomy.encodings.span import Span
from edgecheck.anatomy.encodings.streams import compression, unpacked_head
from edgecheck.anatomy.encodings.ziparchive import STORED, Member, read_archive
from edgecheck.errors import ModelError

_MODEL_SUFFIXES = (".tflite", ".onnx", ".keras", ".h5", ".hdf5", ".pt", ".pth", ".pt2", ".safetensors")


def zip_format(path: Path, span: Span) -> str:
    """The value of the `ModelFormat` of the archive.

    Raises:
        Damage: the archive has been cut off or its directory is broken.
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
        return ModelError(f"{path} is a zip archive that holds {models[0]}.", "Unpack it and name the file inside.")
    return ModelError(f"{path} is a zip archive, but not a model.", "Name the model's own file.")


#: The pickle of torch's magic number 0x1950a86a20f9469cfc6c, with which its files began before 1.6.
TORCH_LEGACY_MAGIC = b"\x80\x02\x8a\nl\xfc\x9cF\xf9 j\xa8P\x19."
_PROTO = 0x80
_PROTOCOLS = (2, 3, 4, 5)
_SHORTEST = b"\x80\x02N."
#: How far a joblib's first array is looked for: about a millisecond's search.
_LOOK_AHEAD = 4 << 20
#: Opcodes with which an object may begin.
_PLAUSIBLE_NEXT = b"}])(NKJMGXUcVTCB\x88\x89\x8a\x8c\x95\x96\x8e\x8d\x8f\x91FILS"


def pickle_format(span: Span, head: bytes) -> str | None:
    """The value of the `ModelFormat` of a pickle that is not compressed, or `None`."""
    if head.startswith(TORCH_LEGACY_MAGIC):
        return "torch-legacy"
    if not _is_binary_pickle(head) and not _is_text_pickle(span, head):
        return None
    return "joblib" if b"joblib" in span.raw(0, min(span.size, _LOOK_AHEAD)) else "pickle"


def _is_binary_pickle(head: bytes) -> bool:
    if len(head) < len(_SHORTEST):
        return False
    return head[0] == _PROTO and head[1] in _PROTOCOLS and head[2] in _PLAUSIBLE_NEXT


def compressed_pickle(path: Path, span: Span, head: bytes) -> str | None:
    """The same for a pickle that joblib compressed.

    Raises:
        ModelError: it is compressed, but what is inside is no pickle.
    """
    name = compression(head)
    if name is None:
        return None
    inside = unpacked_head(span, name)
    if inside[:1] == b"\x80" or inside.startswith(b"c"):
        return "joblib"
    if name == "zlib":  # its signature is two bytes, which other files have too
        return None
    raise ModelError(f"{path} is compressed with {name}.", "Unpack it and name the file inside.")


def _is_text_pickle(span: Span, head: bytes) -> bool:
    """Whether it is a pickle of protocol 0 or 1, which has no signature: by how its writers begin."""
    if span.raw(span.size - 1, 1) != b".":
        return False
    if head.startswith((b"(dp", b"(lp", b"(i", b"}q", b"]q")):
        return True
    module, _, rest = head[1:256].partition(b"\n")
    names = (module, rest.partition(b"\n")[0])
    return head[:1] == b"c" and all(_dotted(name) for name in names)


def _dotted(name: bytes) -> bool:
    return name.replace(b".", b"_").decode("ascii", "replace").isidentifier()


_SIGNATURES = (
    (b"GGUF", "a GGUF file for llama.cpp", "edgecheck reads models for LiteRT and ONNX Runtime"),
    (b"\x93NUMPY", "a NumPy array", "Name the model; an array like this may be its `samples`"),
    (b"\x89PNG", "a PNG picture", "Name the model's file"),
    (b"\xff\xd8\xff", "a JPEG picture", "Name the model's file"),
    (b"%PDF", "a PDF document", "Name the model's file"),
    (b"\x7fELF", "a program for Linux", "Name the model's file"),
    (b"7z\xbc\xaf", "a 7z archive", "Unpack it and name the file inside"),
    (b"\x28\xb5\x2f\xfd", "compressed with zstd", "Unpack it and name the file inside"),
)
#: By the identifier in bytes 4 to 8.
_FLATBUFFERS = {
    b"ORTM": ("ONNX Runtime's own .ort format", "Name the .onnx file that it was made from"),
    b"ET12": ("an ExecuTorch program", "Name the .pt2 file that it was made from"),
}
_TAR_AT = slice(257, 262)
#: A SavedModel message: schema version 1, then its MetaGraphDef.
_SAVED_MODEL_PB = (b"\x08\x01\x12",)


def foreign(path: Path, head: bytes) -> ModelError | None:
    """The error for a file whose first bytes are known to be something else than a model, or `None`."""
    lowered = head.lstrip(b"\xef\xbb\xbf \t\r\n").lower()
    if head.startswith(b"version https://git-lfs"):
        return ModelError(f"{path} is a git-lfs pointer, not the model itself.", "Run `git lfs pull`.")
    if lowered.startswith((b"<!doctype html", b"<html", b"<head", b"<?xml", b"<error")):
        return ModelError(
            f"{path} is a web page that was saved under a model's name.",
            "The download led to an error or a login page; download the model itself.",
        )
    for signature, what, advice in _SIGNATURES:
        if head.startswith(signature):
            return ModelError(f"{path} is not a model: it is {what}.", f"{advice}.")
    if head[4:8] in _FLATBUFFERS:
        what, advice = _FLATBUFFERS[head[4:8]]
        return ModelError(f"{path} is {what}, which edgecheck does not read.", f"{advice}.")
    if head[_TAR_AT] == b"ustar":
        return ModelError(f"{path} is a tar archive.", "Unpack it and name the model inside.")
    if path.name == "saved_model.pb" and head.startswith(_SAVED_MODEL_PB):
        return ModelError(f"{path} is one file of a SavedModel.", f"Name its folder: {path.parent}.")
    return _text(path, head)


def _text(path: Path, head: bytes) -> ModelError | None:
    try:
        text = head.decode("utf-8")
    except UnicodeDecodeError as error:
        if len(head) - error.start >= 4:  # noqa: PLR2004 - the last character may be cut: it has up to four bytes
            return None
        text = head[: error.start].decode("utf-8")
    if not text or any(ord(letter) < 32 and letter not in "\t\n\r\f" for letter in text):  # noqa: PLR2004 - ASCII
        return None
    line = text.strip().partition("\n")[0][:60].rstrip()
    return ModelError(
        f"{path} is a text file, not a model; it begins with {line!r}." if line else f"{path} holds only blanks.",
        "Name the file that the training or the export wrote.",
    )
